"""Line and branch coverage of ``contracts/src``: ``python -m contracts.audit.coverage``.

Ends with 1 when a line is not covered, or less than 95 % of the branches are.
"""

import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from contracts.audit.workspace import workspace

MIN_LINES: Final = 100.0
MIN_BRANCHES: Final = 95.0
# Gas is measured with the optimizer on, which coverage turns off; invariants add nothing but time.
LEFT_OUT: Final = "test/{gas,invariant,symbolic}/**"
FIELD: Final = re.compile(r"(SF|LF|LH|BRF|BRH):(.+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class FileCoverage:
    """Counts of one source file, as LCOV has them."""

    name: str
    lines: int
    lines_hit: int
    branches: int
    branches_hit: int

    def row(self) -> str:
        return f"| `{self.name}` | {self.lines_hit} / {self.lines} | {self.branches_hit} / {self.branches} |"


def parse(lcov: str) -> list[FileCoverage]:
    """The files under ``src/`` of an LCOV report, by name."""
    found: list[FileCoverage] = []
    for record in lcov.split("end_of_record"):
        fields = {name: value.strip() for name, value in FIELD.findall(record)}
        if not fields.get("SF", "").startswith("src/"):
            continue
        found.append(
            FileCoverage(
                name=fields["SF"],
                lines=int(fields["LF"]),
                lines_hit=int(fields["LH"]),
                branches=int(fields["BRF"]),
                branches_hit=int(fields["BRH"]),
            )
        )
    return sorted(found, key=lambda file: file.name)


def percent(hit: int, of: int) -> float:
    """100 for nothing to hit."""
    return 100.0 * hit / of if of else 100.0


def judge(files: list[FileCoverage]) -> tuple[str, bool]:
    """The closing line, and whether the bounds are kept; no file at all keeps none."""
    lines = percent(sum(f.lines_hit for f in files), sum(f.lines for f in files))
    branches = percent(sum(f.branches_hit for f in files), sum(f.branches for f in files))
    kept = bool(files) and lines >= MIN_LINES and branches >= MIN_BRANCHES
    return f"coverage of src: {lines:.1f} % of lines, {branches:.1f} % of branches", kept


def main() -> int:
    """Run forge's coverage on a copy and judge it."""
    with workspace() as copy:
        report = Path("lcov.info")
        said = copy.forge(
            "coverage", "--offline", "--report", "lcov", "--report-file", str(report),
            "--no-match-path", LEFT_OUT,
        )  # fmt: skip
        if said.code != 0:
            print(said.words[-4_000:])
            return said.code
        files = parse((copy.project / report).read_text("utf-8"))
    print("| file | lines | branches |\n|---|---|---|")
    print("\n".join(file.row() for file in files))
    line, kept = judge(files)
    print(line)
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())
