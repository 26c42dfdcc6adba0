"""A round begins on the latest known model."""

from coordinator.domain.actions import OpenRound
from coordinator.domain.lifecycle import RoundStatus
from coordinator.services.context import Context
from coordinator.store.chain_tables import Task
from coordinator.store.unit_of_work import Transaction
from coordinator.store.work_tables import Round
from protocol.ids import TaskId


def open_round(ctx: Context, task_id: TaskId, action: OpenRound) -> None:
    """Open the round unless the state it was decided on has passed."""
    now_s = ctx.now_s()
    with ctx.store.write() as tx:
        task = tx.tasks.get(task_id)
        if task is None or tx.rounds.get(task_id, action.round) is not None:
            return
        parent = _model_before(ctx, tx, task, action.round)
        if parent is None:
            return
        tx.rounds.add(
            Round(
                task_id=task_id,
                number=action.round,
                status=RoundStatus.OPEN.value,
                parent_model=parent,
                opened_s=now_s,
            )
        )
        tx.feed.add("round.opened", now_s, task_id, round=action.round, parent_model=parent.hex())


def _model_before(ctx: Context, tx: Transaction, task: Task, number: int) -> bytes | None:
    if number == task.adopted_round + 1:
        return ctx.ledgers.of(tx, task).model if task.adopted_tx == task.certified_tx else None
    before = tx.rounds.get(task.task_id, number - 1)
    return before.model if before is not None else None
