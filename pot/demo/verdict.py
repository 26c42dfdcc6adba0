"""Did the run end well? Every claim of the demo, checked against its report."""

from typing import Final

from pot.demo.answers import OTHERS, answer, honest_unharmed
from pot.demo.plan import DemoPlan
from pot.report.document import Report

#: Half a percentage point between the network and one process.
MAX_ACCURACY_GAP: Final = 0.005
#: Cheats whose work may be certified, so that the model is not bit for bit the honest one.
CERTIFIED: Final = frozenset(("inside-tolerance",))


def judge(report: Report, plan: DemoPlan) -> None:
    """Append a sentence to ``problems`` for everything that is not as it should be, and settle ``ok``."""
    report.problems += [*_unfinished(report), *_books(report), *_model(report, plan)]
    for item in report.disturbances:
        if item.kind in plan.adversaries.values() or item.kind in OTHERS:
            report.problems += answer(report, item)
    report.problems += honest_unharmed(report)
    report.ok = not report.problems


def _unfinished(report: Report) -> list[str]:
    if report.rounds == report.rounds_wanted:
        return []
    return [f"{report.rounds} of {report.rounds_wanted} rounds were certified."]


def _books(report: Report) -> list[str]:
    if not report.task_id or report.escrow.balances:
        return []
    escrow = report.escrow
    return [
        f"The escrow does not balance: {escrow.funded} funded, {escrow.paid} paid, "
        f"{escrow.refunded} refunded."
    ]


def _model(report: Report, plan: DemoPlan) -> list[str]:
    if not report.history:
        return []
    problems = []
    if not report.audit.ok:
        problems.append(f"The audit failed: {report.audit.problem or 'it did not run'}.")
    if not report.replay.identical and not CERTIFIED.intersection(plan.adversaries.values()):
        problems.append("The certified model is not the one that one process computes.")
    ours, theirs = report.accuracy.network, report.accuracy.centralized
    if ours is not None and theirs is not None and abs(ours - theirs) > MAX_ACCURACY_GAP:
        problems.append(
            f"The network reached {100 * ours:.2f} %, one process {100 * theirs:.2f} %: more than "
            f"{100 * MAX_ACCURACY_GAP:.1f} points apart."
        )
    return problems
