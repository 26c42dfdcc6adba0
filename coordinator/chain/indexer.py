"""Follows the chain block by block: a cursor by hash, and a way back when the chain takes a block back."""

from collections.abc import Callable, Iterable
from typing import Final

from coordinator.chain.contest_reader import ContestReader
from coordinator.services.index_blocks import Batch, StakeView, index_blocks
from coordinator.store.chain_log import STAKE_EVENTS
from coordinator.store.chain_tables import Block
from coordinator.store.unit_of_work import Store
from protocol.chain.client import BlockRef
from protocol.chain.contest_events import ContestEvent
from protocol.chain.contracts import Contracts
from protocol.chain.events import CertificateAccepted, Event, EventReader
from protocol.errors import Refused, ServiceUnreachable
from protocol.ids import Address

BATCH_BLOCKS: Final = 500
MAX_BATCHES: Final = 20
NOTHING_STANDS: Final = -1


class Indexer:
    """Reads one deployment into one store; one per database. ``poll`` is not thread-safe."""

    def __init__(self, contracts: Contracts, store: Store, now_s: Callable[[], float]) -> None:
        self._contracts = contracts
        self._client = contracts.client
        self._reader = EventReader(contracts)
        self._contests = ContestReader(contracts, store)
        self._store = store
        self._now_s = now_s
        self.head = b""
        """Hash of the newest block that was seen and indexed."""

    def poll(self) -> bool:
        """Index what is new, at most MAX_BATCHES batches; False when there is more.

        Raises ServiceUnreachable, also when the chain changed while it was read: nothing has happened
        then, and the next poll reads it again.
        """
        return any(not self._step() for _ in range(MAX_BATCHES))

    def _step(self) -> bool:
        """One batch; True while there is more."""
        head = self._client.block()
        if head.hash == self.head:
            return False
        with self._store.read() as tx:
            cursor = tx.chain.cursor()
        if cursor is not None and (cursor.number, cursor.hash) == (head.number, head.hash):
            self.head = head.hash
            return False
        follows = cursor is not None and (head.parent_hash, head.number) == (cursor.hash, cursor.number + 1)
        if follows and not head.may_concern(self._addresses()):
            index_blocks(self._store, _nothing_in(head), self._now_s())
            return False
        fork = None if follows else self._fork(cursor)
        base = fork if fork is not None else cursor.number if cursor is not None else NOTHING_STANDS
        first = max(base + 1, self._contracts.deployment.block)
        if first > head.number and fork is None:
            return False  # the deployment is in a block to come, or the node fell behind
        last = head if follows else self._block(min(head.number, first + BATCH_BLOCKS - 1))
        batch = self._read(cursor.number if cursor else None, fork, first, last)
        index_blocks(self._store, batch, self._now_s())
        return last.number < head.number

    def _addresses(self) -> Iterable[Address]:
        return (*self._contracts.deployment.addresses, *self._contests.addresses)

    def _fork(self, cursor: Block | None) -> int | None:
        """None while the cursor's block stands; else the highest block remembered that does."""
        if cursor is None or self._stands(cursor):
            return None
        with self._store.read() as tx:
            known = tx.chain.blocks_down(limit=100_000)
        # Blocks stand up to the fork and fall above it: a binary search needs few questions.
        low, high = 0, len(known)
        while low < high:
            middle = (low + high) // 2
            if self._stands(known[middle]):
                high = middle
            else:
                low = middle + 1
        return known[low].number if low < len(known) else NOTHING_STANDS

    def _stands(self, block: Block) -> bool:
        try:
            return self._client.block(block.number).hash == block.hash
        except Refused:
            return False

    def _block(self, number: int) -> BlockRef:
        try:
            return self._client.block(number)
        except Refused as error:
            raise self._changed() from error

    def _read(self, after: int | None, fork: int | None, first: int, last: BlockRef) -> Batch:
        events = self._events(first, last.number) if first <= last.number else []
        numbers = sorted({event.where.block_number for event in events} - {last.number})
        blocks = {number: self._block(number) for number in numbers} | {last.number: last}
        if any(event.where.block_hash != blocks[event.where.block_number].hash for event in events):
            raise self._changed()
        told = [event for event in events if isinstance(event, ContestEvent)]
        reading = self._contests.read(told, fork, last.number)
        batch = Batch(
            after=after,
            fork=fork,
            last=last,
            events=events,
            blocks=blocks,
            gas={e.where.tx_hash: self._gas(e) for e in events if isinstance(e, CertificateAccepted)},
            stakes={account: self._stake(account, last.number) for account in self._stakers(events, fork)},
            contests=reading.contests,
            owed=reading.owed,
        )
        if self._block(last.number).hash != last.hash:
            raise self._changed()
        return batch

    def _events(self, first: int, last: int) -> list[Event]:
        """In chain order, of tasks and of contests."""
        found = [*self._reader.read(first, last), *self._contests.events(first, last)]
        return sorted(found, key=lambda event: (event.where.block_number, event.where.log_index))

    def _stakers(self, events: Iterable[Event], fork: int | None) -> list[Address]:
        touched = {Address(e.account) for e in events if type(e).__name__ in STAKE_EVENTS}  # type: ignore[attr-defined]
        if fork is not None:
            with self._store.read() as tx:
                touched |= tx.chain.stakers_above(fork)
        return sorted(touched)

    def _stake(self, account: Address, block: int) -> StakeView:
        vault = self._contracts.vault
        unbonding, unlocks_at = vault.unbonding_of(account, block)
        return StakeView(stake=vault.stake_of(account, block), unbonding=unbonding, unlocks_at=unlocks_at)

    def _gas(self, event: CertificateAccepted) -> int:
        receipt = self._client.receipt(event.where.tx_hash)
        if receipt is None:
            raise self._changed()
        return int(receipt["gasUsed"], 16)

    def _changed(self) -> ServiceUnreachable:
        return ServiceUnreachable("the chain", self._client.rpc_url, "it was reorganised while it was read")


def _nothing_in(block: BlockRef) -> Batch:
    """The block after the last one, which concerns nobody here."""
    return Batch(
        after=block.number - 1,
        fork=None,
        last=block,
        events=[],
        blocks={block.number: block},
        gas={},
        stakes={},
    )
