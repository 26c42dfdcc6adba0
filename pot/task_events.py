"""One task's events: what answers need of a long history.

``protocol.chain.history`` rebuilds and checks all of it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from protocol.chain.contracts import Contracts
from protocol.chain.events import (
    CertificateAccepted,
    CertificatesOverturned,
    CommitteeDrawn,
    Event,
    EventReader,
    FaultSlashed,
    TaskCreated,
)
from protocol.errors import InvalidInput
from protocol.ids import TaskId


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskEvents:
    """All market events of one task, in chain order."""

    task_id: TaskId
    created: TaskCreated
    events: tuple[Event, ...]

    @property
    def certificates(self) -> list[CertificateAccepted]:
        """Every certificate that was accepted."""
        return [event for event in self.events if isinstance(event, CertificateAccepted)]

    @property
    def standing(self) -> list[CertificateAccepted]:
        """The certificates that no appeal overturned."""
        first = next((e.first for e in self.events if isinstance(e, CertificatesOverturned)), None)
        return [event for event in self.certificates if first is None or event.index < first]

    @property
    def drawn(self) -> CommitteeDrawn | None:
        """The draw of the committee, where there was one."""
        return next((event for event in self.events if isinstance(event, CommitteeDrawn)), None)

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
