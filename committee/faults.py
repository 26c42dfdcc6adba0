"""What one replica knows about bad shards of one task: pure bookkeeping of reports and confirmations.

A report costs its reporter a signature and everybody else a re-execution, so nobody gets more than a few that
did not come true, and nobody is re-examined once he is known to be bad.
"""

from dataclasses import dataclass, field

from committee.due import MAX_RETRY_TICKS, RETRY_TICKS
from protocol.errors import PeerMisbehaved
from protocol.evidence import Fault, FaultReport
from protocol.ids import Address
from protocol.ledger import TaskLedger
from protocol.typed_data import Domain

MAX_OPEN_REPORTS = 16
"""Reports of one member that have not come true here; further ones are not heard until some do."""
MAX_FAULTS_PER_MINER = 4
"""Confirmed faults of one miner after which further reports about it are not worth an examination."""


@dataclass(slots=True)
class _Examination:
    """Of one fault: ``running``, or to be tried again not before tick ``retry_at``."""

    running: bool = True
    tries: int = 0
    retry_at: int = 0


@dataclass(slots=True)
class FaultBook:
    """``confirmed`` faults failed re-execution here; ``reports`` are all valid ones heard, own included."""

    confirmed: set[Fault] = field(default_factory=set)
    reports: dict[Fault, dict[Address, FaultReport]] = field(default_factory=dict)
    _examined: dict[Fault, _Examination] = field(default_factory=dict)

    def hear(self, report: FaultReport, ledger: TaskLedger, domain: Domain, now: int) -> bool:
        """Take in a peer's report at tick ``now``; True when its shard must be re-executed here.

        Accepted when: it is for this task and spec, a member of the task's committee signed it, and its
        miner signed the contribution; raises PeerMisbehaved otherwise. Not kept when: a certificate names
        the fault, the miner is known to be bad, or too much of what this reporter says did not come true.
        """
        fault, c = report.fault, report.contribution.contribution
        subject = "fault report"
        if (c.task_id, c.spec_hash) != (ledger.task_id, ledger.spec_hash):
            raise PeerMisbehaved(subject, "it is for another task or spec")
        reporter = report.reporter(domain)
        if reporter not in ledger.members:
            raise PeerMisbehaved(subject, f"{reporter} is not a member of the task's committee")
        if fault in ledger.faults or not self._has_room(fault, reporter):
            return False
        self.reports.setdefault(fault, {})[reporter] = report
        return fault not in self.confirmed and self._begin(fault, now)

    def _has_room(self, fault: Fault, reporter: Address) -> bool:
        if fault in self.confirmed or reporter in self.reports.get(fault, {}):
            return True
        if sum(1 for known in self.confirmed if known.miner == fault.miner) >= MAX_FAULTS_PER_MINER:
            return False
        is_open = (f for f, names in self.reports.items() if reporter in names and f not in self.confirmed)
        return sum(1 for _ in is_open) < MAX_OPEN_REPORTS

    def _begin(self, fault: Fault, now: int) -> bool:
        examination = self._examined.get(fault)
        if examination is None:
            self._examined[fault] = _Examination()
            return True
        if examination.running or now < examination.retry_at:
            return False
        examination.running = True
        return True

    def undecided(self, fault: Fault, now: int) -> None:
        """The examination came to nothing (data is missing, no time): a later report tries again."""
        examination = self._examined[fault]
        examination.running = False
        examination.retry_at = now + min(RETRY_TICKS << min(examination.tries, 16), MAX_RETRY_TICKS)
        examination.tries += 1

    def confirm(self, report: FaultReport, reporter: Address) -> None:
        """Re-execution here failed as well: ``report`` is this replica's own."""
        self.confirmed.add(report.fault)
        self.reports.setdefault(report.fault, {})[reporter] = report

    def own(self, me: Address, ledger: TaskLedger) -> list[FaultReport]:
        """This replica's reports of faults that no certificate names yet: to be repeated until one does."""
        certified = set(ledger.faults)
        return [names[me] for fault, names in self.reports.items() if me in names and fault not in certified]
