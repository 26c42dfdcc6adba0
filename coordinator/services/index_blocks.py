"""Blocks are taken into the index: their events, what follows from them, and the cursor, in one
transaction.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, Final

from coordinator.domain.lifecycle import TaskStatus
from coordinator.services.derive import derive
from coordinator.services.index_contests import ContestState, index_contests
from coordinator.store.chain_log import Touched, touched_by
from coordinator.store.chain_tables import CertificateRow, ChainEvent, Epoch, Task
from coordinator.store.unit_of_work import Store, Transaction
from protocol.chain.client import BlockRef
from protocol.chain.contest_events import ContestEvent
from protocol.chain.events import CertificateAccepted, EpochAdvanced, Event, TaskCreated
from protocol.errors import PotError
from protocol.ids import Address

_COLUMNS = frozenset({"where", "task_id", "account", "amount"})
# The column ``account`` says whose event it is; ``amount`` how much money it moved.
_ACCOUNT_FIELD = {"TaskCreated": "poster", "FaultSlashed": "miner", "EquivocationProven": "signer"}
_AMOUNT_FIELD = {"TaskCreated": "escrow", "TaskCancelled": "refund", "TaskClosed": "refund"}


class CursorMoved(PotError):
    """Somebody else moved the cursor: two indexers on one database. What was read is read again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StakeView:
    """An account's stake as the vault tells it; ``unlocks_at`` is Unix seconds."""

    stake: int
    unbonding: int
    unlocks_at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """What was read from the chain up to block ``last``.

    ``after`` is the cursor it was read from (None: the start), ``fork`` the last block that still stands
    when a reorganisation was found (-1: none does). ``blocks`` are those with events, by number; ``gas``
    is by transaction; ``stakes`` are those of the accounts that vault events (also undone ones) touched,
    ``contests`` and ``owed`` likewise of contests.
    """

    after: int | None
    fork: int | None
    last: BlockRef
    events: Sequence[Event]
    blocks: Mapping[int, BlockRef]
    gas: Mapping[bytes, int]
    stakes: Mapping[Address, StakeView]
    contests: Mapping[int, ContestState] = field(default_factory=dict)
    owed: Mapping[Address, int] = field(default_factory=dict)


CHAIN_MOVED: Final = "chain.moved"
"""Events were indexed: whoever acts on them wakes, whether or not people are told."""


def index_blocks(store: Store, batch: Batch, now_s: float) -> None:
    """Apply ``batch`` atomically. Raises CursorMoved when it does not start at the cursor."""
    with store.write() as tx:
        cursor = tx.chain.cursor()
        if (cursor.number if cursor else None) != batch.after:
            raise CursorMoved("The index moved while blocks were read.")
        undone = Touched(tasks=frozenset(), stakers=frozenset(), validators=frozenset())
        if batch.fork is not None:
            undone = tx.chain.rewind(batch.fork)
            tx.contests.rewind(batch.fork)
            tx.feed.add("chain.reorganised", now_s, None, last_good_block=max(batch.fork, 0))
        rows = [_append(tx, event, batch, now_s) for event in batch.events]
        for block in batch.blocks.values():
            tx.chain.remember(block.number, block.hash, block.timestamp)
        tx.chain.remember(batch.last.number, batch.last.hash, batch.last.timestamp)
        for account, view in batch.stakes.items():
            tx.chain.set_stake(account, view.stake, view.unbonding, view.unlocks_at)
        told = [event for event in batch.events if isinstance(event, ContestEvent)]
        index_contests(tx, told, batch.contests, batch.owed)
        if rows:
            tx.feed.call(CHAIN_MOVED)
        tx.session.flush()
        derive(tx, touched_by(rows), undone, now_s)


