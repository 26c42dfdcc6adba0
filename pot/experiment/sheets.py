"""What an experiment leaves in its folder: JSON, one CSV for each table, a PNG and a page with all of it."""

import base64
import csv
import io
import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, StrictUndefined, select_autoescape

from pot.experiment.machine import machine
from pot.output import Table

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheet:
    """One table. Cells are numbers or text; ``note`` is a sentence that belongs to it; one that is not
    ``brief`` is too long for a terminal."""

    title: str
    columns: tuple[str, ...]
    rows: Sequence[tuple[Any, ...]]
    note: str = ""
    brief: bool = True

    @property
    def slug(self) -> str:
        """The title as a file name."""
        return re.sub(r"[^a-z0-9]+", "-", self.title.lower()).strip("-")

    def table(self) -> Table:
        """For a terminal."""
        rows = [tuple(shown(cell) for cell in row) for row in self.rows]
        return Table(title=self.title, columns=self.columns, rows=rows)


@dataclass(frozen=True, slots=True, kw_only=True)
class Experiment:
    """What was measured: ``settings`` hold the seed and everything else to repeat it; ``panels`` draw one
    plot each."""

    name: str
    title: str
    lead: str
    settings: dict[str, Any]
    sheets: tuple[Sheet, ...]
    panels: tuple[Callable[["Axes"], None], ...]
    ok: bool = True

    def document(self) -> dict[str, Any]:
        """Everything as one JSON document; the machine is in it."""
        return {
            "experiment": self.name,
            "ok": self.ok,
            "machine": machine(),
            "settings": self.settings,
            "sheets": {
                sheet.slug: [dict(zip(sheet.columns, row, strict=True)) for row in sheet.rows]
                for sheet in self.sheets
            },
        }


def write(found: Experiment, folder: Path) -> dict[str, Any]:
    """Write ``NAME.json``, ``NAME-SHEET.csv``, ``NAME.png`` and ``NAME.html``; returns the document, as it is
    read back."""
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps(found.document(), indent=2)
    document: dict[str, Any] = json.loads(text)
    (folder / f"{found.name}.json").write_text(text + "\n")
    for sheet in found.sheets:
        with (folder / f"{found.name}-{sheet.slug}.csv").open("w", newline="", encoding="utf-8") as stream:
            rows = csv.writer(stream)
            rows.writerow(sheet.columns)
            rows.writerows(sheet.rows)
    picture = _png(found.panels)
    (folder / f"{found.name}.png").write_bytes(picture)
    (folder / f"{found.name}.html").write_text(_page(found, document, picture))
    return document


def shown(cell: Any) -> str:
    """A cell as people read it."""
    if isinstance(cell, float):
        return f"{cell:.4g}"
    return f"{cell:,}" if isinstance(cell, int) and not isinstance(cell, bool) else str(cell)


def _png(panels: Sequence[Callable[["Axes"], None]]) -> bytes:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(4.6 * len(panels), 3.8), layout="constrained")
    FigureCanvasAgg(figure)
    for axes, draw in zip(figure.subplots(1, len(panels), squeeze=False)[0], panels, strict=True):
        draw(axes)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=130)
    return buffer.getvalue()


def _page(found: Experiment, document: dict[str, Any], picture: bytes) -> str:
    environment = Environment(
        autoescape=select_autoescape(default_for_string=True),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["shown"] = shown
    template = environment.from_string(files("pot.experiment").joinpath("sheets.html.j2").read_text("utf-8"))
    return template.render(found=found, document=document, picture=base64.b64encode(picture).decode())
