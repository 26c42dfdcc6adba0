"""One task's events, and the segment record behind a certificate: what answers need of a long history.

``protocol.chain.history`` rebuilds and checks all of it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from protocol.blobs import BlobStore
from protocol.certificate import RoundCertificate
from protocol.chain.contracts import Contracts
from protocol.chain.events import (
    CertificateAccepted,
    Event,
    EventReader,
    FaultSlashed,
    TaskCreated,
)
from protocol.errors import InvalidInput, VerificationFailed
from protocol.ids import TaskId
from protocol.segment import MAX_RECORD_BYTES, SegmentRecord
from protocol.typed_data import Domain


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskEvents:
    """All market events of one task, in chain order."""

    task_id: TaskId
    created: TaskCreated
    events: tuple[Event, ...]

    @property
    def certificates(self) -> list[CertificateAccepted]:
        return [event for event in self.events if isinstance(event, CertificateAccepted)]

    @property
    def slashes(self) -> list[FaultSlashed]:
        return [event for event in self.events if isinstance(event, FaultSlashed)]


def read_events(contracts: Contracts) -> list[Event]:
    """Every event of the deployment up to the latest block. Raises ServiceUnreachable, Refused."""
    last = contracts.client.block().number
    return EventReader(contracts).read(contracts.deployment.block, last)


def events_of(events: Sequence[Event], task_id: TaskId) -> TaskEvents:
    """The part of ``events`` that belongs to ``task_id``. Raises InvalidInput when there is no such task."""
    own = tuple(event for event in events if getattr(event, "task_id", None) == task_id)
    created = next((event for event in own if isinstance(event, TaskCreated)), None)
    if created is None:
        raise InvalidInput(
            f"There is no task {task_id} on this deployment. `pot task list` shows those there are."
        )
    return TaskEvents(task_id=task_id, created=created, events=own)


def read_record(blobs: BlobStore, certificate: RoundCertificate, domain: Domain) -> SegmentRecord:
    """The segment record behind ``certificate``, believed only because all its roots come out again.

    Raises VerificationFailed when they do not, and what the blob store raises.
    """
    record = SegmentRecord.from_blob(blobs.get(certificate.segment, MAX_RECORD_BYTES))
    if record.certificate(domain, certificate.epoch) != certificate:
        raise VerificationFailed(
            f"segment record {certificate.segment.hex()}",
            f"its roots are not those of the certificate of round {certificate.last_round}",
        )
    return record
