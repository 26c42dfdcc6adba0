"""slither with every high and medium finding explained: ``python -m contracts.audit.slither``.

Findings are named by detector and place. ``slither-triage.json`` gives the reason for each; a finding without
a reason and a reason without a finding both end the run with 1.
"""

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from contracts.audit.workspace import AUDIT_BIN, workspace

TRIAGE: Final = Path(__file__).with_name("slither-triage.json")
SERIOUS: Final = ("High", "Medium")


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Finding:
    """One detector at one place, e.g. ``unused-return`` at ``Committee.join``."""

    impact: str
    check: str
    place: str


def place(elements: list[dict[str, Any]]) -> str:
    """``Contract.function`` of the first element, or its name alone."""
    if not elements:
        return "?"
    first = elements[0]
    parent = first.get("type_specific_fields", {}).get("parent", {}).get("name", "")
    return f"{parent}.{first['name']}" if parent else str(first["name"])


def parse(report: dict[str, Any]) -> list[Finding]:
    """High and medium findings, each once."""
    detectors = report.get("results", {}).get("detectors", [])
    found = {
        Finding(impact=d["impact"], check=d["check"], place=place(d["elements"]))
        for d in detectors
        if d["impact"] in SERIOUS
    }
    return sorted(found)


def compare(findings: list[Finding], triage: list[dict[str, str]]) -> list[str]:
    """Complaints: what is not explained, and what is explained but not found."""
    reasons = {(entry["check"], entry["place"]) for entry in triage if entry["reason"].strip()}
    found = {(finding.check, finding.place) for finding in findings}
    complaints = [
        f"not explained: {f.impact} {f.check} at {f.place}"
        for f in findings
        if (f.check, f.place) not in reasons
    ]
    complaints += [f"explained but not found: {check} at {at}" for check, at in sorted(reasons - found)]
    return complaints


def main() -> int:
    """Run slither on a copy and compare with the triage."""
    with workspace(tests=()) as copy:
        said = copy.run([AUDIT_BIN / "slither", ".", "--json", "slither.json"], timeout_s=600)
        try:
            report = json.loads((copy.project / "slither.json").read_text("utf-8"))
        except OSError:
            print(said.words[-4_000:])
            return 1
    if not report.get("success"):
        print(report.get("error"))
        return 1
    findings = parse(report)
    for finding in findings:
        print(f"{finding.impact:6} {finding.check:24} {finding.place}")
    complaints = compare(findings, json.loads(TRIAGE.read_text("utf-8")))
    print("\n".join(complaints) or f"slither: {len(findings)} high or medium findings, each explained")
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main())
