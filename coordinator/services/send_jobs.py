"""The outbox: every lease whose job the broker has not taken is offered to it, again and again."""

from coordinator.services.context import Context
from coordinator.store.work_tables import LeaseRow
from protocol.errors import ServiceUnreachable
from protocol.ids import Address, RoundNo, Sha256, ShardNo, TaskId
from protocol.job import ShardJob


def send_jobs(ctx: Context) -> bool:
    """Send what waits; False when the broker is away (then the rest stays in the outbox).

    A crash between sending and noting it sends a job twice: workers answer the second one from their
    journal, and a shard is accepted once.
    """
    jobs: list[tuple[Address, ShardJob]] = []
    with ctx.store.read() as tx:
        for lease in tx.shards.unsent():
            task = tx.tasks.get(lease.task_id)
            row = tx.rounds.get(lease.task_id, lease.round)
            if task is not None and row is not None:
                jobs.append((Address(lease.miner), _job(ctx, lease, task.spec_hash, row.parent_model)))
    sent: list[int] = []
    try:
        for miner, job in jobs:
            ctx.jobs.send(miner, job)
            sent.append(job.fence)
    except ServiceUnreachable:
        return False
    finally:
        if sent:
            with ctx.store.write() as tx:
                tx.shards.mark_sent(sent, ctx.now_s())
    return True


def send_again(ctx: Context) -> None:
    """The queues were lost: whoever may still fill a shard is sent its job once more, under the same fence,
    with all the time of a lease. Who has the job in hand answers the second one from its journal."""
    with ctx.store.write() as tx:
        tx.shards.unsend(ctx.now_s())


def _job(ctx: Context, lease: LeaseRow, spec_hash: bytes, parent_model: bytes) -> ShardJob:
    return ShardJob(
        task_id=TaskId(lease.task_id),
        round=RoundNo(lease.round),
        shard=ShardNo(lease.shard),
        attempt=lease.attempt,
        fence=lease.fence,
        spec_hash=Sha256(spec_hash),
        parent_model=Sha256(parent_model),
        api_url=ctx.api_url,
        lease_s=lease.lease_s,
    )
