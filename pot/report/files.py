"""Writing a report to its folder."""

from dataclasses import dataclass
from pathlib import Path

from pot.report.document import Report
from pot.report.page import render_page


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportFiles:
    """Where the two forms of one report are."""

    json: Path
    page: Path


def write_report(report: Report, folder: Path) -> ReportFiles:
    """Write ``report.json`` and ``report.html``; the JSON first, as it is what scripts wait for."""
    folder.mkdir(parents=True, exist_ok=True)
    written = ReportFiles(json=folder / "report.json", page=folder / "report.html")
    for path, data in ((written.json, report.to_json()), (written.page, render_page(report).encode())):
        part = path.with_suffix(path.suffix + ".part")
        part.write_bytes(data)
        part.replace(path)
    return written
