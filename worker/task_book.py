"""What a task's chain entry and spec say, read once per task, so that a job is believed in nothing."""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol

from protocol.blobs import BlobStore
from protocol.chain.contracts import Contracts
from protocol.chain.market import OnchainTask, TaskStatus
from protocol.ids import Sha256, TaskId
from protocol.spec import MAX_SPEC_BYTES, TaskSpec
from worker.errors import JobRefused

MAX_TASKS: Final = 64
STATUS_TTL_S: Final = 5.0


class ChainReader(Protocol):
    """The chain, as a miner needs it. Both raise ServiceUnreachable and Refused."""

    def task(self, task_id: TaskId) -> OnchainTask: ...
    def block_time_s(self) -> int: ...


class ContractsReader:
    """A ChainReader over the deployed contracts."""

    def __init__(self, contracts: Contracts) -> None:
        self._contracts = contracts

    def task(self, task_id: TaskId) -> OnchainTask:
        return self._contracts.market.task(task_id)

    def block_time_s(self) -> int:
        return self._contracts.client.block("latest").timestamp


@dataclass(slots=True)
class _Entry:
    task: OnchainTask
    block_time_s: int
    read_at_s: float
    spec: TaskSpec | None = None


class TaskBook:
    """Specs of open tasks. ``now_s`` gives Unix seconds; a chain entry older than STATUS_TTL_S is read
    again."""

    def __init__(self, reader: ChainReader, blobs: BlobStore, now_s: Callable[[], float]) -> None:
        self._reader = reader
        self._blobs = blobs
        self._now_s = now_s
        self._entries: OrderedDict[TaskId, _Entry] = OrderedDict()

    def spec_of(self, task_id: TaskId, spec_hash: Sha256) -> TaskSpec:
        """The spec that the chain holds for an open, started task.

        Raises JobRefused when the chain names another spec, the task is not open, has not started or is over;
        InvalidInput for a spec that cannot be used or whose terms are not the chain's; and what the chain and
        the blob store raise.
        """
        entry = self._entry(task_id)
        # A quiet chain's newest block can be old, and a test chain's clock can be ahead of ours.
        _require_workable(entry.task, spec_hash, max(self._now_s(), entry.block_time_s))
        if entry.spec is None:
            spec = TaskSpec.parse(self._blobs.get(spec_hash, MAX_SPEC_BYTES))
            entry.task.agrees_with(spec)
            entry.spec = spec
        return entry.spec

    def _entry(self, task_id: TaskId) -> _Entry:
        entry, now = self._entries.get(task_id), self._now_s()
        if entry is None or not 0 <= now - entry.read_at_s < STATUS_TTL_S:
            task = self._reader.task(task_id)
            # A spec never changes, but after a reorg the same id may be another task.
            spec = entry.spec if entry is not None and entry.task.spec_hash == task.spec_hash else None
            entry = _Entry(task, self._reader.block_time_s(), now, spec)
            self._entries[task_id] = entry
        self._entries.move_to_end(task_id)
        while len(self._entries) > MAX_TASKS:
            self._entries.popitem(last=False)
        return entry


def _require_workable(task: OnchainTask, spec_hash: Sha256, now_s: float) -> None:
    # A dispute stops payouts and not the work.
    if task.status not in (TaskStatus.OPEN, TaskStatus.DISPUTED):
        raise JobRefused(
            "not-open", f"Task {task.task_id} is {task.status.name}: nobody would pay for work on it."
        )
    if task.spec_hash != spec_hash:
        raise JobRefused(
            "foreign-spec",
            f"The job names spec {spec_hash.hex()}, task {task.task_id} has {task.spec_hash.hex()}.",
        )
    if now_s < task.starts_at:
        raise JobRefused(
            "not-started",
            f"Task {task.task_id} starts at {task.starts_at}, it is {int(now_s)}: it may yet be cancelled.",
        )
    if now_s > task.deadline:
        raise JobRefused("over", f"The deadline {task.deadline} of task {task.task_id} has passed.")
