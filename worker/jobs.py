"""The use case of a miner: a job comes in, at most one signed contribution per shard goes out."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import structlog
from eth_account.signers.local import LocalAccount

from protocol.blobs import BlobStore
from protocol.contribution import Contribution, SignedContribution
from protocol.errors import PotError
from protocol.ids import parse_address
from protocol.job import ShardJob
from protocol.spec import TaskSpec
from protocol.typed_data import Domain
from worker.api_client import Coordinator
from worker.coverage import Arithmetic, require_covered
from worker.errors import JobRefused
from worker.journal import SigningJournal
from worker.task_book import TaskBook
from worker.trainer import ShardAnswer, ShardWork, Trainer
from worker.training.checkpoint import load_checkpoint
from worker.training.data import DatasetCache

log = structlog.get_logger("worker")


@dataclass(frozen=True, slots=True, kw_only=True)
class ShardMiner:
    """Everything a job needs, injected; ``now_s`` gives Unix seconds, ``max_blob_bytes`` is what this machine
    is willing to load whatever a spec allows, ``arithmetic`` what it computes with."""

    account: LocalAccount
    domain: Domain
    tasks: TaskBook
    blobs: BlobStore
    datasets: DatasetCache
    max_blob_bytes: int
    trainer: Trainer
    journal: SigningJournal
    coordinator: Coordinator
    now_s: Callable[[], float]
    arithmetic: Arithmetic

    def handle(self, value: Any, lease_ends_s: float | None) -> None:
        """One delivery from the broker, wrong or right: the outcome is logged, a PotError is not passed on.

        ``value`` is the job's JSON, ``lease_ends_s`` the end of its lease in Unix seconds where the message
        said so.
        """
        try:
            job = ShardJob.from_json(value)
        except PotError as error:
            log.warning("job malformed", why=str(error))
            return
        where = {"task": str(job.task_id), "round": job.round, "shard": job.shard, "attempt": job.attempt}
        try:
            signed = self.mine(job, lease_ends_s)
        except PotError as error:
            log.warning("job not done", error=type(error).__name__, why=str(error), **where)
        except Exception as error:
            # Celery logs the traceback, survives and acknowledges.
            log.error("job failed", error=type(error).__name__, **where)
            raise
        else:
            log.info("shard delivered", gradient=signed.contribution.gradient.hex(), **where)

    def mine(self, job: ShardJob, lease_ends_s: float | None) -> SignedContribution:
        """Do one job; returns what was delivered.

        Accepted when: the lease runs; the chain holds this spec for an open, started task with the spec's
        terms; the round and shard are in the recipe; the spec's policy was measured for what this machine
        computes with. Raises JobRefused or NotCalibrated otherwise, and what chain, blob store, training and
        coordinator raise.
        """
        if lease_ends_s is not None and self.now_s() >= lease_ends_s:
            raise JobRefused(
                "expired", "The lease of this job has ended: its shard belongs to somebody else."
            )
        spec = self.tasks.spec_of(job.task_id, job.spec_hash)
        _require_in_recipe(job, spec)
        require_covered(spec, self.blobs, self.arithmetic)
        signed = self._signed_before(job) or self._sign(job, self._compute(job, spec))
        # A lease that ends during the work is the coordinator's to judge, by the fence.
        self.coordinator.deliver(signed, job)
        return signed

    def _signed_before(self, job: ShardJob) -> SignedContribution | None:
        signed = self.journal.find(job.task_id, job.round, job.shard, job.parent_model)
        if signed is None or signed.contribution.spec_hash != job.spec_hash:
            return None
        # A store that lost something gets it again, from the same work.
        c = signed.contribution
        return signed if all(self.blobs.has(name) for name in (c.gradient, *c.batches)) else None

    def _compute(self, job: ShardJob, spec: TaskSpec) -> ShardAnswer:
        limit = min(spec.limits.max_blob_bytes, self.max_blob_bytes)
        work = ShardWork(
            spec=spec,
            round=job.round,
            shard=job.shard,
            checkpoint=load_checkpoint(spec, self.blobs.get(job.parent_model, limit)),
            dataset=self.datasets.get(spec.dataset, lambda: self.blobs.get(spec.dataset_sha256, limit)),
        )
        return self.trainer.train(work)

    def _sign(self, job: ShardJob, answer: ShardAnswer) -> SignedContribution:
        """Store the gradient and its micro-batches, sign for them, and write that down before anybody can see
        it."""
        gradient = self.blobs.put(answer.gradient)
        batches = tuple(self.blobs.put(part) for part in answer.batches)
        contribution = Contribution(
            task_id=job.task_id,
            round=job.round,
            shard=job.shard,
            miner=parse_address(self.account.address),
            spec_hash=job.spec_hash,
            parent_model=job.parent_model,
            gradient=gradient,
            batches=batches,
            samples=answer.samples,
            loss_micros=answer.loss_micros,
        )
        standing = self.journal.find(job.task_id, job.round, job.shard, job.parent_model)
        if standing is None:
            standing = self.journal.record(contribution.sign(self.domain, self.account))
        if (standing.contribution.gradient, standing.contribution.batches) != (gradient, batches):
            raise JobRefused(
                "signed-another",
                f"This account has signed gradient {standing.contribution.gradient.hex()} for the shard; "
                f"it does not sign {gradient.hex()} as well.",
            )
        return standing


def _require_in_recipe(job: ShardJob, spec: TaskSpec) -> None:
    if job.round > spec.recipe.rounds or job.shard >= spec.recipe.shards:
        raise JobRefused(
            "out-of-range",
            f"Round {job.round}, shard {job.shard} is outside the {spec.recipe.rounds} rounds "
            f"of {spec.recipe.shards} shards.",
        )
