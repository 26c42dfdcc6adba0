"""The contests of a network as one endpoint tells them, read from the contracts at one block each time, so
that nothing has to be taken back when the chain is reorganised."""

import logging

from protocol.chain.contest import ContestStatus
from protocol.chain.contest_log import ContestView, Released, read_contest, release_of
from protocol.chain.contracts import Contracts

log = logging.getLogger(__name__)

MAX_CONTESTS = 256
"""Unfinished contests that are followed; each one costs somebody an escrow, and the oldest come first."""
SETTLED_AFTER_BLOCKS = 64
"""A contest that has been closed for so many blocks is not asked for again."""


class ContestWatch:
    """Polls one endpoint for every contest that is not closed."""

    def __init__(self, contracts: Contracts) -> None:
        self._contracts = contracts
        self._seen: bytes | None = None
        self._known = 0
        self._running: list[int] = []
        self._closed_at: dict[int, int] = {}

    @property
    def running(self) -> frozenset[int]:
        """The contests that are followed."""
        return frozenset(self._running)

    def poll(self) -> list[ContestView]:
        """The contests as they are, when there is a new block; once more when they have closed. Raises
        ServiceUnreachable or Refused when the chain does not answer; nothing is lost then."""
        latest = self._contracts.client.block()
        if latest.hash == self._seen:
            return []
        count = self._contracts.contest.count(latest.number)
        self._forget_beyond(count)
        for number in range(self._known + 1, count + 1):
            if len(self._running) >= MAX_CONTESTS:
                log.warning("contest %s is not followed yet, %s others are", number, MAX_CONTESTS)
                break
            self._running.append(number)
            self._known = number
        views = [self._read(number) for number in self._running]
        for view in views:
            self._retire(view)
        self._seen = latest.hash
        return views

    def _forget_beyond(self, count: int) -> None:
        """A chain that went back gives their numbers to other contests."""
        self._known = min(self._known, count)
        self._running = [number for number in self._running if number <= count]
        self._closed_at = {number: at for number, at in self._closed_at.items() if number <= count}

    def _read(self, contest_id: int) -> ContestView:
        view = read_contest(self._contracts, contest_id, None)
        if view.state.status not in (ContestStatus.RELEASED, ContestStatus.CHALLENGED):
            return view
        released = self._release(contest_id)
        return read_contest(self._contracts, contest_id, released)

    def _release(self, contest_id: int) -> Released | None:
        return release_of(self._contracts, contest_id)

    def _retire(self, view: ContestView) -> None:
        if not view.over:
            self._closed_at.pop(view.contest_id, None)
        elif view.block - self._closed_at.setdefault(view.contest_id, view.block) >= SETTLED_AFTER_BLOCKS:
            self._running.remove(view.contest_id)
            del self._closed_at[view.contest_id]
