"""Did the run end well? Every claim of the demo, checked against its report."""

from typing import Final

from pot.demo.plan import DemoPlan
from pot.report.document import Disturbance, Report

#: Half a percentage point between the network and one process.
MAX_ACCURACY_GAP: Final = 0.005
#: Cheats that break a promise but sign nothing false: they lose pay, not stake.
WITHOUT_PROOF: Final = frozenset(("late", "selective-abort"))
#: Cheats without a single honest shard.
ALWAYS_FALSE: Final = frozenset(("lazy", "random", "scaled", "sign-flip", "wrong-shard"))


def judge(report: Report, plan: DemoPlan) -> None:
    """Append a sentence to ``problems`` for everything that is not as it should be, and settle ``ok``."""
    report.problems += [*_unfinished(report), *_books(report), *_model(report)]
    for item in report.disturbances:
        if item.kind in plan.adversaries.values():
            report.problems += _cheat(report, item)
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


def _model(report: Report) -> list[str]:
    if not report.history:
        return []
    problems = []
    if not report.audit.ok:
        problems.append(f"The audit failed: {report.audit.problem or 'it did not run'}.")
    if not report.replay.identical:
        problems.append("The certified model is not the one that one process computes.")
    ours, theirs = report.accuracy.network, report.accuracy.centralized
    if ours is not None and theirs is not None and abs(ours - theirs) > MAX_ACCURACY_GAP:
        problems.append(
            f"The network reached {100 * ours:.2f} %, one process {100 * theirs:.2f} %: more than "
            f"{100 * MAX_ACCURACY_GAP:.1f} points apart."
        )
    return problems


def _cheat(report: Report, item: Disturbance) -> list[str]:
    addresses = [address for address, name in report.accounts.items() if name == item.target]
    slashed = sum(int(slash.amount) for slash in report.slashes if slash.miner in addresses)
    paid = sum(int(report.payouts.get(address, "0")) for address in addresses)
    item.outcome = f"slashed {slashed // 10**18} POT, paid {paid // 10**18} POT"
    problems = []
    if not slashed and item.kind not in WITHOUT_PROOF:
        problems.append(f"{item.target} cheated ({item.kind}) and was not slashed.")
    if paid and item.kind in ALWAYS_FALSE:
        problems.append(f"{item.target} cheated ({item.kind}) and was paid.")
    return problems
