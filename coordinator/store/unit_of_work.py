"""Transactions: everything inside ``write`` happens together or not at all, and is news only once
committed.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.orm import Session

from coordinator.bell import Bell
from coordinator.store.chain_log import ChainLog
from coordinator.store.committee_book import CommitteeBook
from coordinator.store.contests import Contests
from coordinator.store.engine import WRITE
from coordinator.store.feed import Feed
from coordinator.store.miners import Miners
from coordinator.store.rounds import Rounds
from coordinator.store.shards import Shards
from coordinator.store.tasks import Tasks
from protocol.errors import ServiceUnreachable


class Transaction:
    """One transaction's repositories."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.feed = Feed(session)
        self.chain = ChainLog(session)
        self.tasks = Tasks(session)
        self.rounds = Rounds(session)
        self.shards = Shards(session)
        self.committee = CommitteeBook(session)
        self.miners = Miners(session)
        self.contests = Contests(session)


class Store:
    """The database. ``bell`` rings after each commit that added news. Thread-safe."""

    def __init__(self, engine: Engine, bell: Bell) -> None:
        self.bell = bell
        self._engine = engine
        self._reading = engine
        self._writing = engine.execution_options(**{WRITE: True})

    @contextmanager
    def read(self) -> Iterator[Transaction]:
        """A consistent snapshot. Raises ServiceUnreachable when the database does not answer."""
        with self._session(self._reading) as transaction:
            yield transaction

    @contextmanager
    def write(self) -> Iterator[Transaction]:
        """One atomic change. Raises ServiceUnreachable when the database does not answer or stays locked."""
        with self._session(self._writing) as transaction:
            yield transaction
        if transaction.feed.added:
            self.bell.ring(transaction.feed.added)

    @contextmanager
    def _session(self, engine: Engine) -> Iterator[Transaction]:
        try:
            with Session(engine, expire_on_commit=False) as session, session.begin():
                yield Transaction(session)
        except (OperationalError, PoolTimeout) as error:
            detail = str(error.orig) if isinstance(error, DBAPIError) else str(error)
            where = self._engine.url.render_as_string(hide_password=True)
            raise ServiceUnreachable("the database", where, detail.strip()[:200]) from error

    def close(self) -> None:
        self._engine.dispose()
