"""One task, as far as it will go: decide, do, and decide again."""

from typing import Final, assert_never

from coordinator.blob_cache import BlobCache
from coordinator.domain.actions import (
    Action,
    AssignShard,
    CloseRound,
    OpenRound,
    ProposeSegment,
    ReassignExpired,
    ResendSegment,
    RollBack,
)
from coordinator.domain.decide import decide
from coordinator.domain.lifecycle import TaskStatus
from coordinator.domain.view import TaskView
from coordinator.services.adopt_certificates import adopt_certificates, is_adopted
from coordinator.services.close_round import close_round
from coordinator.services.context import Context
from coordinator.services.lease_shards import lease_shards
from coordinator.services.load_view import load_view
from coordinator.services.open_round import open_round
from coordinator.services.prepare_task import chain_time_s, prepare_task
from coordinator.services.propose_segment import propose_segment, resend_segment
from coordinator.services.roll_back import roll_back
from coordinator.store.chain_tables import Task
from coordinator.store.unit_of_work import Transaction
from protocol.ids import TaskId

MAX_STEPS: Final = 16


def drive_task(ctx: Context, task_id: TaskId) -> bool:
    """Take the task forward; False when there is more to do at once.

    Raises ServiceUnreachable, BlobMissing, VerificationFailed or Diverged when it cannot go on at present.
    """
    prepared = False
    for _ in range(MAX_STEPS):
        now_s = ctx.now_s()
        with ctx.store.read() as tx:
            task = tx.tasks.get(task_id)
            if task is None:
                return True
            view = load_view(ctx, tx, task, now_s) if _runs(ctx, tx, task) else None
        if view is None:
            if prepared:
                return task.status != TaskStatus.RUNNING or is_adopted(task)
            if not adopt_certificates(ctx, task_id):
                return False
            prepare_task(ctx, task_id)
            prepared = True
            continue
        actions = decide(view, now_s)
        if not actions:
            return True
        _perform(ctx, view, actions)
        if all(isinstance(action, AssignShard | ReassignExpired) for action in actions):
            return True  # whoever has work is waited for
    return False


def _runs(ctx: Context, tx: Transaction, task: Task) -> bool:
    """There is nothing to prepare: it runs, on what was certified last."""
    return task.status == TaskStatus.RUNNING and is_adopted(task) and chain_time_s(ctx, tx) <= task.deadline


def _perform(ctx: Context, view: TaskView, actions: list[Action]) -> None:
    if isinstance(ctx.blobs, BlobCache) and any(
        isinstance(a, ResendSegment | ReassignExpired) for a in actions
    ):
        # No answer: perhaps because the store has lost what miners or validators need.
        ctx.blobs.restore()
    leases = [a for a in actions if isinstance(a, AssignShard | ReassignExpired)]
    if leases:
        lease_shards(ctx, view.task_id, view.plan, leases)
    for action in actions:
        match action:
            case AssignShard() | ReassignExpired():
                pass  # granted together above: one transaction for a round's leases
            case OpenRound():
                open_round(ctx, view.task_id, action)
            case CloseRound():
                close_round(ctx, view.task_id, action)
            case ProposeSegment():
                propose_segment(ctx, view.task_id, action)
            case ResendSegment():
                resend_segment(ctx, view.task_id, action)
            case RollBack():
                roll_back(ctx, view.task_id, action)
            case _:
                assert_never(action)
