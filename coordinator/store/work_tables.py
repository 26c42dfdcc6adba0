"""Tables of the work in progress: rounds, leases, contributions, proposals, miners, and the feed of news."""

from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Float,
    Index,
    Integer,
    LargeBinary,
    String,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from coordinator.store.chain_tables import Base
from coordinator.store.columns import ADDRESS, HASH, ROW_ID, HashesColumn, WeiColumn
from protocol.ids import Sha256

_COUNTS = text("verdict IN ('accepted', 'certified')")
_IN_FLIGHT = text("state = 'in flight'")


class Round(Base):
    """One round; ``loss_micros`` is the mean training loss of its shards, ``correct`` of ``total`` test
    answers and ``test_loss_micros`` are filled in when its model has been evaluated. Times are Unix
    seconds.
    """

    __tablename__ = "rounds"

    task_id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    number: Mapped[int] = mapped_column(Integer, primary_key=True)
    status: Mapped[str] = mapped_column(String(16))
    parent_model: Mapped[bytes] = mapped_column(HASH)
    model: Mapped[bytes | None] = mapped_column(HASH)
    opened_s: Mapped[float] = mapped_column(Float)
    closed_s: Mapped[float | None] = mapped_column(Float)
    loss_micros: Mapped[int | None] = mapped_column(BigInteger)
    correct: Mapped[int | None] = mapped_column(Integer)
    total: Mapped[int | None] = mapped_column(Integer)
    test_loss_micros: Mapped[int | None] = mapped_column(BigInteger)


class LeaseRow(Base):
    """Who may fill a shard, under which fence; ``past`` lists earlier holders. ``sent_s`` null: the job
    waits to be taken by the broker (this is the outbox).
    """

    __tablename__ = "leases"
    __table_args__ = (Index("ix_leases_sent", "sent_s"), Index("ix_leases_miner", "miner"))

    task_id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    round: Mapped[int] = mapped_column(Integer, primary_key=True)
    shard: Mapped[int] = mapped_column(Integer, primary_key=True)
    miner: Mapped[str] = mapped_column(ADDRESS)
    attempt: Mapped[int] = mapped_column(Integer)
    fence: Mapped[int] = mapped_column(BigInteger)
    granted_s: Mapped[float] = mapped_column(Float)
    sent_s: Mapped[float | None] = mapped_column(Float)
    lease_s: Mapped[int] = mapped_column(Integer)
    past: Mapped[list[str]] = mapped_column(JSON)


class ContributionRow(Base):
    """A signed contribution. ``verdict``: accepted, certified, faulty (proven), rejected (unreadable blob) or
    discarded (rolled back). A shard counts once: that is what the partial index is for."""

    __tablename__ = "contributions"
    __table_args__ = (
        Index(
            "ux_contributions_counting",
            "task_id",
            "round",
            "shard",
            unique=True,
            sqlite_where=_COUNTS,
            postgresql_where=_COUNTS,
        ),
        Index("ix_contributions_round", "task_id", "round", "shard"),
        Index("ix_contributions_miner", "miner", "id"),
    )

    id: Mapped[int] = mapped_column(ROW_ID, primary_key=True, autoincrement=True)
    task_id: Mapped[int] = mapped_column(BigInteger)
    round: Mapped[int] = mapped_column(Integer)
    shard: Mapped[int] = mapped_column(Integer)
    miner: Mapped[str] = mapped_column(ADDRESS)
    parent_model: Mapped[bytes] = mapped_column(HASH)
    gradient: Mapped[bytes] = mapped_column(HASH)
    batches: Mapped[tuple[Sha256, ...]] = mapped_column(HashesColumn)
    samples: Mapped[int] = mapped_column(BigInteger)
    loss_micros: Mapped[int] = mapped_column(WeiColumn)
    signature: Mapped[bytes] = mapped_column(LargeBinary(65))
    received_s: Mapped[float] = mapped_column(Float)
    verdict: Mapped[str] = mapped_column(String(16))
    reason: Mapped[str] = mapped_column(Text, default="")


class Segment(Base):
    """A segment asked of the committee; ``value`` is the encoded certificate. ``state``: in flight,
    certified or withdrawn.
    """

    __tablename__ = "segments"
    __table_args__ = (
        Index(
            "ux_segments_in_flight",
            "task_id",
            unique=True,
            sqlite_where=_IN_FLIGHT,
            postgresql_where=_IN_FLIGHT,
        ),
    )

    id: Mapped[int] = mapped_column(ROW_ID, primary_key=True, autoincrement=True)
    task_id: Mapped[int] = mapped_column(BigInteger, index=True)
    first_round: Mapped[int] = mapped_column(Integer)
    last_round: Mapped[int] = mapped_column(Integer)
    value: Mapped[bytes] = mapped_column(LargeBinary)
    state: Mapped[str] = mapped_column(String(16))
    sent_s: Mapped[float] = mapped_column(Float)
    sends: Mapped[int] = mapped_column(Integer)


