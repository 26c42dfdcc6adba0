"""A round ends: its gradients become the next model."""

from coordinator.domain.actions import CloseRound
from coordinator.domain.lifecycle import RoundEvent, RoundStatus
from coordinator.services.context import Context
from coordinator.services.ledgers import spec_of
from coordinator.store.work_tables import ContributionRow
from protocol.blobs import BlobMissing
from protocol.ids import Sha256, TaskId, parse_address
from worker.training.rounds import apply_round


def close_round(ctx: Context, task_id: TaskId, action: CloseRound) -> None:
    """Aggregate what was accepted, store the checkpoint, and note the model.

    Nothing changes when another shard arrived meanwhile: the next decision counts it in. A gradient that
    the blob store has lost is taken off the round, so that the shard is computed again. Raises Diverged,
    ServiceUnreachable.
    """
    with ctx.store.read() as tx:
        task, row = tx.tasks.get(task_id), tx.rounds.get(task_id, action.round)
        if task is None or row is None or row.status != RoundStatus.OPEN:
            return
        spec, counting = spec_of(task), tx.shards.counting(task_id, action.round, action.round)
    gradients: dict[int, bytes] = {}
    for item in counting:
        try:
            gradients[item.shard] = ctx.blobs.get(Sha256(item.gradient), spec.limits.max_blob_bytes)
        except BlobMissing as error:
            _drop(ctx, item, str(error))
            return
    parent = ctx.blobs.get(Sha256(row.parent_model), spec.limits.max_blob_bytes)
    miners = {item.shard: parse_address(item.miner) for item in counting}
    model = ctx.blobs.put(apply_round(spec, parent, gradients, miners))
    _note(ctx, task_id, action, model, counting)


def _note(
    ctx: Context, task_id: TaskId, action: CloseRound, model: Sha256, counting: list[ContributionRow]
) -> None:
    now_s = ctx.now_s()
    with ctx.store.write() as tx:
        row = tx.rounds.lock(task_id, action.round)
        present = tx.shards.counting(task_id, action.round, action.round)
        if row is None or [item.id for item in present] != [item.id for item in counting]:
            return
        tx.rounds.step(row, RoundEvent.CLOSED)
        row.model, row.closed_s = model, now_s
        row.loss_micros = sum(item.loss_micros for item in counting) // len(counting)
        tx.shards.drop_leases(task_id, action.round, action.round)
        tx.feed.add(
            "round.closed",
            now_s,
            task_id,
            round=action.round,
            model=model.hex(),
            shards=len(counting),
            loss_micros=row.loss_micros,
        )


def _drop(ctx: Context, item: ContributionRow, reason: str) -> None:
    with ctx.store.write() as tx:
        row = tx.shards.filling(item.task_id, item.round, item.shard)
        if row is not None and row.id == item.id:
            row.verdict, row.reason = "rejected", reason
            now_s = ctx.now_s()
            tx.feed.add(
                "contribution.rejected",
                now_s,
                item.task_id,
                round=item.round,
                shard=item.shard,
                miner=item.miner,
                reason=reason,
            )
