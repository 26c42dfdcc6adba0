"""When a task may end, in words: the contract decides, these say why before a transaction is sent."""

from pot.amounts import format_moment
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
            f"Task {task.task_id} began at {format_moment(task.starts_at)}; it can only be cancelled before. "
            f"It can be closed when all rounds are certified, or after {format_moment(task.deadline)}.",
            "TaskStarted",
        )


def require_closable(task: OnchainTask, now_s: int) -> None:
    """Raises Refused unless anybody may close the task at ``now_s``: complete, overturned, or past its
    deadline. The window of its last certificate, if it has one, is the contract's to check."""
    if task.status in (TaskStatus.COMPLETED, TaskStatus.OVERTURNED):
        return
    if task.status is TaskStatus.DISPUTED:
        raise Refused(
            f"Certificates of task {task.task_id} are in dispute. It can be closed after the verdict: see "
            f"`pot task show {task.task_id}`.",
            "TaskNotEnded",
        )
    _require_running(task)
    if now_s <= task.deadline:
        raise Refused(
            f"Task {task.task_id} still runs: round {task.last_round} of {task.rounds} is certified, and its "
            f"deadline is {format_moment(task.deadline)}. Follow it with `pot task watch {task.task_id}`.",
            "TaskNotEnded",
        )


def _require_running(task: OnchainTask) -> None:
    if task.status is not TaskStatus.OPEN:
        raise Refused(f"Task {task.task_id} is {task.status.name.lower()} already.", "TaskNotOpen")
