"""Tables that mirror the chain. Rows carry their block's number, so that a reorganisation can take them back;
``tasks``, ``validators`` and ``stakes`` are derived from the others by ``coordinator.services.derive``.
"""

from typing import Any

from sqlalchemy import JSON, BigInteger, Boolean, Index, Integer, LargeBinary, String, Text, UniqueConstraint
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from coordinator.store.columns import ADDRESS, HASH, ROW_ID, WeiColumn
from protocol.certificate import ENCODED_BYTES


class Base(DeclarativeBase):
    """All tables of the coordinator."""


class Block(Base):
    """A block whose hash was seen; the highest one is the indexer's cursor."""

    __tablename__ = "blocks"

    number: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    hash: Mapped[bytes] = mapped_column(HASH)
    timestamp: Mapped[int] = mapped_column(BigInteger)


class ChainEvent(Base):
    """One event of our contracts; ``data`` holds what the columns do not, in JSON."""

    __tablename__ = "chain_events"
    __table_args__ = (
        UniqueConstraint("block_number", "log_index"),
        Index("ix_chain_events_task", "task_id", "kind", "id"),
        Index("ix_chain_events_account", "account", "kind", "id"),
        Index("ix_chain_events_contest", "contest_id", "kind", "id"),
    )

    id: Mapped[int] = mapped_column(ROW_ID, primary_key=True, autoincrement=True)
    block_number: Mapped[int] = mapped_column(BigInteger)
    block_hash: Mapped[bytes] = mapped_column(HASH)
    tx_hash: Mapped[bytes] = mapped_column(HASH)
    log_index: Mapped[int] = mapped_column(Integer)
    kind: Mapped[str] = mapped_column(String(32))
    task_id: Mapped[int | None] = mapped_column(BigInteger)
    contest_id: Mapped[int | None] = mapped_column(BigInteger)
    account: Mapped[str | None] = mapped_column(ADDRESS)
    amount: Mapped[int | None] = mapped_column(WeiColumn)
    data: Mapped[dict[str, Any]] = mapped_column(JSON)


class Task(Base):
    """One task: what its poster fixed, what the chain has certified, and how far we have followed.

    ``spec`` is null until the spec blob was read; ``note`` says why a task waits or cannot be used.
    ``adopted_round`` is the certified round up to which ``rounds`` and ``contributions`` agree with the
    chain. ``members`` is the task's committee, null until it is drawn; ``disputed_from`` is the number of
    the first certificate that a running dispute freezes, while the work goes on.
    """

    __tablename__ = "tasks"
    __table_args__ = (Index("ix_tasks_status", "status", "task_id"), Index("ix_tasks_poster", "poster"))

    task_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    block_number: Mapped[int] = mapped_column(BigInteger, index=True)
    tx_hash: Mapped[bytes] = mapped_column(HASH)
    poster: Mapped[str] = mapped_column(ADDRESS)
    spec_hash: Mapped[bytes] = mapped_column(HASH)
    genesis_model: Mapped[bytes] = mapped_column(HASH)
    rounds: Mapped[int] = mapped_column(Integer)
    shards: Mapped[int] = mapped_column(Integer)
    reward_per_shard: Mapped[int] = mapped_column(WeiColumn)
    fee_per_round: Mapped[int] = mapped_column(WeiColumn)
    miner_stake: Mapped[int] = mapped_column(WeiColumn)
    slash_per_fault: Mapped[int] = mapped_column(WeiColumn)
    starts_at: Mapped[int] = mapped_column(BigInteger)
    deadline: Mapped[int] = mapped_column(BigInteger)
    epoch: Mapped[int] = mapped_column(Integer)
    challenge_window: Mapped[int] = mapped_column(Integer, default=0)
    committee_size: Mapped[int] = mapped_column(Integer, default=0)
    members: Mapped[list[str] | None] = mapped_column(JSON(none_as_null=True))
    disputed_from: Mapped[int | None] = mapped_column(Integer)
    escrow: Mapped[int] = mapped_column(WeiColumn)
    status: Mapped[str] = mapped_column(String(16))
    note: Mapped[str] = mapped_column(Text, default="")
    spec: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    certified_round: Mapped[int] = mapped_column(Integer, default=0)
    certified_model: Mapped[bytes] = mapped_column(HASH)
    certified_tx: Mapped[bytes | None] = mapped_column(HASH)
    paid_total: Mapped[int] = mapped_column(WeiColumn, default=0)
    claimed_total: Mapped[int] = mapped_column(WeiColumn, default=0)
    fees_claimed: Mapped[int] = mapped_column(WeiColumn, default=0)
    refund: Mapped[int | None] = mapped_column(WeiColumn)
    adopted_round: Mapped[int] = mapped_column(Integer, default=0)
    adopted_tx: Mapped[bytes | None] = mapped_column(HASH)


class CertificateRow(Base):
    """An accepted certificate, ``number`` (from 0) of its task; ``encoded`` is its ABI encoding, ``signers``
    the bitmap over the task's committee. ``void``: an appeal overturned it. It is final from second
    ``matures_at`` on, unless a dispute freezes it.
    """

    __tablename__ = "certificates"
    __table_args__ = (Index("ix_certificates_block", "block_number"),)

    task_id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    last_round: Mapped[int] = mapped_column(Integer, primary_key=True)
    number: Mapped[int] = mapped_column(Integer)
    void: Mapped[bool] = mapped_column(Boolean, default=False)
    matures_at: Mapped[int] = mapped_column(BigInteger)
    first_round: Mapped[int] = mapped_column(Integer)
    encoded: Mapped[bytes] = mapped_column(LargeBinary(ENCODED_BYTES))
    signers: Mapped[int] = mapped_column(WeiColumn)
    block_number: Mapped[int] = mapped_column(BigInteger)
    tx_hash: Mapped[bytes] = mapped_column(HASH)
    gas_used: Mapped[int] = mapped_column(BigInteger)
    timestamp: Mapped[int] = mapped_column(BigInteger)


class Epoch(Base):
    """The members of one epoch, ascending."""

    __tablename__ = "epochs"

    epoch: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    block_number: Mapped[int] = mapped_column(BigInteger, index=True)
    members: Mapped[list[str]] = mapped_column(JSON)


class Validator(Base):
    """Somebody who joined the validator pool; ``active`` until leaving."""

    __tablename__ = "validators"

    account: Mapped[str] = mapped_column(ADDRESS, primary_key=True)
    endpoint: Mapped[str] = mapped_column(Text)
    active: Mapped[bool] = mapped_column(Boolean)


class Stake(Base):
    """An account's stake as the vault told it at the last event that touched it."""

    __tablename__ = "stakes"

    account: Mapped[str] = mapped_column(ADDRESS, primary_key=True)
    stake: Mapped[int] = mapped_column(WeiColumn)
    unbonding: Mapped[int] = mapped_column(WeiColumn)
    unlocks_at: Mapped[int] = mapped_column(BigInteger)
