"""Follows the chain for a validator: reads what a new block may hold, and tells those whom it concerns."""

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import Executor
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

from committee.bench import Bench
from committee.canaries import CanaryWatch
from committee.chain_watch import ChainWatch
from committee.contest_bench import ContestBench
from committee.contest_watch import ContestWatch
from committee.court_watch import CourtWatch
from committee.desk import Desk
from committee.directory import Directory
from committee.drawing import DrawDuty, Undrawn
from committee.learning_watch import LearningWatch
from committee.payload_pool import PayloadPool
from committee.roster import Roster
from protocol.chain.heads import HeadBell
from protocol.errors import PotError
from protocol.pauses import Pauses

log = logging.getLogger(__name__)
Read = TypeVar("Read")

COURTS_EVERY_S = 0.5
COURTS_ANYWAY_S = 30.0
"""Courts, contests and the learning chain are read at some block this often, whatever its bloom says."""
DOUBT_EVERY_S = 60.0
"""The agreement may make us read the whole chain again this often."""
READ_AGAIN_S = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Watches:
    """What is read of the chain, by one thread."""

    tasks: ChainWatch
    courts: CourtWatch
    contests: ContestWatch
    learning: LearningWatch


@dataclass(frozen=True, slots=True, kw_only=True)
class Hearers:
    """Who is told what was read."""

    roster: Roster
    canaries: CanaryWatch
    desk: Desk
    bench: Bench
    contests: ContestBench
    pool: PayloadPool
    directory: Directory


class ChainFollower:
    """``run`` until cancelled, between ``start`` and ``stop``. The loop that it runs in owns its state; reads
    go to ``reader``. Without the bell it looks every ``poll_s`` seconds, and more rarely in a quiet time."""

    def __init__(
        self, *, rpc_url: str, poll_s: float, reader: Executor, watches: Watches, hearers: Hearers
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._reader = reader
        self._watches = watches
        self._tell = hearers
        self._news = asyncio.Event()
        self._heads = HeadBell(rpc_url, partial(_ring, self._loop, self._news))
        self._pauses = Pauses(poll_s)
        self._draws = DrawDuty()
        self._undrawn: list[Undrawn] = []
        self._judged = b""
        self._courts_at = 0.0
        self._look_at = 0.0
        self._doubt_at = 0.0

    def start(self) -> None:
        self._heads.start()

    def stop(self) -> None:
        """Blocks until the bell's thread has ended, which is bounded."""
        self._heads.stop()

    def doubt(self, reason: str) -> None:
        """Read the whole chain again, because what others say does not fit; not often."""
        now = self._loop.time()
        if now >= self._doubt_at:
            self._doubt_at = now + DOUBT_EVERY_S
            self._watches.tasks.doubt(reason)

    async def run(self) -> None:
        """Read and tell. What fails is read again later; raises what is no PotError."""
        tasks, head = self._watches.tasks, b""
        while True:
            self._news.clear()
            try:
                await self._follow()
            except PotError as error:
                log.warning("the chain is read again later: %s", error)
                await asyncio.sleep(READ_AGAIN_S)
            news, head = head != tasks.head, tasks.head
            pause_s = self._pauses.after(news=news)
            waits = tasks.waiting or self._undrawn or tasks.head != self._judged
            await self._hear(pause_s if waits else self._heads.pause_s(pause_s))

    async def _follow(self) -> None:
        tasks, tell = self._watches.tasks, self._tell
        histories = await self._read(tasks.poll)
        for history in histories:
            tell.canaries.seen(history)
            tell.roster.seen(history)
        if histories:
            tell.directory.meet(tell.roster.members)
        self._undrawn = tasks.undrawn()
        for task in self._draws.due(self._undrawn, self._loop.time()):
            tell.desk.draw(task)
        if tasks.head != self._judged and self._loop.time() >= self._courts_at:
            self._courts_at, newest = self._loop.time() + COURTS_EVERY_S, tasks.head
            await self._follow_courts()
            self._judged = newest
        await tell.directory.refresh_when_due(tasks.head)

    async def _follow_courts(self) -> None:
        """They change with blocks alone: with any where some are running, else with one that holds news."""
        tasks, courts, contests = self._watches.tasks, self._watches.courts, self._watches.contests
        tell, now = self._tell, self._loop.time()
        if not (tasks.stirs or courts.running or contests.running or now >= self._look_at):
            return
        dockets = await self._read(courts.poll)
        for docket in dockets:
            tell.bench.seen(docket)
        tell.bench.retain(courts.running)
        if dockets:
            tell.directory.meet(tell.bench.members)
        numbers = await self._read(self._watches.learning.poll)
        if numbers is not tell.pool.numbers:
            tell.pool.moved(numbers)
        views = await self._read(contests.poll)
        for view in views:
            tell.contests.seen(view)
        if views:
            tell.directory.meet(tell.contests.members)
        # Not before: what could not be read is read again.
        if numbers is not None:
            tasks.stirs = max(0, tasks.stirs - 1)
        self._look_at = now + COURTS_ANYWAY_S

    async def _read(self, poll: Callable[[], Read]) -> Read:
        return await self._loop.run_in_executor(self._reader, poll)

    async def _hear(self, timeout_s: float) -> None:
        """Until a block is told, at most ``timeout_s``. Not ``wait_for``: it loses a cancellation that comes
        together with the news."""
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                await self._news.wait()


def _ring(loop: asyncio.AbstractEventLoop, news: asyncio.Event) -> None:
    with suppress(RuntimeError):  # the loop has ended, and nobody waits any more
        loop.call_soon_threadsafe(news.set)
