"""A task's life rebuilt from public data alone: contract events, and the blobs that their hashes name."""

import time
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final

from protocol.blobs import BlobStore
from protocol.chain.canary_events import CanaryEvent
from protocol.chain.contracts import Contracts
from protocol.chain.dispute_events import FaultVoided
from protocol.chain.events import (
    CertificateAccepted,
    CertificatesOverturned,
    Claimed,
    CommitteeDrawn,
    DisputeEnded,
    Event,
    EventReader,
    FaultSlashed,
    SigningFeeClaimed,
    TaskCancelled,
    TaskClosed,
    TaskCreated,
    TaskDisputed,
)
from protocol.contribution import SignedContribution
from protocol.draw import needs_draw
from protocol.errors import Refused, VerificationFailed
from protocol.evidence import Fault
from protocol.ids import Address, RoundNo, TaskId
from protocol.ledger import TaskLedger
from protocol.segment import MAX_RECORD_BYTES, SegmentRecord
from protocol.spec import MAX_SPEC_BYTES, TaskSpec
from protocol.typed_data import Domain

LOGS_LAG_S: Final = 5.0
"""Logs that are not there so long after the state are withheld."""
LOGS_LAG_POLL_S: Final = 0.02


class EventsMissing(VerificationFailed):
    """The events read are not all there are: a certificate does not follow the one before it. The contract
    allows no such gap, so the endpoint left something out; reading again may help."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CertifiedSegment:
    """A certificate on the chain and the record behind it."""

    event: CertificateAccepted
    record: SegmentRecord


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskHistory:
    """Everything public about one task. ``ledger`` is the state after the last certificate that stands,
    ``forgotten`` the number of segments before the first of ``segments``; its members are none until the
    committee is drawn. ``disputed_from`` is the first certificate that a running dispute freezes, ``voided``
    holds the leaf hashes of faults that an appeal found wrong, ``void`` the certificates that fell;
    ``evidence`` is what the miners of certified faults had signed, ``canaries`` what was planted, opened and
    charged."""

    domain: Domain
    created: TaskCreated
    ledger: TaskLedger
    segments: tuple[CertifiedSegment, ...] = ()
    claims: tuple[Claimed, ...] = ()
    fee_claims: tuple[SigningFeeClaimed, ...] = ()
    slashes: tuple[FaultSlashed, ...] = ()
    ended: TaskCancelled | TaskClosed | None = None
    forgotten: int = 0
    disputed_from: int | None = None
    evidence: tuple[SignedContribution, ...] = ()
    overturned: CertificatesOverturned | None = None
    voided: tuple[bytes, ...] = ()
    void: tuple[CertifiedSegment, ...] = ()
    canaries: tuple[CanaryEvent, ...] = ()

    @property
    def certificates(self) -> int:
        """How many certificates stand."""
        return self.forgotten + len(self.segments)

    @property
    def drawn(self) -> bool:
        """Whether the task has its committee."""
        return bool(self.ledger.members)

    @property
    def deadline(self) -> int:
        """Last second, Unix time, at which a certificate is accepted."""
        return self.created.params.deadline

    def signed_by_miner(self, fault: Fault) -> SignedContribution:
        """What the miner of a certified fault had signed. Raises VerificationFailed when no report carried
        it."""
        for signed in self.evidence:
            if Fault.of(signed) == fault:
                return signed
        raise VerificationFailed(
            f"fault of round {fault.round} shard {fault.shard}", "no report carries what its miner signed"
        )

    def trimmed(self, keep: int) -> "TaskHistory":
        """The same state without the records of all but the last ``keep`` segments and without claims: what
        a long-running process holds of a task must not grow with its rounds."""
        drop = max(0, len(self.segments) - keep)
        return replace(
            self,
            segments=self.segments[drop:],
            forgotten=self.forgotten + drop,
            claims=(),
            fee_claims=(),
        )

    def followed_by(self, event: Event, blobs: BlobStore) -> "TaskHistory":
        """The history after one more event of this task. Raises VerificationFailed or BlobMissing when a
        certificate's record does not lead to its roots or is not stored."""
        match event:
            case CommitteeDrawn():
                return replace(self, ledger=replace(self.ledger, members=event.members))
            case CertificateAccepted():
                segment = read_segment(self.ledger, event, self.domain, blobs)
                ledger = advance(self.ledger, segment)
                found = {report.fault: report.contribution for report in segment.record.fault_evidence}
                return replace(
                    self,
                    segments=(*self.segments, segment),
                    ledger=ledger,
                    evidence=(*self.evidence, *found.values()),
                )
            case TaskDisputed():
                return replace(self, disputed_from=event.first)
            case DisputeEnded():
                return replace(self, disputed_from=None)
            case CertificatesOverturned():
                return self._without(event)
            case FaultVoided():
                return replace(self, voided=(*self.voided, event.leaf))
            case Claimed():
                return replace(self, claims=(*self.claims, event))
            case SigningFeeClaimed():
                return replace(self, fee_claims=(*self.fee_claims, event))
            case FaultSlashed():
                return replace(self, slashes=(*self.slashes, event))
            case TaskCancelled() | TaskClosed():
                return replace(self, ended=event)
            case _ if isinstance(event, CanaryEvent):
                return replace(self, canaries=(*self.canaries, event))
            case _:
                return self

    def _without(self, event: CertificatesOverturned) -> "TaskHistory":
        """The history whose certificates from number ``event.first`` on are void. Cumulative payouts and
        faults stand in the last record that stays. Raises EventsMissing when that was not read."""
        kept = event.first - self.forgotten
        if not 0 <= kept <= len(self.segments) or (kept == 0 and event.first):
            raise EventsMissing(
                f"certificates of task {self.ledger.task_id}", f"number {event.first - 1} is not there"
            )
        if kept:
            ledger = advance(self.ledger, self.segments[kept - 1])
        else:
            start = start_of(self.created, self.ledger.spec)
            ledger = replace(start, members=self.ledger.members)
        return replace(
            self,
            segments=self.segments[:kept],
            void=self.segments[kept:],
            ledger=ledger,
            disputed_from=None,
            overturned=event,
        )


