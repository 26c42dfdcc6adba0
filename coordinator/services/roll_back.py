"""Work that cannot be certified is taken back, no further than it must be."""

from coordinator.domain.actions import RollBack
from coordinator.domain.faults import proven
from coordinator.domain.lifecycle import RoundEvent
from coordinator.services.context import Context
from coordinator.store.chain_tables import Task
from coordinator.store.committee_book import WITHDRAWN
from coordinator.store.tasks import committee_of
from coordinator.store.unit_of_work import Transaction
from coordinator.store.work_tables import Round
from protocol.ids import TaskId


def roll_back(ctx: Context, task_id: TaskId, action: RollBack) -> None:
    """Reopen a round without the unfit miners' shards, discard the rounds after it, withdraw the segment that
    held any of them. Honest shards of the reopened round stay: their parent model is the same."""
    now_s = ctx.now_s()
    with ctx.store.write() as tx:
        task = tx.tasks.get(task_id)
        if task is None or action.to_round <= task.adopted_round:
            return
        withdraw(tx, task_id, action.to_round)
        rows = tx.rounds.above(task_id, action.to_round - 1)
        _discard(tx, task, action)
        for row in rows:
            reopened = row.number == action.to_round
            tx.rounds.step(row, RoundEvent.REOPENED if reopened else RoundEvent.DISCARDED)
            if reopened:
                row.opened_s = now_s
        tx.shards.drop_leases(task_id, action.to_round)
        tx.feed.add(
            "round.rolled_back", now_s, task_id, round=action.to_round, without=sorted(action.without)
        )


def discard_above(tx: Transaction, task_id: int, number: int) -> None:
    """Forget all uncertified work above round ``number``."""
    withdraw(tx, task_id, number + 1)
    for item in tx.shards.counting(task_id, number + 1):
        item.verdict = "discarded"
    tx.shards.drop_leases(task_id, number + 1)
    tx.rounds.delete_above(task_id, number)


def withdraw(tx: Transaction, task_id: int, from_round: int) -> None:
    """Give up the segment in flight when it reaches ``from_round``; its rounds below stay computed."""
    segment = tx.committee.in_flight(task_id)
    if segment is None or segment.last_round < from_round:
        return
    segment.state = WITHDRAWN
    kept: list[Round] = tx.rounds.between(task_id, segment.first_round, from_round - 1)
    for row in kept:
        tx.rounds.step(row, RoundEvent.WITHDRAWN)


def _discard(tx: Transaction, task: Task, action: RollBack) -> None:
    guilty = proven(tx.committee.reports(task.task_id), committee_of(task))
    faults = {(f.round, f.shard, f.gradient) for f in guilty}
    for item in tx.shards.counting(task.task_id, action.to_round):
        if item.round == action.to_round and not action.everything and item.miner not in action.without:
            continue
        faulty = (item.round, item.shard, item.gradient) in faults
        item.verdict = "faulty" if faulty else "discarded"
        item.reason = "re-execution gave other codes" if faulty else "rolled back"
