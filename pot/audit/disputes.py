"""The disputes of a task replayed: how each court was drawn, what it signed, whether that is true, and that
bonds and slashes are what the verdict implies."""

from dataclasses import dataclass, field

from pot.audit.replay import Replayer
from pot.audit.report import AuditReport
from protocol.blobs import BlobMissing, BlobStore
from protocol.chain.appeals import CaseKind
from protocol.chain.canary_events import CanaryPardoned
from protocol.chain.contracts import Contracts, KeyBook
from protocol.chain.dispute_events import CaseBrought, CaseSettled, MinerConvicted, SignerPunished
from protocol.chain.dispute_log import DisputeLog, read_logs, verdict_behind
from protocol.chain.events import Event, StakeSlashed
from protocol.chain.history import TaskHistory
from protocol.chain.records import (
    Certified,
    Matter,
    check_place,
    matters_of,
    read_record,
    report_of,
)
from protocol.draw import BLOCKHASH_WINDOW, court, draw_seed
from protocol.errors import PeerMisbehaved, VerificationFailed
from protocol.ids import Address
from protocol.members import MAX_MEMBERS

BPS = 10_000
ACCEPTED_BPS = 1_000
DECLARED_BPS = 5_000
"""Of a validator's stake: what it costs to sign a wrongly accepted contribution, or a wrong fault."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DisputeAudit:
    """Audits the disputes of one task. ``stake_slashes`` are the vault's slashes, of all tasks."""

    contracts: Contracts
    blobs: BlobStore
    history: TaskHistory
    certified: Certified
    stake_slashes: list[StakeSlashed]
    report: AuditReport
    replayer: Replayer
    _taken: set[tuple[bytes, int]] = field(default_factory=set)

    def run(self, events: list[Event]) -> None:
        """Check every dispute among the task's ``events``. Raises VerificationFailed at the first lie."""
        logs = read_logs(events)
        for log in logs:
            self._check(log)
        self._check_consequences(logs)

    def _check(self, log: DisputeLog) -> None:
        name = f"dispute {log.number}"
        found = f"{len(log.cases)} cases"
        if log.drawn is not None:
            found += f", {self._check_court(log)} judges drawn as they must be"
        if log.verdict is not None:
            signers = verdict_behind(self.contracts, log).verify(
                self.contracts.deployment.domain, self._court_of(log), KeyBook(self.contracts)
            )
            upheld = sum(log.is_upheld(case) for case in log.cases)
            judged = sum(self._judge(log, case) for case in log.cases)
            found += f", {upheld} upheld by {len(signers)} signatures, {judged} re-executed"
        self._check_bonds(log)
        self._check_slashes(log)
        state = "lapsed" if log.lapsed else "open" if log.verdict is None else "decided"
        settled = f"{len(log.settled)} bonds paid out, {len(log.convicted) + len(log.punished)} slashed"
        self.report.passed(name, f"{state}: {found}, {settled}")

    # ------------------------------------------------------------------ the court

    def _court_of(self, log: DisputeLog) -> tuple[Address, ...]:
        if log.drawn is None:
            raise VerificationFailed(f"verdict of dispute {log.number}", "its court was never drawn")
        return log.drawn.members

    def _check_court(self, log: DisputeLog) -> int:
        """Repeat the draw; the number of members. Raises VerificationFailed when it leads to others."""
        drawn, task = log.drawn, self.history.created.task_id
        assert drawn is not None
        committee, panel = self.history.ledger.members, self.contracts.committee.panel_of(task, log.number)
        subject = f"court of dispute {log.number}"
        if log.summoned is None or panel.size != min(2 * len(committee) - 1, MAX_MEMBERS):
            raise VerificationFailed(subject, f"it was drawn for {panel.size} members, or never summoned")
        expected_block = log.summoned.where.block_number + self.contracts.committee.draw_delay()
        if panel.draw_block != expected_block:
            raise VerificationFailed(subject, f"its block is {panel.draw_block}, not {expected_block}")
        in_time = drawn.where.block_number - panel.draw_block <= BLOCKHASH_WINDOW
        source = (
            self.contracts.client.block(panel.draw_block).hash
            if in_time
            else self.contracts.committee.seed_of(panel.epoch)
        )
        seed = draw_seed(source, task, log.number)
        candidates = self.contracts.committee.candidates(panel.epoch)
        expected = court(candidates, committee, seed, panel.size)
        if drawn.members != expected:
            raise VerificationFailed(
                subject, f"the draw leads to {', '.join(expected)}, not to {', '.join(drawn.members)}"
            )
        return len(expected)

    # ------------------------------------------------------------------ the verdict

    def _judge(self, log: DisputeLog, case: CaseBrought) -> bool:
        """Re-execute what a case is about; whether that was possible. Raises VerificationFailed when the
        verdict says otherwise."""
        try:
            right = self._is_right(case)
        except BlobMissing as error:
            self.report.notes.append(f"dispute {log.number} case {case.number} cannot be judged: {error}")
            return False
        if right != log.is_upheld(case):
            said, found = ("upheld", "wrong") if log.is_upheld(case) else ("rejected", "right")
            raise VerificationFailed(
                f"verdict of dispute {log.number}",
                f"case {case.number} was {said}, but re-execution finds that it is {found}",
            )
        return True

    def _is_right(self, case: CaseBrought) -> bool:
        domain = self.contracts.deployment.domain
        certificate = self.certified.certificates[case.index].certificate
        record = read_record(self.blobs, certificate, domain)
        matter = _matter(case, matters_of(record, case.kind, domain))
        if case.kind is CaseKind.FAULT:
            assert matter.fault is not None
            report = report_of(self.blobs, self.certified, case.index, matter.fault, domain)
            return report is None or not self.replayer.is_fault(report.contribution, report.batch)
        assert matter.signed is not None
        try:
            check_place(self.replayer.spec, record, matter.signed, domain)
        except PeerMisbehaved:
            return True
        return self.replayer.is_fault(matter.signed, case.batch)

    def _check_consequences(self, logs: list[DisputeLog]) -> None:
        """What the verdicts imply for certificates and faults is what the market did."""
        falls = [log.falls_from for log in logs if log.falls_from is not None]
        overturned = self.history.overturned
        expected = falls[0] if falls else None
        found = overturned.first if overturned is not None else None
        if expected != found or len(falls) > 1:
            raise VerificationFailed(
                f"certificates of task {self.history.created.task_id}",
                f"the verdicts overturn those from {expected} on, the market those from {found} on",
            )
        voids = frozenset[bytes]().union(*(log.voids for log in logs))
        pardoned = {event.leaf for event in self.history.canaries if isinstance(event, CanaryPardoned)}
        if voids | pardoned != frozenset(self.history.voided):
            raise VerificationFailed(
                "faults", "those that the market voided are not those that courts upheld, and canaries"
            )
        if overturned is not None:
            self.report.passed(
                "overturned", f"certificates from {overturned.first} on are void and count for nothing"
            )

    # ------------------------------------------------------------------ money

    def _check_bonds(self, log: DisputeLog) -> None:
        """Each bond was paid out at most once, and to whom the verdict says."""
        paid: set[int] = set()
        for event in log.settled:
            case = _case(log, event)
            bond = self.contracts.appeals.bond_of(case.number)
            back = log.is_upheld(case) or log.lapsed is not None
            returned, compensation = (bond, 0) if back else (0, self._compensation(case, bond))
            if case.number in paid or (event.returned, event.compensation) != (returned, compensation):
                raise VerificationFailed(
                    f"bond of case {case.number} of dispute {log.number}",
                    f"{event.returned} came back and {event.compensation} were paid in compensation; "
                    f"{returned} and {compensation} were due, once",
                )
            paid.add(case.number)

    def _compensation(self, case: CaseBrought, bond: int) -> int:
        poster = self.history.created.poster
        wronged = case.miner if case.kind is CaseKind.CONTRIBUTION else poster
        return 0 if wronged == case.challenger else bond // 2

    def _check_slashes(self, log: DisputeLog) -> None:
        """Only the guilty were slashed, once each, by no more than the rules say, out of their stake."""
        most = self.history.ledger.spec.money.slash_per_fault_wei
        convicted: set[bytes] = set()
        for event in log.convicted:
            case = _case(log, event)
            guilty = log.is_upheld(case) and case.kind is CaseKind.CONTRIBUTION and event.miner == case.miner
            self._require(guilty and case.leaf not in convicted and event.amount <= most, event)
            convicted.add(case.leaf)
            self._take(event, event.miner)
        charged: dict[CaseKind, set[Address]] = {kind: set() for kind in CaseKind}
        for punishment in log.punished:
            case = _case(log, punishment)
            guilty = punishment.signer in self._charged(log, case)
            self._require(guilty and punishment.signer not in charged[case.kind], punishment)
            self._require(punishment.amount <= self._penalty(case.kind), punishment)
            charged[case.kind].add(punishment.signer)
            self._take(punishment, punishment.signer)

    def _charged(self, log: DisputeLog, case: CaseBrought) -> set[Address]:
        """Who answers for a case: those that signed its certificate, and no earlier one of its kind."""
        if not log.is_upheld(case):
            return set()
        signers = self.certified.certificates[case.index].signers
        for other in log.cases[: case.number]:
            if other.kind is case.kind and log.is_upheld(other):
                signers &= ~self.certified.certificates[other.index].signers
        return {m for i, m in enumerate(self.history.ledger.members) if signers >> i & 1}

    def _penalty(self, kind: CaseKind) -> int:
        stake = self.contracts.committee.validator_stake()
        if kind is CaseKind.FAULT:
            return stake * DECLARED_BPS // BPS
        return min(stake * ACCEPTED_BPS // BPS, self.history.ledger.spec.money.slash_per_fault_wei)

    def _take(self, event: MinerConvicted | SignerPunished, account: Address) -> None:
        """The vault took from ``account``, in the same transaction, what the event says."""
        if event.amount == 0:
            return
        for slash in self.stake_slashes:
            place = (slash.where.tx_hash, slash.where.log_index)
            same = (slash.account, slash.slasher, slash.amount) == (
                account,
                self.contracts.appeals.address,
                event.amount,
            )
            if same and slash.where.tx_hash == event.where.tx_hash and place not in self._taken:
                self._taken.add(place)
                return
        self._require(False, event)

    @staticmethod
    def _require(holds: bool, event: MinerConvicted | SignerPunished) -> None:
        if not holds:
            raise VerificationFailed(
                f"slash in transaction 0x{event.where.tx_hash.hex()}",
                f"case {event.number} of dispute {event.dispute} does not justify it",
            )


def _case(log: DisputeLog, event: CaseSettled | MinerConvicted | SignerPunished) -> CaseBrought:
    if event.number >= len(log.cases):
        raise VerificationFailed(f"dispute {log.number}", f"it has no case {event.number}")
    return log.cases[event.number]


def _matter(case: CaseBrought, matters: list[Matter]) -> Matter:
    for matter in matters:
        if matter.leaf_hash == case.leaf:
            return matter
    raise VerificationFailed(f"case {case.number}", "its leaf is not in the record of its certificate")
