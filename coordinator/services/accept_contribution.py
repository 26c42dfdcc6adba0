"""A miner hands in a shard."""

from dataclasses import dataclass
from typing import Any

from coordinator.domain.leases import Verdict, judge
from coordinator.domain.lifecycle import RoundStatus, TaskStatus
from coordinator.services.context import Context
from coordinator.services.ledgers import spec_of
from coordinator.store.shards import to_lease
from coordinator.store.unit_of_work import Transaction
from protocol.blobs import BlobMissing, BlobTooLarge
from protocol.contribution import Contribution, SignedContribution
from protocol.errors import PeerMisbehaved, Refused
from protocol.ids import Address, Sha256
from protocol.parsing import natural, peer_value
from protocol.spec import TaskSpec
from worker.training.codec import decode
from worker.training.errors import BlobRejected
from worker.training.models import layout_of
from worker.training.parts import Opening, sum_fault


@dataclass(frozen=True, slots=True, kw_only=True)
class HandedIn:
    """What a worker posts: the signed contribution, and the attempt and fence of its job."""

    signed: SignedContribution
    attempt: int
    fence: int

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> "HandedIn":
        """Raises PeerMisbehaved when malformed."""
        with peer_value("contribution"):
            attempt, fence = natural(value["attempt"]), natural(value["fence"])
        return cls(signed=SignedContribution.from_json(value), attempt=attempt, fence=fence)


def accept_contribution(ctx: Context, handed: HandedIn) -> Verdict:
    """Take a contribution, once.

    Accepted when: the task runs here and the contribution is for its spec, its round's parent model, one
    of its shards and the exact number of samples; the miner signed it; the shard is not filled and the
    fence is that of its present lease; the blobs of the gradient and of its micro-batches are stored, not
    too large, decodable and finite, and the gradient is the sum. Raises
    Refused (unknown task), PeerMisbehaved (it can never be right), BlobMissing or ServiceUnreachable (try
    again). Saying the same twice gets the same answer.
    """
    c = handed.signed.contribution
    with ctx.store.read() as tx:
        spec = _spec(tx, c)
        _require_fit(spec, c)
        handed.signed.verify(ctx.domain)
        verdict = _judge(tx, handed)
    if verdict is not Verdict.ACCEPTED:
        return verdict
    try:
        _require_readable(ctx, spec, c)
    except PeerMisbehaved as error:
        _reject(ctx, handed, str(error))
        raise
    return _take(ctx, handed)


def _spec(tx: Transaction, c: Contribution) -> TaskSpec:
    task = tx.tasks.get(c.task_id)
    if task is None:
        raise Refused(f"There is no task {c.task_id} here.", "NoTask")
    if task.status == TaskStatus.WAITING or task.spec is None:
        raise Refused(f"Task {c.task_id} has not started.", "NotStarted")
    return spec_of(task)


def _require_fit(spec: TaskSpec, c: Contribution) -> None:
    subject = f"contribution to round {c.round} shard {c.shard} of task {c.task_id}"
    if c.spec_hash != spec.hash:
        raise PeerMisbehaved(subject, "it names another spec")
    if not 1 <= c.round <= spec.recipe.rounds or c.shard >= spec.recipe.shards:
        raise PeerMisbehaved(subject, "the task has no such round or shard")
    if c.samples != spec.recipe.samples_per_shard:
        raise PeerMisbehaved(subject, f"{c.samples} samples, a shard has {spec.recipe.samples_per_shard}")
    if len(c.batches) != spec.recipe.micro_batches:
        raise PeerMisbehaved(
            subject, f"{len(c.batches)} micro-batches, a shard has {spec.recipe.micro_batches}"
        )


def _judge(tx: Transaction, handed: HandedIn) -> Verdict:
    c = handed.signed.contribution
    row = tx.rounds.get(c.task_id, c.round)
    lease = tx.shards.lease(c.task_id, c.round, c.shard)
    filling = tx.shards.filling(c.task_id, c.round, c.shard)
    right_parent = row is not None and row.parent_model == c.parent_model
    same_parent = filling is not None and filling.parent_model == c.parent_model
    return judge(
        miner=c.miner,
        gradient=c.gradient,
        fence=handed.fence,
        round_open=row is not None and right_parent and row.status == RoundStatus.OPEN,
        lease=to_lease(lease) if lease is not None else None,
        filled_by=(Address(filling.miner), Sha256(filling.gradient)) if filling and same_parent else None,
    )


def _require_readable(ctx: Context, spec: TaskSpec, c: Contribution) -> None:
    subject = f"gradient of shard {c.shard}"
    opening = Opening(names=c.batches, fetch=lambda name: ctx.blobs.get(name, spec.limits.max_blob_bytes))
    try:
        blob = ctx.blobs.get(c.gradient, spec.limits.max_blob_bytes)
        # Decoding checks the manifest first, then every code: NaN and infinity have no code, float32 is
        # checked.
        decode(spec.recipe.codec, layout_of(spec.model), blob, subject)
        wrong = sum_fault(spec, blob, [opening.part(spec, i) for i in range(len(c.batches))])
    except BlobMissing:
        raise
    except (BlobRejected, BlobTooLarge) as error:
        raise PeerMisbehaved(error.subject, error.detail) from error
    if wrong:
        raise PeerMisbehaved(subject, wrong)


def _reject(ctx: Context, handed: HandedIn, reason: str) -> None:
    """The holder of the lease sent what cannot be used: the shard goes to somebody else."""
    c, now_s = handed.signed.contribution, ctx.now_s()
    with ctx.store.write() as tx:
        if _judge(tx, handed) is not Verdict.ACCEPTED:
            return
        tx.shards.add(handed.signed, "rejected", now_s, reason[:500])
        lease = tx.shards.lease(c.task_id, c.round, c.shard)
        if lease is not None:
            lease.sent_s = (
                now_s - lease.lease_s
            )  # as if run out: the shard goes to another, the miner is struck
        tx.feed.add(
            "contribution.rejected",
            now_s,
            c.task_id,
            round=c.round,
            shard=c.shard,
            miner=c.miner,
            reason=reason[:500],
        )


def _take(ctx: Context, handed: HandedIn) -> Verdict:
    c, now_s = handed.signed.contribution, ctx.now_s()
    with ctx.store.write() as tx:
        tx.rounds.lock(c.task_id, c.round)
        verdict = _judge(tx, handed)
        if verdict is Verdict.ACCEPTED:
            tx.shards.add(handed.signed, "accepted", now_s)
            tx.shards.drop_lease(c.task_id, c.round, c.shard)
            tx.miners.absolve(c.miner)
            tx.feed.add(
                "contribution.accepted", now_s, c.task_id, round=c.round, shard=c.shard, miner=c.miner
            )
    return verdict
