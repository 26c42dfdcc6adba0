"""Contests, what they owe, and the learning chain's blocks."""

from typing import Any

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from coordinator.store.chain_tables import ChainEvent
from coordinator.store.contest_tables import ContestAccount, ContestRow, LearningBlockRow


class Contests:
    """Rows of ``contests``, ``learning_blocks`` and ``contest_accounts``."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def add(self, row: Any) -> None:
        self._session.add(row)

    def get(self, contest_id: int) -> ContestRow | None:
        return self._session.get(ContestRow, contest_id)

    def newest(
        self, before: int | None, limit: int, *, status: str | None = None, poster: str | None = None
    ) -> list[ContestRow]:
        """Contests below number ``before``, newest first."""
        query = select(ContestRow).order_by(ContestRow.contest_id.desc()).limit(limit)
        if before is not None:
            query = query.where(ContestRow.contest_id < before)
        if status is not None:
            query = query.where(ContestRow.status == status)
        if poster is not None:
            query = query.where(ContestRow.poster == poster)
        return list(self._session.scalars(query))

    def unread(self, limit: int) -> list[ContestRow]:
        """Contests whose spec was not read, newest first."""
        query = select(ContestRow).where(ContestRow.spec.is_(None))
        return list(self._session.scalars(query.order_by(ContestRow.contest_id.desc()).limit(limit)))

    def events(self, contest_id: int) -> list[ChainEvent]:
        """The contest's events, oldest first."""
        query = select(ChainEvent).where(ChainEvent.contest_id == contest_id)
        return list(self._session.scalars(query.order_by(ChainEvent.block_number, ChainEvent.log_index)))

    def entered(self, account: str, before: int | None, limit: int) -> list[ContestRow]:
        """Contests that ``account`` posted or entered, newest first."""
        mine = select(ChainEvent.contest_id).where(
            ChainEvent.account == account, ChainEvent.kind.in_(("ContestPosted", "EntryCommitted"))
        )
        query = select(ContestRow).where(ContestRow.contest_id.in_(mine))
        if before is not None:
            query = query.where(ContestRow.contest_id < before)
        return list(self._session.scalars(query.order_by(ContestRow.contest_id.desc()).limit(limit)))

    def money(self, account: str) -> tuple[int, int]:
        """(what contests owe ``account``, what they have paid it)."""
        row = self._session.get(ContestAccount, account)
        return (row.owed, row.collected) if row else (0, 0)

    def set_owed(self, account: str, units: int) -> None:
        """What is owed from this block on; what was paid is added up from the events."""
        query = select(ChainEvent.amount).where(ChainEvent.account == account, ChainEvent.kind == "Collected")
        paid = sum(amount or 0 for amount in self._session.scalars(query))
        self._session.merge(ContestAccount(account=account, owed=units, collected=paid))

    def height(self) -> int:
        """Of the newest block of the learning chain; 0: only its genesis is there."""
        return self._session.scalar(select(func.max(LearningBlockRow.height))) or 0

    def blocks_down(self, upto: int, limit: int) -> list[LearningBlockRow]:
        """Blocks down from height ``upto``."""
        query = select(LearningBlockRow).where(LearningBlockRow.height <= upto)
        return list(self._session.scalars(query.order_by(LearningBlockRow.height.desc()).limit(limit)))

    def block(self, height: int) -> LearningBlockRow | None:
        return self._session.get(LearningBlockRow, height)

    def block_of(self, contest_id: int) -> LearningBlockRow | None:
        """The block that the winner of a contest appended."""
        query = select(LearningBlockRow).where(LearningBlockRow.contest_id == contest_id)
        return self._session.scalar(query.limit(1))

    def touched_above(self, number: int) -> tuple[set[int], set[str]]:
        """(contests, accounts) that events in blocks above ``number`` concern, or whose money they may have
        moved."""
        query = select(ChainEvent.contest_id, ChainEvent.account, ChainEvent.kind)
        rows = self._session.execute(query.where(ChainEvent.block_number > number)).all()
        ids = {contest for contest, _, _ in rows if contest is not None}
        paid = {account for _, account, kind in rows if kind == "Collected" and account}
        return ids, paid.union(*(self._people(row) for row in map(self.get, ids) if row is not None))

    def _people(self, row: ContestRow) -> set[str]:
        state = row.state
        members = (member for panel in state["panels"] for member in panel["members"])
        miners = (entry["miner"] for entry in state["entries"])
        return {row.poster, state["contest"]["challenger"], *miners, *members}

    def rewind(self, last_good: int) -> None:
        """Delete what came from blocks above ``last_good``."""
        for table in (ContestRow, LearningBlockRow):
            self._session.execute(delete(table).where(table.block_number > last_good))
