"""The chain as a validator sees it: the history of each task it is a committee member of, kept up to date."""

import logging
from collections import deque
from dataclasses import dataclass, field

from protocol.blobs import BlobMissing, BlobStore
from protocol.chain.client import BlockRef
from protocol.chain.contracts import Contracts
from protocol.chain.events import Event, EventReader, TaskCreated
from protocol.chain.history import TaskHistory, genesis
from protocol.errors import InvalidInput, VerificationFailed
from protocol.ids import Address, TaskId

log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Feed:
    """Events of one task not folded yet, and what they add up to so far; ``ignored`` says why it is left
    alone."""

    waiting: deque[Event] = field(default_factory=deque)
    history: TaskHistory | None = None
    ignored: str = ""


class ChainWatch:
    """Polls one endpoint. ``poll`` returns the histories that changed; after a reorganisation it starts
    afresh from the deployment, because a history must be of one chain."""

    def __init__(self, contracts: Contracts, blobs: BlobStore, me: Address) -> None:
        self._contracts = contracts
        self._blobs = blobs
        self._me = me
        self._reader = EventReader(contracts)
        self._last: BlockRef | None = None
        self._feeds: dict[TaskId, _Feed] = {}

    @property
    def timestamp_s(self) -> int:
        """The time of the newest block seen, Unix seconds; 0 before the first poll."""
        return self._last.timestamp if self._last is not None else 0

    def poll(self) -> list[TaskHistory]:
        """Read new blocks. Raises ServiceUnreachable, then nothing has changed."""
        latest = self._contracts.client.block()
        last = self._last
        if last is not None and last.hash == latest.hash:
            return self._fold()
        if last is not None and self._contracts.client.block(last.number).hash != last.hash:
            log.warning("the chain was reorganised at or before block %d: reading it again", last.number)
            self._feeds.clear()
            last = None
        first = self._contracts.deployment.block if last is None else last.number + 1
        for event in self._reader.read(first, latest.number):
            task_id = getattr(event, "task_id", None)
            if task_id is not None:
                self._feeds.setdefault(task_id, _Feed()).waiting.append(event)
        self._last = latest
        return self._fold()

    def _fold(self) -> list[TaskHistory]:
        changed = []
        for task_id, feed in self._feeds.items():
            if feed.waiting and not feed.ignored and self._fold_one(task_id, feed):
                assert feed.history is not None
                changed.append(feed.history)
        return changed

    def _fold_one(self, task_id: TaskId, feed: _Feed) -> bool:
        """Fold what can be folded; an event whose blob is missing waits, in order, for the next poll."""
        moved = False
        while feed.waiting and not feed.ignored:
            event = feed.waiting[0]
            try:
                if isinstance(event, TaskCreated):
                    self._start(feed, event)
                elif feed.history is not None:
                    feed.history = feed.history.followed_by(event, self._blobs)
            except BlobMissing as error:
                log.info("task %s waits: %s", task_id, error)
                break
            except (InvalidInput, VerificationFailed) as error:
                feed.ignored = str(error)
                log.warning("task %s is left alone: %s", task_id, error)
                break
            feed.waiting.popleft()
            moved = feed.history is not None
        return moved

    def _start(self, feed: _Feed, created: TaskCreated) -> None:
        history = genesis(self._contracts, self._blobs, created)
        self._contracts.market.task(created.task_id).agrees_with(history.ledger.spec)
        if self._me not in history.ledger.members:
            feed.ignored = "this validator is not on its committee"
        else:
            feed.history = history
