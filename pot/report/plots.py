"""Line charts as inline SVG: no script, no font, no network; colours come from the page's CSS variables."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from markupsafe import Markup, escape

WIDTH, HEIGHT = 560, 240
LEFT, RIGHT, TOP, BOTTOM = 56, 16, 14, 34
MAX_POINTS = 2_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """A named line; ``style`` is the CSS class that colours it. ``points`` are (x, y), ascending in x."""

    name: str
    points: Sequence[tuple[float, float]]
    style: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """A vertical line at ``x`` with a word to it."""

    x: float
    label: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Frame:
    """Where data land on the page."""

    x_low: float
    x_high: float
    y_low: float
    y_high: float

    def x(self, value: float) -> float:
        return round(LEFT + (value - self.x_low) / (self.x_high - self.x_low) * (WIDTH - LEFT - RIGHT), 1)

    def y(self, value: float) -> float:
        return round(
            HEIGHT - BOTTOM - (value - self.y_low) / (self.y_high - self.y_low) * (HEIGHT - TOP - BOTTOM), 1
        )


def nice_ticks(low: float, high: float, wanted: int = 5) -> list[float]:
    """About ``wanted`` round numbers that cover ``low..high`` (steps of 1, 2 or 5 times a power of ten)."""
    if not high > low:
        high = low + 1.0
    raw = (high - low) / max(wanted - 1, 1)
    magnitude = 10.0 ** math.floor(math.log10(raw))
    step = next(factor * magnitude for factor in (1, 2, 5, 10) if factor * magnitude >= raw)
    first, last = math.floor(low / step), math.ceil(high / step)
    return [round(index * step, 12) for index in range(first, last + 1)]


def line_chart(
    series: Sequence[Series],
    *,
    label: str,
    x_label: str,
    tick_text: Callable[[float], str],
    marks: Sequence[Mark] = (),
) -> Markup:
    """One chart; an empty one says so in words. ``label`` is its text for screen readers."""
    points = [point for one in series for point in one.points]
    if not points:
        return Markup('<p class="empty">Nothing was certified, so there is nothing to plot.</p>')
    xs, ys = [x for x, _ in points], [y for _, y in points]
    y_ticks = nice_ticks(min(ys), max(ys))
    x_ticks = [
        tick for tick in nice_ticks(min(xs), max(xs), 8) if min(xs) <= tick <= max(xs) and tick == int(tick)
    ]
    frame = _Frame(
        x_low=min(xs),
        x_high=max(*xs, min(xs) + 1),
        y_low=y_ticks[0],
        y_high=max(y_ticks[-1], y_ticks[0] + 1e-9),
    )
    parts = [
        f'<svg class="chart" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(label)}">',
        *_grid(frame, x_ticks, y_ticks, tick_text, x_label),
        *(_mark(frame, mark) for mark in marks),
        *(part for one in series for part in _line(frame, one, tick_text)),
        "</svg>",
    ]
    return Markup("".join(parts))


def _grid(
    frame: _Frame,
    x_ticks: Sequence[float],
    y_ticks: Sequence[float],
    tick_text: Callable[[float], str],
    x_label: str,
) -> list[str]:
    floor = HEIGHT - BOTTOM
    right = WIDTH - RIGHT
    rules = [
        f'<line class="grid" x1="{LEFT}" x2="{right}" y1="{frame.y(tick)}" y2="{frame.y(tick)}"/>'
        + _text("tick", LEFT - 8, frame.y(tick) + 4, "end", tick_text(tick))
        for tick in y_ticks
    ]
    numbers = [_text("tick", frame.x(tick), floor + 16, "middle", f"{tick:g}") for tick in x_ticks]
    return [*rules, *numbers, _text("tick", right, HEIGHT - 4, "end", x_label)]


def _text(style: str, x: float, y: float, anchor: str, text: str) -> str:
    return f'<text class="{style}" x="{x}" y="{y}" text-anchor="{anchor}">{escape(text)}</text>'


def _mark(frame: _Frame, mark: Mark) -> str:
    x = frame.x(min(max(mark.x, frame.x_low), frame.x_high))
    anchor = "end" if x > WIDTH / 2 else "start"
    offset = -5 if anchor == "end" else 5
    return f'<line class="mark" x1="{x}" x2="{x}" y1="{TOP}" y2="{HEIGHT - BOTTOM}"/>' + _text(
        "mark-text", x + offset, TOP + 10, anchor, mark.label
    )


def _line(frame: _Frame, series: Series, tick_text: Callable[[float], str]) -> list[str]:
    stride = max(1, math.ceil(len(series.points) / MAX_POINTS))
    shown = [*series.points[:-1:stride], *series.points[-1:]]
    path = " ".join(f"{frame.x(x)},{frame.y(y)}" for x, y in shown)
    dots = [
        f'<circle class="dot {series.style}" cx="{frame.x(x)}" cy="{frame.y(y)}" r="3">'
        f"<title>{escape(series.name)}, {x:g}: {escape(tick_text(y))}</title></circle>"
        for x, y in shown
    ]
    return [f'<polyline class="line {series.style}" points="{path}"/>', *dots]
