"""What one replica knows about bad shards of one task: pure bookkeeping of reports and confirmations."""

from dataclasses import dataclass, field

from protocol.errors import PeerMisbehaved
from protocol.evidence import Fault, FaultReport
from protocol.ids import Address
from protocol.ledger import TaskLedger
from protocol.typed_data import Domain

MAX_REPORTED_FAULTS = 256
"""Distinct faults one task may have on its books; more than that is a flood, not a market."""


@dataclass(slots=True)
class FaultBook:
    """``confirmed`` faults failed re-execution here; ``reports`` are all valid ones heard, own included."""

    confirmed: set[Fault] = field(default_factory=set)
    reports: dict[Fault, dict[Address, FaultReport]] = field(default_factory=dict)
    examined: set[Fault] = field(default_factory=set)

    def hear(self, report: FaultReport, ledger: TaskLedger, domain: Domain) -> bool:
        """Take in a peer's report; True when its shard must be re-executed here.

        Accepted when: a member of the task's committee signed it, its miner signed the contribution, it is
        for this task and spec, and the book is not full. Raises PeerMisbehaved otherwise.
        """
        reporter, c = report.reporter(domain), report.contribution.contribution
        subject = f"fault report of {reporter}"
        if reporter not in ledger.members:
            raise PeerMisbehaved(subject, "it is not by a member of the task's committee")
        if (c.task_id, c.spec_hash) != (ledger.task_id, ledger.spec_hash):
            raise PeerMisbehaved(subject, "it is for another task or spec")
        if report.fault not in self.reports and len(self.reports) >= MAX_REPORTED_FAULTS:
            raise PeerMisbehaved(subject, f"more than {MAX_REPORTED_FAULTS} faults are reported")
        self.reports.setdefault(report.fault, {})[reporter] = report
        if report.fault in self.examined:
            return False
        self.examined.add(report.fault)
        return True

    def confirm(self, report: FaultReport, reporter: Address) -> None:
        """Re-execution here failed as well: ``report`` is this replica's own."""
        self.examined.add(report.fault)
        self.confirmed.add(report.fault)
        self.reports.setdefault(report.fault, {})[reporter] = report

    def own(self, me: Address, ledger: TaskLedger) -> list[FaultReport]:
        """This replica's reports of faults that no certificate names yet: to be repeated until one does."""
        certified = set(ledger.faults)
        return [names[me] for fault, names in self.reports.items() if me in names and fault not in certified]
