"""Rounds and their lives."""

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from coordinator.domain.lifecycle import RoundEvent, RoundStatus, next_round
from coordinator.store.work_tables import Round
from protocol.ids import TaskId


class Rounds:
    """Rows of ``rounds``; a discarded round is deleted, its number will be used again."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def get(self, task_id: TaskId | int, number: int) -> Round | None:
        return self._session.get(Round, (task_id, number))

    def lock(self, task_id: TaskId | int, number: int) -> Round | None:
        """The round, held until the transaction ends: closing it and filling its shards exclude each
        other.
        """
        query = select(Round).where(Round.task_id == task_id, Round.number == number).with_for_update()
        return self._session.scalar(query)

    def add(self, row: Round) -> Round:
        self._session.add(row)
        return row

    def above(self, task_id: TaskId | int, number: int, limit: int | None = None) -> list[Round]:
        """The rounds above ``number``, ascending."""
        query = select(Round).where(Round.task_id == task_id, Round.number > number).order_by(Round.number)
        return list(self._session.scalars(query if limit is None else query.limit(limit)))

    def between(self, task_id: TaskId | int, first: int, last: int) -> list[Round]:
        query = select(Round).where(Round.task_id == task_id, Round.number >= first, Round.number <= last)
        return list(self._session.scalars(query.order_by(Round.number)))

    def step(self, row: Round, event: RoundEvent) -> None:
        """Take the lifecycle step; a round that is discarded leaves the table. Raises IllegalTransition."""
        status = next_round(RoundStatus(row.status), event)
        row.status = status.value
        if status is RoundStatus.DISCARDED:
            self._session.delete(row)
        elif status is RoundStatus.OPEN:
            row.model, row.closed_s, row.loss_micros = None, None, None
            row.correct, row.total, row.test_loss_micros = None, None, None

    def delete_above(self, task_id: TaskId | int, number: int) -> None:
        self._session.execute(delete(Round).where(Round.task_id == task_id, Round.number > number))

    def unevaluated(self, limit: int) -> list[Round]:
        """Rounds whose model is known but was not evaluated, newest first: people watch the newest."""
        query = select(Round).where(Round.model.is_not(None), Round.total.is_(None))
        return list(self._session.scalars(query.order_by(Round.closed_s.desc()).limit(limit)))
