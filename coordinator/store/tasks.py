"""Tasks, and what their accounts have earned."""

from collections.abc import Mapping

from sqlalchemy import delete, insert, select
from sqlalchemy.orm import Session

from coordinator.domain.lifecycle import FINAL_TASK_STATUSES, TaskEvent, TaskStatus, next_task
from coordinator.store.chain_tables import Task
from coordinator.store.work_tables import CertifiedPayout, TaskAccount
from protocol.ids import Address, TaskId, Wei

MAX_DRIVEN = 2000


def committee_of(task: Task) -> tuple[Address, ...]:
    """The members of the task's committee, ascending, the order of its certificates' bitmaps; none while it
    is not drawn."""
    return tuple(Address(member) for member in task.members or ())


class Tasks:
    """Rows of ``tasks`` and ``task_accounts``."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def get(self, task_id: TaskId | int) -> Task | None:
        return self._session.get(Task, task_id)

    def to_drive(self) -> list[Task]:
        """Tasks that may still need something, and those in any state whose certificates were not all
        adopted; oldest first."""
        done = [status.value for status in FINAL_TASK_STATUSES]
        behind = (Task.certified_round != Task.adopted_round) | Task.certified_tx.is_distinct_from(
            Task.adopted_tx
        )
        query = select(Task).where(Task.status.not_in(done) | behind)
        return list(self._session.scalars(query.order_by(Task.task_id).limit(MAX_DRIVEN)))

    def step(self, task: Task, event: TaskEvent) -> bool:
        """Take the lifecycle step; whether the status changed. Raises IllegalTransition."""
        status = next_task(TaskStatus(task.status), event)
        changed = status.value != task.status
        task.status = status.value
        return changed

    def set_earned(self, task_id: TaskId, payouts: Mapping[Address, Wei]) -> None:
        """Replace the certified cumulative payouts."""
        self._session.execute(delete(TaskAccount).where(TaskAccount.task_id == task_id))
        rows = [{"task_id": task_id, "account": a, "earned": wei} for a, wei in payouts.items()]
        if rows:
            self._session.execute(insert(TaskAccount), rows)

    def keep_payouts(self, task_id: TaskId, number: int, payouts: Mapping[Address, Wei], since: int) -> None:
        """Note the payouts of certificate ``number``; those of certificates below ``since`` are forgotten."""
        own = CertifiedPayout.task_id == task_id
        gone = (CertifiedPayout.number < since) | (CertifiedPayout.number >= number)
        self._session.execute(delete(CertifiedPayout).where(own, gone))
        rows = [
            {"task_id": task_id, "number": number, "account": a, "cumulative": wei}
            for a, wei in payouts.items()
        ]
        if rows:
            self._session.execute(insert(CertifiedPayout), rows)

    def forget_payouts(self, task_id: TaskId) -> None:
        self._session.execute(delete(CertifiedPayout).where(CertifiedPayout.task_id == task_id))

    def payouts_of(self, task_id: TaskId, number: int) -> dict[Address, int]:
        """Cumulative payouts of certificate ``number`` of a task with a challenge window."""
        query = select(CertifiedPayout).where(
            CertifiedPayout.task_id == task_id, CertifiedPayout.number == number
        )
        return {Address(row.account): row.cumulative for row in self._session.scalars(query)}

    def earned(self, task_id: TaskId) -> dict[Address, int]:
        query = select(TaskAccount).where(TaskAccount.task_id == task_id).order_by(TaskAccount.account)
        return {Address(row.account): row.earned for row in self._session.scalars(query)}
