"""Contests and the learning chain, mirrored: what the contracts said of each contest at the last block that
touched it, the blocks that winners appended, and what accounts can collect."""

from typing import Any

from sqlalchemy import JSON, BigInteger, LargeBinary, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from coordinator.store.chain_tables import Base
from coordinator.store.columns import ADDRESS, HASH, WeiColumn
from protocol.learning_block import HEADER_BYTES


class ContestRow(Base):
    """One contest. ``state`` is a document (``coordinator.services.index_contests.ContestState``); ``title``
    is empty, and ``note`` says why, until the spec blob was read."""

    __tablename__ = "contests"

    contest_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    block_number: Mapped[int] = mapped_column(BigInteger, index=True)
    tx_hash: Mapped[bytes] = mapped_column(HASH)
    poster: Mapped[str] = mapped_column(ADDRESS)
    spec_hash: Mapped[bytes] = mapped_column(HASH)
    status: Mapped[str] = mapped_column(String(16), index=True)
    outcome: Mapped[str] = mapped_column(String(24))
    state: Mapped[dict[str, Any]] = mapped_column(JSON)
    title: Mapped[str] = mapped_column(Text, default="")
    note: Mapped[str] = mapped_column(Text, default="")
    spec: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))


class LearningBlockRow(Base):
    """A block of the learning chain above its genesis; ``header`` hashes to ``hash``."""

    __tablename__ = "learning_blocks"

    height: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    hash: Mapped[bytes] = mapped_column(HASH, index=True)
    header: Mapped[bytes] = mapped_column(LargeBinary(HEADER_BYTES))
    contest_id: Mapped[int | None] = mapped_column(BigInteger, index=True)
    winner: Mapped[str] = mapped_column(ADDRESS)
    block_number: Mapped[int] = mapped_column(BigInteger, index=True)
    tx_hash: Mapped[bytes] = mapped_column(HASH)


class ContestAccount(Base):
    """What contests owed an account at the last block that changed it, and what it was paid in all."""

    __tablename__ = "contest_accounts"

    account: Mapped[str] = mapped_column(ADDRESS, primary_key=True)
    owed: Mapped[int] = mapped_column(WeiColumn)
    collected: Mapped[int] = mapped_column(WeiColumn)
