"""The certified state of one task and the rules by which a segment may extend it: pure, and the same for the
coordinator that builds segments, the validators that check them and the auditors that replay them."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import pairwise

from protocol.attestation import Attestation
from protocol.errors import PeerMisbehaved
from protocol.evidence import Fault, FaultReport
from protocol.ids import Address, EpochNo, RoundNo, Sha256, TaskId, Wei, sha256
from protocol.members import max_faulty
from protocol.payouts import fee_share_down, next_payouts
from protocol.segment import RoundRecord, SegmentRecord
from protocol.spec import TaskSpec
from protocol.typed_data import Domain


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskLedger:
    """What the chain has certified for a task so far, with the public data behind its roots.

    ``last_signers`` signed the last certificate, which covered ``last_span`` rounds and whose record is
    ``last_segment`` (none before the first); their fee is due in the next, and so are their attestations.
    """

    task_id: TaskId
    spec_hash: Sha256
    spec: TaskSpec
    epoch: EpochNo
    members: tuple[Address, ...]
    last_round: RoundNo
    model: Sha256
    faults: tuple[Fault, ...] = ()
    payouts: Mapping[Address, Wei]
    last_signers: tuple[Address, ...] = ()
    last_span: int = 0
    last_segment: Sha256 | None = None

    @property
    def excluded(self) -> frozenset[Address]:
        """Miners with a certified fault: they take no further part in this task."""
        return frozenset(fault.miner for fault in self.faults)

    @property
    def finished(self) -> bool:
        return self.last_round >= self.spec.recipe.rounds

    def payouts_after(self, rounds: tuple[RoundRecord, ...]) -> dict[Address, Wei]:
        """Cumulative payouts once ``rounds`` are certified on top of this state."""
        money = self.spec.money
        return next_payouts(
            self.payouts,
            miners=(signed.contribution.miner for item in rounds for signed in item.contributions),
            reward_per_shard=money.reward_per_shard_wei,
            fee_signers=self.last_signers,
            fee_share=fee_share_down(money.fee_per_round_wei, self.last_span, len(self.last_signers)),
        )

    def extend(
        self,
        rounds: tuple[RoundRecord, ...],
        evidence: tuple[FaultReport, ...] = (),
        attestations: tuple[Attestation, ...] = (),
    ) -> SegmentRecord:
        """The one segment record that ``rounds``, the new faults in ``evidence`` and the last certificate's
        ``attestations`` lead to."""
        faults = {*self.faults, *(report.fault for report in evidence)}
        return SegmentRecord(
            task_id=self.task_id,
            spec_hash=self.spec_hash,
            rounds=rounds,
            faults=tuple(sorted(faults)),
            fault_evidence=evidence,
            payouts=self.payouts_after(rounds),
            attestations=attestations,
        )

    def certified(self, record: SegmentRecord, signers: tuple[Address, ...]) -> "TaskLedger":
        """The state after ``record`` was certified by ``signers``; the caller has checked both."""
        return replace(
            self,
            last_round=record.last_round,
            model=record.model,
            faults=record.faults,
            payouts=record.payouts,
            last_signers=signers,
            last_span=len(record.rounds),
            last_segment=sha256(record.blob),
        )

    def attests(self, item: Attestation) -> bool:
        """Whether ``item`` speaks of the last certificate; not by whom."""
        first = self.last_round - self.last_span + 1
        said = (item.task_id, item.first_round, item.last_round, item.segment)
        return said == (self.task_id, first, self.last_round, self.last_segment)

    def check(self, record: SegmentRecord, domain: Domain) -> None:
        """Everything about a segment that needs no tensors and no chain.

        Accepted when: it extends this task and spec; rounds and models are consecutive; each round holds at
        least the minimum of shards, ascending and known; each contribution names the round's parent model
        and the exact sample count, is signed by its miner and by nobody excluded; faults grow only by
        reported ones; attestations are on the last certificate, by its signers, at most one each and in their
        order; payouts are the ones this state implies. Raises PeerMisbehaved otherwise.
        """
        subject = f"segment {record.first_round}..{record.last_round} of task {self.task_id}"
        if record.task_id != self.task_id or record.spec_hash != self.spec_hash:
            raise PeerMisbehaved(subject, "it belongs to another task or spec")
        # One that had to wait may cover more than ``rounds_per_certificate``, up to all that could run ahead.
        if len(record.rounds) > self.spec.limits.max_uncertified_rounds:
            raise PeerMisbehaved(
                subject,
                f"it covers {len(record.rounds)} rounds, "
                f"the spec allows {self.spec.limits.max_uncertified_rounds}",
            )
        self._check_faults(record, domain, subject)
        self._check_attestations(record, domain, subject)
        excluded = {fault.miner for fault in record.faults}
        model, number = self.model, self.last_round
        for item in record.rounds:
            if item.round != number + 1 or item.round > self.spec.recipe.rounds or item.parent_model != model:
                raise PeerMisbehaved(
                    subject, f"round {item.round} does not follow round {number} and its model"
                )
            self._check_round(item, excluded, domain)
            model, number = item.model, item.round
        if dict(record.payouts) != self.payouts_after(record.rounds) or list(record.payouts) != list(
            self.payouts_after(record.rounds)
        ):
            raise PeerMisbehaved(subject, "its payouts are not the ones the certified state implies")

    def _check_round(self, item: RoundRecord, excluded: set[Address], domain: Domain) -> None:
        subject = f"round {item.round} of task {self.task_id}"
        shards = [signed.contribution.shard for signed in item.contributions]
        if len(shards) < self.spec.limits.min_shards:
            raise PeerMisbehaved(
                subject, f"{len(shards)} shards, the spec needs {self.spec.limits.min_shards}"
            )
        if any(b <= a for a, b in pairwise(shards)) or shards[-1] >= self.spec.recipe.shards:
            raise PeerMisbehaved(
                subject, f"its shards {shards} are not ascending numbers below {self.spec.recipe.shards}"
            )
        for signed in item.contributions:
            c = signed.contribution
            fits = (c.task_id, c.round, c.spec_hash, c.parent_model, c.samples) == (
                self.task_id,
                item.round,
                self.spec_hash,
                item.parent_model,
                self.spec.recipe.samples_per_shard,
            )
            if not fits or len(c.batches) != self.spec.recipe.micro_batches:
                raise PeerMisbehaved(subject, f"the contribution to shard {c.shard} is for other work")
            if c.miner in excluded:
                raise PeerMisbehaved(subject, f"{c.miner} has a fault in this task and is excluded")
            signed.verify(domain)

    def _check_attestations(self, record: SegmentRecord, domain: Domain, subject: str) -> None:
        """What they say can be checked only by executing, and by anybody."""
        order = {signer: place for place, signer in enumerate(self.last_signers)}
        last = -1
        for item in record.attestations:
            place = order.get(item.validator(domain), -1) if self.attests(item) else -1
            if place <= last:
                raise PeerMisbehaved(
                    subject, "an attestation is not by a signer of the last certificate, in their order"
                )
            last = place

    def _check_faults(self, record: SegmentRecord, domain: Domain, subject: str) -> None:
        if list(record.faults) != sorted(set(record.faults)) or not set(self.faults) <= set(record.faults):
            raise PeerMisbehaved(subject, "its fault list is not the ascending, growing one")
        reporters: dict[Fault, set[Address]] = {}
        for report in record.fault_evidence:
            reporter = report.reporter(domain)
            if report.task_id != self.task_id or reporter not in self.members:
                raise PeerMisbehaved(
                    subject, f"a fault report by {reporter} is not by a member for this task"
                )
            reporters.setdefault(report.fault, set()).add(reporter)
        new = set(record.faults) - set(self.faults)
        if new != set(reporters):
            raise PeerMisbehaved(subject, "its new faults and its fault reports differ")
        needed = max_faulty(len(self.members)) + 1
        for fault, names in reporters.items():
            if len(names) < needed:
                raise PeerMisbehaved(
                    subject,
                    f"{len(names)} of {needed} reporters name {fault.miner} in round {fault.round}",
                )
