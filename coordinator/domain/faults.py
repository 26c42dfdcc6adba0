"""From single reports to a proven fault: f + 1 distinct members, so at least one of them is honest."""

from collections.abc import Iterable

from protocol.evidence import Fault, FaultReport
from protocol.ids import Address
from protocol.members import max_faulty


def proven(
    reports: Iterable[tuple[Address, FaultReport]], members: tuple[Address, ...]
) -> dict[Fault, tuple[FaultReport, ...]]:
    """The faults that enough of ``members`` reported, each with the f + 1 reports of the lowest addresses.

    ``reports`` pairs each report with its recovered reporter; strangers and repetitions do not count.
    """
    if not members:
        return {}
    needed = max_faulty(len(members)) + 1
    found: dict[Fault, dict[Address, FaultReport]] = {}
    for reporter, report in reports:
        if reporter in members:
            found.setdefault(report.fault, {}).setdefault(reporter, report)
    return {
        fault: tuple(by[name] for name in sorted(by, key=str.lower)[:needed])
        for fault, by in sorted(found.items())
        if len(by) >= needed
    }
