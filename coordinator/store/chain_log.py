"""The mirror of the chain: blocks seen, events, certificates, epochs, stakes; and how to take them back."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, delete, func, select, update
from sqlalchemy.orm import Session

from coordinator.domain.lifecycle import FINAL_TASK_STATUSES
from coordinator.store.chain_tables import (
    Block,
    CertificateRow,
    ChainEvent,
    Epoch,
    Stake,
    Task,
    Validator,
)
from coordinator.store.work_tables import (
    CertifiedPayout,
    ContributionRow,
    FaultReportRow,
    LeaseRow,
    Round,
    Segment,
    TaskAccount,
)
from protocol.ids import Address, EpochNo, TaskId

KEPT_BLOCKS = (
    1024  # a reorganisation deeper than the blocks we remember is answered by indexing from the start
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Touched:
    """What a batch of events concerns: whose derived rows must be computed anew."""

    tasks: frozenset[int]
    stakers: frozenset[str]
    validators: frozenset[str]


STAKE_EVENTS = ("Deposited", "Unbonded", "Withdrawn", "StakeSlashed")
WORK_OF_A_TASK = (
    *(Round, LeaseRow, ContributionRow, Segment, FaultReportRow),
    *(TaskAccount, CertifiedPayout),
)
VALIDATOR_EVENTS = ("ValidatorJoined", "EndpointChanged", "ValidatorLeft")


def touched_by(rows: list[ChainEvent]) -> Touched:
    return Touched(
        tasks=frozenset(r.task_id for r in rows if r.task_id is not None and r.kind != "EquivocationProven"),
        stakers=frozenset(r.account for r in rows if r.account and r.kind in STAKE_EVENTS),
        validators=frozenset(r.account for r in rows if r.account and r.kind in VALIDATOR_EVENTS),
    )


def _standing(task_id: int) -> tuple[ColumnElement[bool], ...]:
    return (CertificateRow.task_id == task_id, CertificateRow.void.is_(False))


class ChainLog:
    """Rows that a block brought carry its number and leave with it."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def cursor(self) -> Block | None:
        """The highest block indexed."""
        return self._session.scalar(select(Block).order_by(Block.number.desc()).limit(1))

    def blocks_down(self, limit: int) -> list[Block]:
        """The remembered blocks, highest first."""
        return list(self._session.scalars(select(Block).order_by(Block.number.desc()).limit(limit)))

    def remember(self, number: int, block_hash: bytes, timestamp: int) -> None:
        self._session.merge(Block(number=number, hash=block_hash, timestamp=timestamp))
        # By number, not by count: cheap, and the cursor itself always stays.
        self._session.execute(delete(Block).where(Block.number < number - KEPT_BLOCKS))

    def rewind(self, last_good: int) -> Touched:
        """Delete whatever came from blocks above ``last_good``; says what must be derived anew.

        The work done for a task whose creation is undone goes with it: its number may come back for
        another task.
        """
        rows = list(self._session.scalars(select(ChainEvent).where(ChainEvent.block_number > last_good)))
        gone = [row.task_id for row in rows if row.kind == "TaskCreated"]
        for work in WORK_OF_A_TASK:
            self._session.execute(delete(work).where(work.task_id.in_(gone)))
        for table in (ChainEvent, CertificateRow, Epoch, Task):
            self._session.execute(delete(table).where(table.block_number > last_good))
        self._session.execute(delete(Block).where(Block.number > last_good))
        self._session.expire_all()
        return touched_by(rows)

    def stakers_above(self, number: int) -> set[Address]:
        """The accounts that vault events in blocks above ``number`` touched."""
        query = select(ChainEvent.account).where(
            ChainEvent.block_number > number, ChainEvent.kind.in_(STAKE_EVENTS)
        )
        return {Address(account) for account in self._session.scalars(query) if account is not None}

    def add(self, row: Any) -> None:
        self._session.add(row)

    def of_task(self, task_id: int, *kinds: str) -> list[ChainEvent]:
        """The task's events of ``kinds``, oldest first."""
        query = select(ChainEvent).where(ChainEvent.task_id == task_id, ChainEvent.kind.in_(kinds))
        return list(self._session.scalars(query.order_by(ChainEvent.block_number, ChainEvent.log_index)))

    def last_of_account(self, account: str, *kinds: str) -> ChainEvent | None:
        query = select(ChainEvent).where(ChainEvent.account == account, ChainEvent.kind.in_(kinds))
        newest = query.order_by(ChainEvent.block_number.desc(), ChainEvent.log_index.desc()).limit(1)
        return self._session.scalar(newest)

    def last_certificate(self, task_id: TaskId) -> CertificateRow | None:
        query = select(CertificateRow).where(*_standing(task_id))
        return self._session.scalar(query.order_by(CertificateRow.last_round.desc()).limit(1))

    def certificate_count(self, task_id: TaskId) -> int:
        query = select(func.count()).select_from(CertificateRow).where(*_standing(task_id))
        return self._session.scalar(query) or 0

    def newest_final(self, task: Task, now_s: float) -> CertificateRow | None:
        """The newest certificate whose challenge window has closed at ``now_s`` and which no dispute
        freezes; None while there is none."""
        query = select(CertificateRow).where(*_standing(task.task_id), CertificateRow.matures_at <= now_s)
        if task.disputed_from is not None:
            query = query.where(CertificateRow.number < task.disputed_from)
        return self._session.scalar(query.order_by(CertificateRow.last_round.desc()).limit(1))

    def disputes_end(self, task_id: int) -> int:
        """When the newest dispute about the task ends at the latest, Unix seconds; 0 when there was none. The
        windows of certificates accepted before that begin then."""
        opened = self.of_task(task_id, "DisputeOpened")
        return int(opened[-1].data["verdict_ends"]) if opened else 0

    def certificate(self, task_id: int, number: int) -> CertificateRow | None:
        """Certificate ``number`` (from 0) of the task, if it stands."""
        query = select(CertificateRow).where(*_standing(task_id), CertificateRow.number == number)
        return self._session.scalar(query)

    def mark_void(self, task_id: int, first: int | None) -> None:
        """Certificates from number ``first`` on are void; None: all stand."""
        rows = update(CertificateRow).where(CertificateRow.task_id == task_id)
        self._session.execute(rows.where(CertificateRow.void).values(void=False))
        if first is not None:
            self._session.execute(rows.where(CertificateRow.number >= first).values(void=True))
        self._session.expire_all()

    def certificates_after(self, task_id: TaskId, round_no: int, limit: int) -> list[CertificateRow]:
        """Certificates that stand, of rounds above ``round_no``, ascending."""
        query = select(CertificateRow).where(*_standing(task_id), CertificateRow.last_round > round_no)
        return list(self._session.scalars(query.order_by(CertificateRow.last_round).limit(limit)))

    def members(self, epoch: EpochNo | int) -> tuple[Address, ...]:
        """The members of ``epoch``, ascending; empty when it is unknown."""
        row = self._session.get(Epoch, epoch)
        return tuple(Address(name) for name in row.members) if row else ()

    def stake(self, account: str) -> int:
        row = self._session.get(Stake, account)
        return row.stake if row else 0

    def poorer_than(self, needed: int, accounts: Collection[Address]) -> frozenset[Address]:
        """Those of ``accounts`` with less stake than ``needed``."""
        query = select(Stake.account, Stake.stake).where(Stake.account.in_(accounts))
        enough = {row.account for row in self._session.execute(query) if row.stake >= needed}
        return frozenset(account for account in accounts if account not in enough)

    def set_stake(self, account: str, stake: int, unbonding: int, unlocks_at: int) -> None:
        self._session.merge(Stake(account=account, stake=stake, unbonding=unbonding, unlocks_at=unlocks_at))

    def set_validator(self, account: str, endpoint: str, active: bool) -> None:
        self._session.merge(Validator(account=account, endpoint=endpoint, active=active))

    def drop_validator(self, account: str) -> None:
        self._session.execute(delete(Validator).where(Validator.account == account))

    def endpoints(self) -> dict[Address, str]:
        """Where the validators of the pool listen, and those who have left but serve a task to its end."""
        over = [status.value for status in FINAL_TASK_STATUSES]
        serving = self._session.scalars(select(Task.members).where(Task.status.not_in(over)))
        members = {member for list_ in serving for member in list_ or ()}
        rows = self._session.execute(select(Validator.account, Validator.endpoint, Validator.active))
        return {
            Address(account): endpoint for account, endpoint, active in rows if active or account in members
        }

    def events_count(self) -> int:
        return self._session.scalar(select(func.count()).select_from(ChainEvent)) or 0