class Answer(Base):
    """A committee member's last word on a segment: accepted, rejected (with a reason) or decided."""

    __tablename__ = "answers"

    segment_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    member: Mapped[str] = mapped_column(ADDRESS, primary_key=True)
    answer: Mapped[str] = mapped_column(String(16))
    reason: Mapped[str] = mapped_column(Text, default="")
    at_s: Mapped[float] = mapped_column(Float)


class FaultReportRow(Base):
    """A member's signed fault report; ``reporter`` was recovered, ``document`` is the report's JSON."""

    __tablename__ = "fault_reports"
    __table_args__ = (
        UniqueConstraint("task_id", "round", "shard", "miner", "gradient", "parent_model", "reporter"),
    )

    id: Mapped[int] = mapped_column(ROW_ID, primary_key=True, autoincrement=True)
    task_id: Mapped[int] = mapped_column(BigInteger)
    round: Mapped[int] = mapped_column(Integer)
    shard: Mapped[int] = mapped_column(Integer)
    miner: Mapped[str] = mapped_column(ADDRESS)
    gradient: Mapped[bytes] = mapped_column(HASH)
    parent_model: Mapped[bytes] = mapped_column(HASH)
    reporter: Mapped[str] = mapped_column(ADDRESS)
    document: Mapped[dict[str, Any]] = mapped_column(JSON)
    at_s: Mapped[float] = mapped_column(Float)


class AttestationRow(Base):
    """What a signer of a certificate executed for it, by its own word; ``segment`` is the certificate's
    record, ``validator`` was recovered, ``document`` is the attestation's JSON."""

    __tablename__ = "attestations"

    task_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    segment: Mapped[bytes] = mapped_column(HASH, primary_key=True)
    validator: Mapped[str] = mapped_column(ADDRESS, primary_key=True)
    document: Mapped[dict[str, Any]] = mapped_column(JSON)


class CertifiedPayout(Base):
    """Cumulative payouts under one certificate of a task with a challenge window: what is final lags behind
    what is certified. Kept from the newest final certificate on."""

    __tablename__ = "certified_payouts"

    task_id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    number: Mapped[int] = mapped_column(Integer, primary_key=True)
    account: Mapped[str] = mapped_column(ADDRESS, primary_key=True)
    cumulative: Mapped[int] = mapped_column(WeiColumn)


class TaskAccount(Base):
    """What an account has earned in a task (certified, cumulative), and whether it is excluded by a fault."""

    __tablename__ = "task_accounts"
    __table_args__ = (Index("ix_task_accounts_account", "account"),)

    task_id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    account: Mapped[str] = mapped_column(ADDRESS, primary_key=True)
    earned: Mapped[int] = mapped_column(WeiColumn)


class MinerRow(Base):
    """A miner that has sent signed heartbeats; ``beat_s`` is the time the last one names, ``seen_s`` ours. It
    is taken for dead after ``silent_at_s``."""

    __tablename__ = "miners"

    address: Mapped[str] = mapped_column(ADDRESS, primary_key=True)
    device: Mapped[str] = mapped_column(String(100))
    beat_s: Mapped[int] = mapped_column(BigInteger)
    seen_s: Mapped[float] = mapped_column(Float)
    silent_at_s: Mapped[float] = mapped_column(Float, index=True)
    strikes: Mapped[int] = mapped_column(Integer, default=0)
    benched_until_s: Mapped[float] = mapped_column(Float, default=0.0)


class News(Base):
    """One entry of the feed; ids only grow, also in the order of commits."""

    __tablename__ = "news"

    id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    at_s: Mapped[float] = mapped_column(Float)
    kind: Mapped[str] = mapped_column(String(32))
    task_id: Mapped[int | None] = mapped_column(BigInteger)
    data: Mapped[dict[str, Any]] = mapped_column(JSON)


class Counter(Base):
    """The last value given out under a name."""

    __tablename__ = "counters"

    name: Mapped[str] = mapped_column(String(32), primary_key=True)
    value: Mapped[int] = mapped_column(BigInteger)
