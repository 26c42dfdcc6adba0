"""The feed of news, and counters whose values are in the order of the commits that took them."""

from typing import Any

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from coordinator.domain.leases import next_fence
from coordinator.store.work_tables import Counter, News
from protocol.ids import TaskId

MAX_PAGE = 500


class Feed:
    """What happened, for pages and the event stream; bounded by ``prune``."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self.added: set[str] = set()
        """Kinds of the news in this transaction."""

    def add(self, kind: str, now_s: float, task_id: TaskId | int | None, **data: Any) -> None:
        """Append an entry; ``data`` must be JSON."""
        number = self.next("news", now_s)
        self._session.add(News(id=number, at_s=now_s, kind=kind, task_id=task_id, data=data))
        self.added.add(kind)

    def call(self, kind: str) -> None:
        """Wake those who wait for ``kind`` once this is committed; no entry says so."""
        self.added.add(kind)

    def next(self, name: str, now_s: float) -> int:
        """A number above all earlier ones under ``name``.

        Concurrent transactions wait here for each other, so whoever reads up to a number has seen all
        below it.
        """
        taken = self._session.execute(
            select(Counter.value).where(Counter.name == name).with_for_update()
        ).scalar_one_or_none()
        value = next_fence(taken or 0, now_s)
        if taken is None:
            self._session.add(Counter(name=name, value=value))
            self._session.flush()
        else:
            self._session.execute(update(Counter).where(Counter.name == name).values(value=value))
        return value

    def after(self, last_id: int, limit: int, task_id: TaskId | None = None) -> list[News]:
        """At most ``limit`` entries above ``last_id``, oldest first."""
        query = select(News).where(News.id > last_id).order_by(News.id).limit(min(limit, MAX_PAGE))
        if task_id is not None:
            query = query.where(News.task_id == task_id)
        return list(self._session.scalars(query))

    def newest_id(self) -> int:
        return self._session.scalar(select(News.id).order_by(News.id.desc()).limit(1)) or 0

    def prune(self, keep: int) -> None:
        """Drop all but the ``keep`` newest entries."""
        edge = self._session.scalar(select(News.id).order_by(News.id.desc()).offset(keep).limit(1))
        if edge is not None:
            self._session.execute(delete(News).where(News.id <= edge))
