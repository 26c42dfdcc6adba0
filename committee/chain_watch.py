"""The chain as a validator sees it: the history of each task it is a committee member of, kept up to date,
and the tasks whose committee is still to be drawn."""

import logging
from collections import OrderedDict, deque
from dataclasses import dataclass, field

from committee.drawing import Undrawn
from protocol.blobs import BlobCorrupt, BlobMissing, BlobStore, BlobTooLarge
from protocol.chain.client import BlockRef
from protocol.chain.contracts import Contracts
from protocol.chain.draws import draw_block
from protocol.chain.events import Event, EventReader, TaskCreated
from protocol.chain.history import EventsMissing, TaskHistory, genesis
from protocol.errors import InvalidInput, Refused, ServiceUnreachable, VerificationFailed
from protocol.ids import Address, TaskId, sha256
from protocol.spec import TaskSpec
from worker.training.checkpoint import initial_checkpoint

log = logging.getLogger(__name__)

KEPT_SEGMENTS = 64
"""Certified segments of a task that stay in memory."""
KNOWN_BLOCKS = 256
"""Blocks that are remembered, to tell a reorganised chain from an endpoint that lags behind."""
MAX_WAIT_POLLS = 100
"""Longest pause, in polls, before a task whose data is not there is tried again; and the shortest between two
readings of the whole chain because of a doubt."""

STIRS = 2
"""Looks after a block that may hold something of ours: the first may meet a server that lags behind."""

_LATER = (BlobMissing, BlobCorrupt, BlobTooLarge, ServiceUnreachable, Refused)
"""What says nothing about the task: a store or an endpoint that does not deliver yet."""


@dataclass(slots=True)
class _Feed:
    """Events of one task not folded yet, and what they add up to so far. ``ignored`` says why it is left
    alone, ``fresh`` that its history was not handed out yet, ``retry_at`` the poll of the next try. While its
    committee is to be drawn, ``draw_block`` is the block that decides, ``turn`` who draws before this
    validator."""

    waiting: deque[Event] = field(default_factory=deque)
    history: TaskHistory | None = None
    ignored: str = ""
    fresh: bool = False
    tries: int = 0
    retry_at: int = 0
    draw_block: int = 0
    turn: int = 0

    def postpone(self, now: int) -> None:
        self.retry_at = now + min(1 << min(self.tries, 30), MAX_WAIT_POLLS)
        self.tries += 1

    def ignore(self, reason: str) -> None:
        self.ignored = reason
        self.waiting.clear()


