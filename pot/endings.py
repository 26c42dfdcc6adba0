"""When a task may end, in words: the contract decides, these say why before a transaction is sent."""

import time

from protocol.chain.market import OnchainTask, TaskStatus
from protocol.errors import Refused
from protocol.ids import Address


def require_cancellable(task: OnchainTask, caller: Address, now_s: int) -> None:
    """Raises Refused unless ``caller`` may cancel at Unix second ``now_s``: its own task, not yet begun."""
    _require_running(task)
    if task.poster != caller:
        raise Refused(
            f"Task {task.task_id} was posted by {task.poster}; only that account can cancel it.", "NotPoster"
        )
    if now_s >= task.starts_at:
        raise Refused(
            f"Task {task.task_id} began at {_moment(task.starts_at)}; it can only be cancelled before. "
            f"It can be closed when all rounds are certified, or after {_moment(task.deadline)}.",
            "TaskStarted",
        )


def require_closable(task: OnchainTask, now_s: int) -> None:
    """Raises Refused unless anybody may close the task at ``now_s``: complete, or past its deadline."""
    if task.status is TaskStatus.COMPLETED:
        return
    _require_running(task)
    if now_s <= task.deadline:
        raise Refused(
            f"Task {task.task_id} still runs: round {task.last_round} of {task.rounds} is certified, and its "
            f"deadline is {_moment(task.deadline)}. Follow it with `pot task watch {task.task_id}`.",
            "TaskNotEnded",
        )


def _require_running(task: OnchainTask) -> None:
    if task.status is not TaskStatus.OPEN:
        raise Refused(f"Task {task.task_id} is {task.status.name.lower()} already.", "TaskNotOpen")


def _moment(unix_s: int) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(unix_s))
