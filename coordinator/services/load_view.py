"""The snapshot of one task that decisions are made on."""

from dataclasses import replace

from coordinator.domain.decide import asks_everybody
from coordinator.domain.faults import proven
from coordinator.domain.lifecycle import RoundStatus, TaskStatus
from coordinator.domain.view import Plan, RoundView, SegmentView, TaskView
from coordinator.services.context import Context
from coordinator.services.prepare_task import chain_time_s
from coordinator.store.chain_tables import Task
from coordinator.store.shards import Filled, to_lease
from coordinator.store.unit_of_work import Transaction
from coordinator.store.work_tables import Round
from protocol.chain.finality import MAX_RECORDS
from protocol.ids import RoundNo, Sha256, ShardNo, TaskId
from protocol.ledger import TaskLedger
from protocol.members import max_faulty


def load_view(ctx: Context, tx: Transaction, task: Task, now_s: float) -> TaskView:
    """Raises BlobMissing, ServiceUnreachable or VerificationFailed when the certified state cannot be
    rebuilt.
    """
    ledger = ctx.ledgers.of(tx, task)
    filled = tx.shards.filled(task.task_id, task.adopted_round + 1)
    views = tuple(_round(tx, row, filled) for row in tx.rounds.above(task.task_id, task.adopted_round))
    holders = {lease.miner for view in views for lease in view.leases.values()}
    reports = tx.committee.reports(task.task_id)
    guilty = ledger.excluded | {fault.miner for fault in proven(reports, ledger.members)}
    needed = task.miner_stake
    room_at_s, crowded = _room(ctx, tx, task)
    poor = tx.chain.poorer_than(needed, {item.miner for item in filled})
    view = TaskView(
        task_id=TaskId(task.task_id),
        status=TaskStatus(task.status),
        plan=_plan(task, ledger),
        certified_round=RoundNo(task.adopted_round),
        certified_model=ledger.model,
        rounds=views,
        in_flight=_segment(tx, task),
        miners=tx.miners.these(holders),
        unfit=frozenset(guilty | poor),
        tolerated=max_faulty(len(ledger.members)) if ledger.members else 0,
        listening_since_s=ctx.listening_since_s,
        room_at_s=room_at_s,
        crowded=crowded,
    )
    if not asks_everybody(view, now_s):
        return view
    return replace(view, miners=tx.miners.live(now_s, tx.shards.loads(), holders))


def _room(ctx: Context, tx: Transaction, task: Task) -> tuple[float, bool]:
    """When the contract's ring of records has room for the next certificate (0: now), and whether half of it
    waits for the windows to close."""
    if task.challenge_window == 0:
        return 0.0, False
    count, now_s = tx.chain.certificate_count(TaskId(task.task_id)), chain_time_s(ctx, tx)

    def final_at(number: int) -> float:
        row = tx.chain.certificate(task.task_id, number) if number >= 0 else None
        return 0.0 if row is None else float(row.matures_at)

    full_until = final_at(count + 1 - MAX_RECORDS)
    if task.disputed_from is not None and count + 1 >= task.disputed_from + MAX_RECORDS:
        # The record before the disputed ones has to stay.
        full_until = max(full_until, float(tx.chain.disputes_end(task.task_id)))
    return (full_until if full_until > now_s else 0.0), final_at(count - MAX_RECORDS // 2) > now_s


def _plan(task: Task, ledger: TaskLedger) -> Plan:
    limits = ledger.spec.limits
    return Plan(
        rounds=task.rounds,
        shards=task.shards,
        min_shards=limits.min_shards,
        miner_stake=task.miner_stake,
        round_deadline_s=limits.round_deadline_s,
        max_uncertified_rounds=limits.max_uncertified_rounds,
        rounds_per_certificate=limits.rounds_per_certificate,
        deadline_s=task.deadline,
    )


def _round(tx: Transaction, row: Round, filled: list[Filled]) -> RoundView:
    leases = tx.shards.leases_of(row.task_id, row.number) if row.status == RoundStatus.OPEN else []
    return RoundView(
        number=RoundNo(row.number),
        status=RoundStatus(row.status),
        parent_model=Sha256(row.parent_model),
        model=Sha256(row.model) if row.model is not None else None,
        opened_s=row.opened_s,
        accepted={item.shard: item.miner for item in filled if item.round == row.number},
        leases={ShardNo(item.shard): to_lease(item) for item in leases},
    )


def _segment(tx: Transaction, task: Task) -> SegmentView | None:
    row = tx.committee.in_flight(task.task_id)
    if row is None:
        return None
    return SegmentView(
        first_round=RoundNo(row.first_round),
        last_round=RoundNo(row.last_round),
        sent_s=row.sent_s,
        sends=row.sends,
        refusals=tx.committee.refusals(row.id),
    )
