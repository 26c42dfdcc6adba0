"""One reader of the feed for all event streams: clients share its memory, and each lags at its own pace."""

import asyncio
import threading
from collections import deque
from dataclasses import dataclass
from typing import Any, Final

import structlog

from coordinator.store.unit_of_work import Store
from coordinator.store.work_tables import News
from protocol.errors import ServiceUnreachable
from protocol.pauses import Pauses

KEPT: Final = 2_000
PAGE: Final = 200
POLL_S: Final = 0.2
JOIN_TIMEOUT_S: Final = 5.0
log = structlog.get_logger("coordinator.feed")


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One entry of the feed, ready to be told."""

    id: int
    at_s: float
    kind: str
    task_id: int | None
    data: dict[str, Any]


class FeedHub:
    """Keeps the newest ``kept`` entries in memory; whoever is further behind reads pages from the database.
    Nothing is queued per client, so a slow one costs nothing.
    """

    def __init__(self, store: Store, kept: int = KEPT, poll_s: float = POLL_S) -> None:
        """``poll_s`` is how often to look without being told: for news of other processes."""
        self._store = store
        self._poll_s = poll_s
        self._entries: deque[Entry] = deque(maxlen=kept)
        self._complete_after = 0  # every entry above this id that exists is in memory
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._arrived = asyncio.Event()
        self.newest_id = 0

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Begin at the present end of the feed. Raises ServiceUnreachable."""
        with self._store.read() as tx:
            self.newest_id = self._complete_after = tx.feed.newest_id()
        self._loop = loop
        self._thread = threading.Thread(target=self._follow, name="feed", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the reader and every stream."""
        self._stopping.set()
        self._store.bell.ring()
        if self._thread is not None:
            self._thread.join(JOIN_TIMEOUT_S)

    @property
    def stopping(self) -> bool:
        return self._stopping.is_set()

    def after(self, last_id: int) -> list[Entry]:
        """At most PAGE entries above ``last_id``, oldest first. Raises ServiceUnreachable."""
        with self._lock:
            if last_id >= self._complete_after:
                return [entry for entry in self._entries if entry.id > last_id][:PAGE]
        with self._store.read() as tx:
            return [_entry(row) for row in tx.feed.after(last_id, PAGE)]

    async def wait(self, seen_id: int, timeout_s: float) -> None:
        """Until there is something above ``seen_id``, at most ``timeout_s``."""
        if self.newest_id > seen_id:
            return
        arrived = self._arrived
        try:
            async with asyncio.timeout(timeout_s):
                await arrived.wait()
        except TimeoutError:
            return

    def _follow(self) -> None:
        heard, pauses = 0, Pauses(self._poll_s)
        while not self._stopping.is_set():
            heard, before = self._store.bell.rings, self.newest_id
            try:
                while self._take_page():
                    pass
            except ServiceUnreachable as error:
                log.warning("feed not read", why=str(error))
                self._stopping.wait(1.0)
            self._store.bell.wait(heard, pauses.after(news=self.newest_id != before))
        self._wake()

    def _take_page(self) -> bool:
        with self._store.read() as tx:
            rows = tx.feed.after(self.newest_id, PAGE)
        if not rows:
            return False
        with self._lock:
            for row in rows:
                if len(self._entries) == self._entries.maxlen:
                    self._complete_after = self._entries[0].id
                self._entries.append(_entry(row))
        self.newest_id = rows[-1].id
        for row in rows:
            _log(row)
        self._wake()
        return len(rows) == PAGE

    def _wake(self) -> None:
        loop = self._loop
        if loop is not None and not loop.is_closed():
            loop.call_soon_threadsafe(self._announce)

    def _announce(self) -> None:
        arrived, self._arrived = self._arrived, asyncio.Event()
        arrived.set()


_ACCOUNT_FIELDS: Final = ("account", "miner", "poster", "reporter", "member")


def _log(row: News) -> None:
    """The feed is the log: each entry one line that says which task, round, account and transaction it is
    about, as far as it is about one."""
    about = {
        "task": row.task_id,
        "round": row.data.get("round", row.data.get("last_round")),
        "shard": row.data.get("shard"),
        "account": next((row.data[name] for name in _ACCOUNT_FIELDS if row.data.get(name)), None),
        "tx": row.data.get("tx_hash"),
        "event": row.data.get("event"),
    }
    event = about.pop("event") or row.kind
    log.info(event, news=row.id, **{name: value for name, value in about.items() if value is not None})


def _entry(row: News) -> Entry:
    return Entry(id=row.id, at_s=row.at_s, kind=row.kind, task_id=row.task_id, data=row.data)
