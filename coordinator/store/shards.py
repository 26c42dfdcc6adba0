"""Leases and contributions: who may fill a shard, and what filled it."""

from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import delete, func, select, update
from sqlalchemy.orm import Session

from coordinator.domain.view import Lease
from coordinator.store.work_tables import ContributionRow, LeaseRow, Round
from protocol.contribution import Contribution, SignedContribution
from protocol.evidence import Fault
from protocol.ids import Address, RoundNo, Sha256, ShardNo, TaskId

COUNTING = ("accepted", "certified")
MAX_UNSENT = 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Filled:
    """A shard whose contribution counts."""

    round: RoundNo
    shard: ShardNo
    miner: Address


class Shards:
    """Rows of ``leases`` and ``contributions``."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def lease(self, task_id: TaskId | int, round_no: int, shard: int) -> LeaseRow | None:
        return self._session.get(LeaseRow, (task_id, round_no, shard))

    def grant(self, row: LeaseRow) -> None:
        """Give a lease, taking the shard from whoever had it."""
        self._session.merge(row)

    def leases_of(self, task_id: TaskId | int, round_no: int) -> list[LeaseRow]:
        query = select(LeaseRow).where(LeaseRow.task_id == task_id, LeaseRow.round == round_no)
        return list(self._session.scalars(query))

    def unsent(self) -> list[LeaseRow]:
        """The outbox: leases whose job the broker has not taken, oldest first."""
        query = select(LeaseRow).where(LeaseRow.sent_s.is_(None)).order_by(LeaseRow.fence).limit(MAX_UNSENT)
        return list(self._session.scalars(query))

    def mark_sent(self, fences: Iterable[int], now_s: float) -> None:
        self._session.execute(
            update(LeaseRow)
            .where(LeaseRow.fence.in_(list(fences)), LeaseRow.sent_s.is_(None))
            .values(sent_s=now_s)
        )

    def unsend(self, now_s: float) -> None:
        """Back into the outbox with every lease that has not run out."""
        self._session.execute(
            update(LeaseRow).where(LeaseRow.sent_s + LeaseRow.lease_s > now_s).values(sent_s=None)
        )

    def loads(self) -> dict[str, int]:
        """How many leases each miner holds."""
        query = select(LeaseRow.miner, func.count()).group_by(LeaseRow.miner)
        return {row[0]: row[1] for row in self._session.execute(query)}

    def drop_lease(self, task_id: TaskId | int, round_no: int, shard: int) -> None:
        self._session.execute(
            delete(LeaseRow).where(
                LeaseRow.task_id == task_id, LeaseRow.round == round_no, LeaseRow.shard == shard
            )
        )

    def drop_leases(self, task_id: TaskId | int, first_round: int, last_round: int | None = None) -> None:
        query = delete(LeaseRow).where(LeaseRow.task_id == task_id, LeaseRow.round >= first_round)
        self._session.execute(query if last_round is None else query.where(LeaseRow.round <= last_round))

    def drop_orphans(self) -> None:
        """Drop leases whose round is not there any more."""
        has_round = select(Round.number).where(
            Round.task_id == LeaseRow.task_id, Round.number == LeaseRow.round
        )
        self._session.execute(
            delete(LeaseRow).where(~has_round.exists()).execution_options(synchronize_session=False)
        )

    def counting(
        self, task_id: TaskId | int, first_round: int, last_round: int | None = None
    ) -> list[ContributionRow]:
        """The contributions that count, by round and shard."""
        query = select(ContributionRow).where(
            ContributionRow.task_id == task_id,
            ContributionRow.round >= first_round,
            ContributionRow.verdict.in_(COUNTING),
        )
        if last_round is not None:
            query = query.where(ContributionRow.round <= last_round)
        return list(self._session.scalars(query.order_by(ContributionRow.round, ContributionRow.shard)))

    def filled(self, task_id: TaskId | int, first_round: int) -> list[Filled]:
        """Who filled which shard, from ``first_round`` on."""
        # Columns, not entities: this is read at every turn.
        query = select(ContributionRow.round, ContributionRow.shard, ContributionRow.miner).where(
            ContributionRow.task_id == task_id,
            ContributionRow.round >= first_round,
            ContributionRow.verdict.in_(COUNTING),
        )
        return [
            Filled(round=RoundNo(row[0]), shard=ShardNo(row[1]), miner=Address(row[2]))
            for row in self._session.execute(query)
        ]

    def filling(self, task_id: TaskId | int, round_no: int, shard: int) -> ContributionRow | None:
        """What fills the shard."""
        query = select(ContributionRow).where(
            ContributionRow.task_id == task_id,
            ContributionRow.round == round_no,
            ContributionRow.shard == shard,
            ContributionRow.verdict.in_(COUNTING),
        )
        return self._session.scalar(query)

    def add(self, signed: SignedContribution, verdict: str, now_s: float, reason: str = "") -> None:
        c = signed.contribution
        self._session.add(
            ContributionRow(
                task_id=c.task_id,
                round=c.round,
                shard=c.shard,
                miner=c.miner,
                parent_model=c.parent_model,
                gradient=c.gradient,
                batches=c.batches,
                samples=c.samples,
                loss_micros=c.loss_micros,
                signature=signed.signature,
                received_s=now_s,
                verdict=verdict,
                reason=reason,
            )
        )

    def mark_faulty(self, task_id: TaskId | int, fault: Fault) -> None:
        """A certificate names the fault: that is the verdict, unless the contribution counts already."""
        self._session.execute(
            update(ContributionRow)
            .where(
                ContributionRow.task_id == task_id,
                ContributionRow.round == fault.round,
                ContributionRow.shard == fault.shard,
                ContributionRow.miner == fault.miner,
                ContributionRow.gradient == fault.gradient,
                ContributionRow.verdict.not_in(COUNTING),
            )
            .values(verdict="faulty", reason="re-execution gave other codes")
        )


def to_lease(row: LeaseRow) -> Lease:
    return Lease(
        shard=ShardNo(row.shard),
        miner=Address(row.miner),
        attempt=row.attempt,
        fence=row.fence,
        granted_s=row.granted_s,
        sent_s=row.sent_s,
        lease_s=row.lease_s,
        past=frozenset(Address(name) for name in row.past),
    )


def to_signed(row: ContributionRow, spec_hash: Sha256) -> SignedContribution:
    contribution = Contribution(
        task_id=TaskId(row.task_id),
        round=RoundNo(row.round),
        shard=ShardNo(row.shard),
        miner=Address(row.miner),
        spec_hash=spec_hash,
        parent_model=Sha256(row.parent_model),
        gradient=Sha256(row.gradient),
        batches=row.batches,
        samples=row.samples,
        loss_micros=row.loss_micros,
    )
    return SignedContribution(contribution=contribution, signature=row.signature)