def signers_of(members: tuple[Address, ...], bitmap: int) -> tuple[Address, ...]:
    """The members whose bit is set, ascending."""
    return tuple(member for index, member in enumerate(members) if bitmap >> index & 1)


def read_spec(created: TaskCreated, blobs: BlobStore) -> TaskSpec:
    """The spec that a task was created with. Raises BlobMissing, VerificationFailed or InvalidInput."""
    return TaskSpec.parse(blobs.get(created.params.spec_hash, MAX_SPEC_BYTES))


def genesis(contracts: Contracts, blobs: BlobStore, created: TaskCreated) -> TaskHistory:
    """A task at its creation: nothing certified; its committee, unless that is still to be drawn."""
    spec = read_spec(created, blobs)
    snapshot = contracts.committee.members_of(created.epoch)
    members = () if needs_draw(created.params.committee_size, len(snapshot)) else snapshot
    ledger = replace(start_of(created, spec), members=members)
    return TaskHistory(domain=contracts.deployment.domain, created=created, ledger=ledger)


def start_of(created: TaskCreated, spec: TaskSpec) -> TaskLedger:
    """The state before round 1, without members."""
    return TaskLedger(
        task_id=created.task_id,
        spec_hash=created.params.spec_hash,
        spec=spec,
        epoch=created.epoch,
        members=(),
        last_round=RoundNo(0),
        model=created.params.genesis_model,
        payouts={},
    )


def read_segment(
    ledger: TaskLedger, event: CertificateAccepted, domain: Domain, blobs: BlobStore
) -> CertifiedSegment:
    """Fetch the record behind a certificate and recompute every root.

    Raises EventsMissing when the certificate does not follow ``ledger``, VerificationFailed when a root
    differs, BlobMissing when the record is not stored.
    """
    certificate = event.certificate
    if not ledger.members:
        raise EventsMissing(f"certificates of task {ledger.task_id}", "there is one, but no committee")
    if (certificate.first_round, certificate.parent_model) != (ledger.last_round + 1, ledger.model):
        raise EventsMissing(
            f"certificates of task {ledger.task_id}",
            f"round {certificate.first_round} does not follow round {ledger.last_round} and its model",
        )
    record = SegmentRecord.from_blob(blobs.get(certificate.segment, MAX_RECORD_BYTES))
    implied = record.certificate(domain, ledger.epoch).typed_values()
    for name, value in certificate.typed_values().items():
        if implied[name] != value:
            raise VerificationFailed(
                f"certificate of round {certificate.last_round} of task {ledger.task_id}",
                f"its {name} is not what segment record {certificate.segment.hex()} leads to",
            )
    return CertifiedSegment(event=event, record=record)


def advance(ledger: TaskLedger, segment: CertifiedSegment) -> TaskLedger:
    """The certified state after ``segment``."""
    return ledger.certified(segment.record, signers_of(ledger.members, segment.event.signers))


def follow(
    contracts: Contracts,
    blobs: BlobStore,
    events: Iterable[Event],
    history: TaskHistory | None,
    task_id: TaskId,
) -> TaskHistory | None:
    """Fold ``events`` in chain order into the history of ``task_id``; None while it is not created."""
    for event in events:
        if getattr(event, "task_id", None) != task_id:
            continue
        if isinstance(event, TaskCreated):
            history = genesis(contracts, blobs, event)
        elif history is not None:
            history = history.followed_by(event, blobs)
    return history


def read_task(contracts: Contracts, blobs: BlobStore, task_id: TaskId, at_least: int = 0) -> TaskHistory:
    """The whole history of a task up to the latest block, with ``at_least`` rounds certified.

    A node may answer a view from a state whose logs it does not give yet: Anvil while it mines, servers of
    one address that are not equally far. Whoever knows of a round from a view names it, and waits. Raises
    Refused when there is no such task, EventsMissing when the rounds are not told of within LOGS_LAG_S.
    """
    give_up = time.monotonic() + LOGS_LAG_S
    while True:
        latest = contracts.client.block().number
        events = EventReader(contracts).read(contracts.deployment.block, latest)
        history = follow(contracts, blobs, events, None, task_id)
        if history is None:
            raise Refused(
                f"There is no task {task_id} on chain {contracts.deployment.chain_id}.", "TaskUnknown"
            )
        last_round = history.ledger.last_round
        if last_round >= at_least:
            return history
        if time.monotonic() >= give_up:
            raise EventsMissing(
                f"task {task_id}", f"round {at_least} is certified, the events end at round {last_round}"
            )
        time.sleep(LOGS_LAG_POLL_S)
