"""The disputes of a network as one endpoint tells them: found by their events, read by views."""

import logging
from collections import OrderedDict

from protocol.chain.contracts import Contracts
from protocol.chain.docket import Docket, read_docket
from protocol.errors import Refused
from protocol.ids import TaskId

log = logging.getLogger(__name__)

REREAD_BLOCKS = 64
"""Newest blocks that are searched again each time: a reorganised chain may have put a dispute there."""
MAX_DISPUTES = 1024
"""Unfinished disputes that are followed. Each one costs somebody a bond; the oldest ones come first."""

Key = tuple[TaskId, int]


class CourtWatch:
    """Polls one endpoint. What it tells is read from the contracts at one block, so that nothing has to be
    taken back when the chain is reorganised."""

    def __init__(self, contracts: Contracts) -> None:
        self._contracts = contracts
        self._opened_topic, self._decode = contracts.appeals.event("DisputeOpened")
        self._next_block = contracts.deployment.block
        self._seen: bytes | None = None
        self._running: OrderedDict[Key, Docket | None] = OrderedDict()
        self._finished: dict[Key, int] = {}  # with the block in which each was opened

    @property
    def running(self) -> frozenset[Key]:
        """The disputes that are followed; one that a reorganisation undid is no longer among them."""
        return frozenset(self._running)

    def poll(self) -> list[Docket]:
        """The disputes that may have changed since the last poll; also, once, those that are finished.
        Raises ServiceUnreachable or Refused when the chain does not answer; nothing is lost then."""
        latest = self._contracts.client.block()
        if latest.hash == self._seen:
            return []
        self._search(latest.number)
        found = [docket for key in list(self._running) if (docket := self._read(key)) is not None]
        self._seen = latest.hash
        return found

    def _search(self, last: int) -> None:
        first = max(self._contracts.deployment.block, self._next_block - REREAD_BLOCKS)
        self._finished = {key: block for key, block in self._finished.items() if block >= first}
        for log_ in self._contracts.client.logs([self._contracts.deployment.appeals], first, last):
            if bytes(log_["topics"][0]) != self._opened_topic:
                continue
            args = self._decode(log_)
            key = (TaskId(args["taskId"]), int(args["dispute"]))
            if key in self._finished:
                continue
            if key not in self._running and len(self._running) >= MAX_DISPUTES:
                log.warning("task %s: dispute %s is not followed, %s others are", *key, MAX_DISPUTES)
                continue
            self._running.setdefault(key, None)
        self._next_block = last + 1

    def _read(self, key: Key) -> Docket | None:
        """The dispute if it changed; it is followed no longer once it is finished or gone."""
        try:
            docket = read_docket(self._contracts, *key)
        except Refused as error:
            if error.reason != "DisputeUnknown":
                raise
            del self._running[key]
            return None
        if docket.finished:
            del self._running[key]
            self._finished[key] = docket.block
        else:
            self._running[key] = docket
        return docket