def _append(tx: Transaction, event: Event, batch: Batch, now_s: float) -> ChainEvent:
    row = _row(event)
    tx.chain.add(row)
    tx_hash = "0x" + event.where.tx_hash.hex()
    match event:
        case TaskCreated():
            tx.session.flush()
            tx.chain.add(_task(event))
            tx.feed.add("task.created", now_s, event.task_id, poster=event.poster, tx_hash=tx_hash)
        case CertificateAccepted():
            tx.session.flush()
            tx.chain.add(_certificate(tx, event, batch))
        case EpochAdvanced():
            number = event.where.block_number
            tx.chain.add(Epoch(epoch=event.epoch, block_number=number, members=list(event.members)))
        case _:
            tx.feed.add(
                "chain.event",
                now_s,
                row.task_id,
                event=row.kind,
                account=row.account,
                tx_hash=tx_hash,
                data=row.data,
            )
    return row


def _row(event: Event) -> ChainEvent:
    if isinstance(event, ContestEvent):
        return _contest_row(event)
    kind = type(event).__name__
    data = {f.name: _plain(getattr(event, f.name)) for f in fields(event) if f.name not in _COLUMNS}
    return ChainEvent(
        block_number=event.where.block_number,
        block_hash=event.where.block_hash,
        tx_hash=event.where.tx_hash,
        log_index=event.where.log_index,
        kind=kind,
        task_id=getattr(event, "task_id", None),
        account=getattr(event, _ACCOUNT_FIELD.get(kind, "account"), None),
        amount=getattr(event, _AMOUNT_FIELD.get(kind, "amount"), None),
        data=data,
    )


def _contest_row(event: ContestEvent) -> ChainEvent:
    return ChainEvent(
        block_number=event.where.block_number,
        block_hash=event.where.block_hash,
        tx_hash=event.where.tx_hash,
        log_index=event.where.log_index,
        kind=event.kind,
        contest_id=event.contest_id,
        account=event.account,
        amount=event.amount,
        data={name: _plain(value) for name, value in event.data.items()},
    )


def _plain(value: Any) -> Any:
    """A JSON value: hashes as hex, numbers as decimal strings (money does not fit a JSON number)."""
    match value:
        case bytes():
            return value.hex()
        case bool() | str() | None:
            return value
        case int():
            return str(value)
        case tuple() | list():
            return [_plain(item) for item in value]
        case Mapping():
            return {name: _plain(item) for name, item in value.items()}
        case _:
            return {f.name: _plain(getattr(value, f.name)) for f in fields(value)}


def _task(event: TaskCreated) -> Task:
    params = event.params
    return Task(
        task_id=event.task_id,
        block_number=event.where.block_number,
        tx_hash=event.where.tx_hash,
        poster=event.poster,
        spec_hash=params.spec_hash,
        genesis_model=params.genesis_model,
        rounds=params.rounds,
        shards=params.shards,
        reward_per_shard=params.reward_per_shard,
        fee_per_round=params.fee_per_round,
        miner_stake=params.miner_stake,
        slash_per_fault=params.slash_per_fault,
        starts_at=params.starts_at,
        deadline=params.deadline,
        epoch=event.epoch,
        challenge_window=params.challenge_window_s,
        committee_size=params.committee_size,
        escrow=event.escrow,
        status=TaskStatus.WAITING.value,
        certified_model=params.genesis_model,
    )


def _certificate(tx: Transaction, event: CertificateAccepted, batch: Batch) -> CertificateRow:
    block, task = batch.blocks[event.where.block_number], tx.tasks.get(event.task_id)
    window_s = task.challenge_window if task is not None else 0
    begins = max(block.timestamp, tx.chain.disputes_end(event.task_id)) if window_s else block.timestamp
    return CertificateRow(
        task_id=event.task_id,
        last_round=event.certificate.last_round,
        number=event.index,
        void=False,
        matures_at=begins + window_s,
        first_round=event.certificate.first_round,
        encoded=event.certificate.encode(),
        signers=event.signers,
        block_number=event.where.block_number,
        tx_hash=event.where.tx_hash,
        gas_used=batch.gas[event.where.tx_hash],
        timestamp=block.timestamp,
    )