class ChainWatch:
    """Polls one endpoint. ``poll`` returns the histories that changed, trimmed; after a reorganisation it
    starts afresh from the deployment, because a history must be of one chain."""

    def __init__(self, contracts: Contracts, blobs: BlobStore, me: Address) -> None:
        self._contracts = contracts
        self._blobs = blobs
        self._me = me
        self._reader = EventReader(contracts)
        self._last: BlockRef | None = None
        self._known: OrderedDict[int, bytes] = OrderedDict()  # number -> hash of blocks seen as the head
        self._feeds: dict[TaskId, _Feed] = {}
        self.stirs = STIRS
        """Looks left at what changes with such blocks only; whoever takes them counts down."""
        self._polls = 0
        self._doubted = ""
        self._reread_at = 0

    @property
    def timestamp_s(self) -> int:
        """The time of the newest block seen, Unix seconds; 0 before the first poll."""
        return self._last.timestamp if self._last is not None else 0

    @property
    def head(self) -> bytes:
        """The hash of the newest block seen; empty before the first poll."""
        return self._last.hash if self._last is not None else b""

    @property
    def waiting(self) -> bool:
        """Whether something is to be tried again though no block has come."""
        return bool(self._doubted) or any(feed.waiting for feed in self._feeds.values())

    def undrawn(self) -> list[Undrawn]:
        """Tasks whose committee, of which this validator may become a member, can be drawn now."""
        last = self._last
        if last is None:
            return []
        return [
            Undrawn(task_id=task_id, turn=feed.turn)
            for task_id, feed in self._feeds.items()
            if _waits_for_draw(feed, last)
        ]

    def doubt(self, reason: str) -> None:
        """Something speaks against what was read so far: a poll before long reads everything again."""
        self._doubted = reason

    def poll(self) -> list[TaskHistory]:
        """Read new blocks; the histories that changed and were not handed out yet. Raises ServiceUnreachable
        or Refused when the chain does not answer; nothing is lost then."""
        self._polls += 1
        latest = self._contracts.client.block()
        doubted = bool(self._doubted) and self._polls >= self._reread_at
        if doubted or self._was_reorganised(latest):
            log.warning("reading the chain again: %s", self._doubted or "it was reorganised")
            self._last, self._doubted, self._reread_at = None, "", self._polls + MAX_WAIT_POLLS
            self._known.clear()
            self._feeds.clear()
        if self._last is None or latest.number > self._last.number:
            self._read(latest)
        return self._fold()

    def _was_reorganised(self, latest: BlockRef) -> bool:
        """Whether the newest block known at or below ``latest`` is no longer on the chain. An endpoint that
        merely lags behind still knows that one."""
        if self._last is None or self._last.hash == latest.hash or latest.follows(self._last):
            return False
        below = [number for number in self._known if number <= latest.number]
        if not below:
            return True
        number = max(below)
        found = latest if number == latest.number else self._contracts.client.block(number)
        return found.hash != self._known[number]

    def _read(self, latest: BlockRef) -> None:
        ours = self._contracts.deployment.all_addresses
        if self._last is not None and latest.follows(self._last) and not latest.may_concern(ours):
            self._advance(latest)
            return
        first = self._contracts.deployment.block if self._last is None else self._last.number + 1
        events = self._reader.read(first, latest.number)
        if self._contracts.client.block(latest.number).hash != latest.hash:
            return  # reorganised while it was read: the events may be of either chain
        for event in events:
            task_id = getattr(event, "task_id", None)
            if task_id is not None:
                feed = self._feeds.setdefault(task_id, _Feed())
                if not feed.ignored:
                    feed.waiting.append(event)
        self.stirs = STIRS
        self._advance(latest)

    def _advance(self, latest: BlockRef) -> None:
        self._last = latest
        self._known[latest.number] = latest.hash
        if len(self._known) > KNOWN_BLOCKS:
            self._known.popitem(last=False)

    def _fold(self) -> list[TaskHistory]:
        for task_id, feed in self._feeds.items():
            if feed.waiting and feed.retry_at <= self._polls:
                self._fold_one(task_id, feed)
        changed = []
        for feed in self._feeds.values():
            if feed.fresh and feed.history is not None:
                feed.fresh = False
                changed.append(feed.history)
        return changed

    def _fold_one(self, task_id: TaskId, feed: _Feed) -> None:
        """Fold what can be folded; an event whose data is not there waits, in order, for a later poll."""
        while feed.waiting:
            event = feed.waiting[0]
            try:
                if isinstance(event, TaskCreated):
                    self._start(feed, event)
                elif feed.history is not None:
                    feed.history = feed.history.followed_by(event, self._blobs).trimmed(KEPT_SEGMENTS)
                    self._ignore_unless_member(feed, feed.history)
            except _LATER as error:
                log.info("task %s waits: %s", task_id, error)
                feed.postpone(self._polls)
                return
            except EventsMissing as error:
                feed.postpone(self._polls)
                self.doubt(str(error))
                return
            except (InvalidInput, VerificationFailed) as error:
                log.warning("task %s is left alone: %s", task_id, error)
                feed.ignore(str(error))
                return
            if feed.ignored:
                return
            feed.tries = 0
            feed.waiting.popleft()
            feed.fresh = feed.history is not None and feed.history.drawn

    def _start(self, feed: _Feed, created: TaskCreated) -> None:
        history = genesis(self._contracts, self._blobs, created)
        spec = history.ledger.spec
        snapshot = self._contracts.committee.members_of(created.epoch)
        if self._me not in snapshot:
            feed.ignore("this validator is not in its snapshot")
            return
        self._ignore_unless_member(feed, history)
        if feed.ignored:
            return
        self._contracts.market.task(created.task_id).agrees_with(spec)
        _require_committee_size(created, spec)
        if sha256(initial_checkpoint(spec)) != created.params.genesis_model:
            raise VerificationFailed(
                f"genesis model {created.params.genesis_model.hex()}", "it is not the one the spec determines"
            )
        if not history.drawn:
            feed.draw_block = draw_block(self._contracts, created)
            feed.turn = (snapshot.index(self._me) - created.task_id) % len(snapshot)
        feed.history = history

    def _ignore_unless_member(self, feed: _Feed, history: TaskHistory) -> None:
        if history.drawn and self._me not in history.ledger.members:
            feed.ignore("this validator is not on its committee")


def _waits_for_draw(feed: _Feed, last: BlockRef) -> bool:
    history = feed.history
    if feed.ignored or history is None or history.drawn or history.ended is not None:
        return False
    return last.number > feed.draw_block and last.timestamp <= history.deadline


def _require_committee_size(created: TaskCreated, spec: TaskSpec) -> None:
    here, there = created.params.committee_size, spec.verification.committee_size
    if here != there:
        raise InvalidInput(
            f"Task {created.task_id}: committee_size is {here} on the chain but {there} in the spec."
        )
