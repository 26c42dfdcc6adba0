"""A task gets ready: its spec is read and compared with the chain, then time moves it through its life."""

from coordinator.domain.lifecycle import TaskEvent, TaskStatus
from coordinator.services.context import Context
from coordinator.store.chain_tables import Task
from coordinator.store.unit_of_work import Transaction
from protocol.blobs import BlobCorrupt, BlobMissing
from protocol.errors import InvalidInput, PotError, ServiceUnreachable, VerificationFailed
from protocol.ids import Sha256, TaskId, sha256
from protocol.spec import MAX_SPEC_BYTES, TaskSpec
from worker.training.checkpoint import initial_checkpoint

UNDRAWN = "Its committee is still to be drawn; any validator does that, two blocks after the task's own."
_LIVE = (TaskStatus.WAITING, TaskStatus.RUNNING, TaskStatus.UNUSABLE)


def prepare_task(ctx: Context, task_id: TaskId) -> None:
    """Take the steps that the spec blob and the time allow. Raises ServiceUnreachable."""
    with ctx.store.read() as tx:
        task = tx.tasks.get(task_id)
        if task is None or task.status not in _LIVE:
            return
        now_s = chain_time_s(ctx, tx)
    if task.spec is None and task.status == TaskStatus.WAITING:
        _read_spec(ctx, task)
    with ctx.store.read() as tx:
        fresh = tx.tasks.get(task_id)
        event = _due(fresh, now_s) if fresh is not None else None
    if fresh is not None and event is None and fresh.status == TaskStatus.WAITING:
        _say_undrawn(ctx, fresh)
    if event is not None:
        _step(ctx, task_id, event, "")


def chain_time_s(ctx: Context, tx: Transaction) -> float:
    """Unix seconds by our clock, or by the newest block where that is ahead."""
    cursor = tx.chain.cursor()
    return max(ctx.now_s(), float(cursor.timestamp) if cursor is not None else 0.0)


def _due(task: Task, now_s: float) -> TaskEvent | None:
    if now_s > task.deadline:
        return TaskEvent.DEADLINE_PASSED
    ready = task.spec is not None and task.members is not None
    if task.status == TaskStatus.WAITING and ready and now_s >= task.starts_at:
        return TaskEvent.STARTED
    return None


def _say_undrawn(ctx: Context, task: Task) -> None:
    if task.spec is not None and task.members is None:
        _note(ctx, TaskId(task.task_id), UNDRAWN, None)


def _read_spec(ctx: Context, task: Task) -> None:
    task_id = TaskId(task.task_id)
    try:
        spec = TaskSpec.parse(ctx.blobs.get(Sha256(task.spec_hash), MAX_SPEC_BYTES))
        _require_agreement(spec, task)
        checkpoint = initial_checkpoint(spec)
        if sha256(checkpoint) != task.genesis_model:
            raise InvalidInput("The genesis model on the chain is not the one the spec leads to.")
    except (BlobMissing, BlobCorrupt) as error:
        _note(ctx, task_id, f"waiting for the spec: {error}", None)
        return
    except ServiceUnreachable:
        raise
    except (InvalidInput, VerificationFailed) as error:
        _step(ctx, task_id, TaskEvent.SPEC_REFUSED, str(error))
        return
    ctx.blobs.put(checkpoint)
    _note(ctx, task_id, "", spec)


def _require_agreement(spec: TaskSpec, task: Task) -> None:
    money = spec.money
    for name, here, there in (
        ("rounds", task.rounds, spec.recipe.rounds),
        ("shards", task.shards, spec.recipe.shards),
        ("reward_per_shard", task.reward_per_shard, money.reward_per_shard_wei),
        ("fee_per_round", task.fee_per_round, money.fee_per_round_wei),
        ("miner_stake", task.miner_stake, money.miner_stake_wei),
        ("slash_per_fault", task.slash_per_fault, money.slash_per_fault_wei),
        ("challenge_window", task.challenge_window, spec.limits.challenge_window_s),
        ("committee_size", task.committee_size, spec.verification.committee_size),
    ):
        if here != there:
            raise InvalidInput(f"{name} is {here} on the chain but {there} in the spec.")


def _note(ctx: Context, task_id: TaskId, note: str, spec: TaskSpec | None) -> None:
    with ctx.store.write() as tx:
        task = tx.tasks.get(task_id)
        if task is None or (task.note == note and spec is None):
            return
        task.note = note[:1000]
        if spec is not None and task.spec_hash == spec.hash:
            task.spec = spec.to_value()
        tx.feed.add("task.note", ctx.now_s(), task_id, note=note[:1000])


def note_trouble(ctx: Context, task_id: TaskId, error: PotError) -> None:
    """Say on the task's page why it does not move."""
    _note(ctx, task_id, str(error), None)


def clear_trouble(ctx: Context, task_id: TaskId) -> None:
    """The task moves again; the note of one that does not run is its reason, and stays."""
    with ctx.store.read() as tx:
        task = tx.tasks.get(task_id)
        moves = task is not None and task.status == TaskStatus.RUNNING
    if moves:
        _note(ctx, task_id, "", None)


def _step(ctx: Context, task_id: TaskId, event: TaskEvent, note: str) -> None:
    with ctx.store.write() as tx:
        task = tx.tasks.get(task_id)
        if task is None or task.status not in _LIVE:
            return
        task.note = note[:1000]
        if tx.tasks.step(task, event):
            if task.status != TaskStatus.RUNNING:
                tx.shards.drop_leases(task_id, 1)
            tx.feed.add("task.status", ctx.now_s(), task_id, status=task.status, note=task.note)
