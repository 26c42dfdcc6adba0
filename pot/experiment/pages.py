"""An experiment's folder: canonical documents, a table for other programs, plots, and a page."""

import base64
import csv
import json
from importlib.resources import files
from pathlib import Path
from typing import Any

from jinja2 import Environment, StrictUndefined, select_autoescape

from pot.experiment.findings import Findings, measurement_value, summary
from pot.experiment.plots import verification_png
from protocol.canonical import canonical_json


def write(found: Findings, folder: Path) -> dict[str, Any]:
    """Write ``policy.json`` (canonical), ``results.json``, ``verification.png`` and ``verification.html``;
    where limits were derived also ``measurement.json`` (canonical) and ``cells.csv``. Returns the results."""
    folder.mkdir(parents=True, exist_ok=True)
    document = summary(found)
    if found.cells:
        (folder / "measurement.json").write_bytes(canonical_json(measurement_value(found.cells)))
        _write_cells(found, folder / "cells.csv")
    (folder / "policy.json").write_bytes(found.policy.blob)
    (folder / "results.json").write_text(json.dumps(document, indent=2) + "\n")
    picture = verification_png(found)
    (folder / "verification.png").write_bytes(picture)
    (folder / "verification.html").write_text(_page(found, document, picture))
    return document


def _write_cells(found: Findings, path: Path) -> None:
    rows = measurement_value(found.cells)["cells"]
    with path.open("w", newline="") as stream:
        writer = csv.DictWriter(stream, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def _page(found: Findings, document: dict[str, Any], picture: bytes) -> str:
    environment = Environment(
        autoescape=select_autoescape(default_for_string=True),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    template = environment.from_string(
        files("pot.experiment").joinpath("verification.html.j2").read_text("utf-8")
    )
    return template.render(
        found=document,
        limits=found.policy.to_value()["limits"],
        picture=base64.b64encode(picture).decode(),
    )
