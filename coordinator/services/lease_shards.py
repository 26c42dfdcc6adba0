"""Shards are given to miners: a lease each, and a job in the outbox."""

from collections.abc import Sequence

from coordinator.domain.actions import AssignShard, ReassignExpired
from coordinator.domain.lifecycle import RoundStatus
from coordinator.domain.view import Plan
from coordinator.services.context import Context
from coordinator.store.unit_of_work import Transaction
from coordinator.store.work_tables import LeaseRow
from protocol.ids import TaskId


def lease_shards(
    ctx: Context, task_id: TaskId, plan: Plan, actions: Sequence[AssignShard | ReassignExpired]
) -> None:
    """Grant the leases, all in one transaction; one whose shard was filled or given on meanwhile is
    skipped.
    """
    now_s = ctx.now_s()
    with ctx.store.write() as tx:
        for action in actions:
            row = tx.rounds.get(task_id, action.round)
            if row is None or row.status != RoundStatus.OPEN:
                continue
            if tx.shards.filling(task_id, action.round, action.shard) is None:
                _grant(tx, task_id, plan, action, now_s)


def _grant(
    tx: Transaction, task_id: TaskId, plan: Plan, action: AssignShard | ReassignExpired, now_s: float
) -> None:
    held = tx.shards.lease(task_id, action.round, action.shard)
    past: list[str] = []
    if isinstance(action, ReassignExpired):
        if held is None or held.fence != action.fence:
            return
        past = sorted({*held.past, held.miner})
        if action.strike:
            tx.miners.strike(action.holder, now_s)
    elif held is not None:
        return
    fence = tx.feed.next("fence", now_s)
    tx.shards.grant(
        LeaseRow(
            task_id=task_id,
            round=action.round,
            shard=action.shard,
            miner=action.miner,
            attempt=action.attempt,
            fence=fence,
            granted_s=now_s,
            sent_s=None,
            lease_s=plan.lease_s,
            past=past,
        )
    )
    tx.feed.add(
        "shard.assigned",
        now_s,
        task_id,
        round=action.round,
        shard=action.shard,
        miner=action.miner,
        attempt=action.attempt,
        **({"instead_of": action.holder} if isinstance(action, ReassignExpired) else {}),
    )
