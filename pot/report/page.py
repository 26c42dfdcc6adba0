"""The HTML page of a report: one file that opens anywhere, also without a network."""

from decimal import Decimal
from importlib.resources import files

from jinja2 import Environment, StrictUndefined, select_autoescape

from pot.report.document import Report
from pot.report.plots import Mark, Series, line_chart

TOKEN_DECIMALS = 18


def render_page(report: Report) -> str:
    """The page as text; every value from the run is escaped."""
    environment = Environment(
        autoescape=select_autoescape(default_for_string=True),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(tokens=tokens, percent=percent, short=short)
    template = environment.from_string(files("pot.report").joinpath("page.html.j2").read_text("utf-8"))
    return template.render(report=report, loss=_loss_chart(report), accuracy=_accuracy_chart(report))


def tokens(amount: str | int) -> str:
    """Smallest units as whole tokens, exact, without trailing zeros."""
    text = f"{Decimal(int(amount)).scaleb(-TOKEN_DECIMALS):,f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def percent(share: float | None) -> str:
    """``97.2 %``, or a dash where there is no number."""
    return "–" if share is None else f"{100 * share:.1f} %"


def short(text: str) -> str:
    """The two ends of a hash; the page carries the whole one in a tooltip."""
    return text if len(text) <= 16 else f"{text[:10]}…{text[-6:]}"


def _marks(report: Report) -> list[Mark]:
    return [
        Mark(x=item.after_round, label=f"{item.kind} {item.target}")
        for item in report.disturbances
        if item.after_round
    ]


def _loss_chart(report: Report) -> str:
    points = [(float(item.round), item.loss) for item in report.history]
    return line_chart(
        [Series(name="loss", points=points, style="first")],
        label="training loss over rounds",
        x_label="round",
        tick_text=lambda value: f"{value:.3g}",
        marks=_marks(report),
    )


def _accuracy_chart(report: Report) -> str:
    points = [(float(item.round), item.accuracy) for item in report.history]
    series = [Series(name="network", points=points, style="second")]
    if report.accuracy.centralized is not None and points:
        level = report.accuracy.centralized
        series.insert(
            0,
            Series(name="centralized", points=[(points[0][0], level), (points[-1][0], level)], style="third"),
        )
    return line_chart(
        series,
        label="test accuracy over rounds",
        x_label="round",
        tick_text=lambda value: f"{100 * value:.3g} %",
        marks=_marks(report),
    )
