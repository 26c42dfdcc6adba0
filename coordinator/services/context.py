"""What every use case is given: the store, the blobs, the clock, and the ports to the outside."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from coordinator.services.ledgers import Ledgers
from coordinator.store.unit_of_work import Store
from protocol.blobs import BlobStore
from protocol.ids import Address, TaskId
from protocol.job import ShardJob
from protocol.typed_data import Domain
from worker.training.data import DatasetCache


class CommitteePort(Protocol):
    """The way to a task's committee. ``request`` never waits; a request that is lost is made again."""

    def request(self, task_id: TaskId, members: tuple[Address, ...], seq: int, value: bytes) -> None: ...


class JobPort(Protocol):
    """The way to the miners' queues. Raises ServiceUnreachable when the broker does not take the job, or
    does not answer. ``broker_run`` tells runs of it apart; empty where nobody knows."""

    def send(self, miner: Address, job: ShardJob) -> None: ...

    def broker_run(self) -> str: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """``now_s`` gives Unix seconds; ``listening_since_s`` is when this process began to hear heartbeats;
    ``api_url`` is where miners answer."""

    store: Store
    blobs: BlobStore
    domain: Domain
    committee: CommitteePort
    jobs: JobPort
    ledgers: Ledgers
    datasets: DatasetCache
    now_s: Callable[[], float]
    listening_since_s: float
    api_url: str
