"""Redo the training of a certified segment: every update bit for bit, and chosen rounds from the samples
up."""

from collections.abc import Callable, Collection
from dataclasses import dataclass, field

from pot.audit.report import WrongLeaf
from pot.audit.verdicts import VerdictAudit
from protocol.batches import WHOLE
from protocol.blobs import BlobStore
from protocol.chain.appeals import CaseKind
from protocol.contribution import SignedContribution
from protocol.errors import VerificationFailed
from protocol.ids import Sha256, sha256
from protocol.policy import load_policy
from protocol.segment import RoundRecord
from protocol.spec import TaskSpec
from worker.training.checkpoint import initial_checkpoint, load_checkpoint
from worker.training.data import Dataset, DatasetCache
from worker.training.parts import Opening
from worker.training.replay import Claim, ShardSite
from worker.training.rounds import apply_round

EXACT_LOSS_MICROS = 1
"""How far a stated loss may be off where arithmetic is exact: a rounding tie."""
TOLERANT_LOSS_PART = 50
"""Elsewhere: one part in this many."""
MAX_NOTES = 100


@dataclass(slots=True, kw_only=True)
class Replayer:
    """Replays one task. ``rounds`` are re-executed shard by shard; all others are only aggregated again.
    ``notes`` are claims found false on which no money and no model rests, ``verdicts`` what validators say
    of the same shards."""

    spec: TaskSpec
    blobs: BlobStore
    rounds: Collection[int]
    on_shard: Callable[[int, int], None] = lambda round_number, shard: None
    datasets: DatasetCache = field(default_factory=DatasetCache)
    notes: list[str] = field(default_factory=list)
    verdicts: VerdictAudit | None = None

    def genesis(self) -> Sha256:
        """The sha256 of the checkpoint that the spec determines for round 0."""
        return sha256(initial_checkpoint(self.spec))

    def dataset(self) -> Dataset:
        """The dataset the spec names. Raises VerificationFailed, BlobMissing or InvalidDataset."""
        return self.datasets.get(self.spec.dataset, lambda: self.blobs.get(self.spec.dataset_sha256))

    def round(self, item: RoundRecord) -> int:
        """Redo one round; returns how many shards were re-executed. Raises VerificationFailed at the first
        lie."""
        parent = self._blob(item.parent_model)
        gradients: dict[int, bytes] = {
            s.contribution.shard: self._blob(s.contribution.gradient) for s in item.contributions
        }
        model = apply_round(self.spec, parent, gradients, item.miners)
        if sha256(model) != item.model:
            raise VerificationFailed(
                f"model of round {item.round}",
                f"the certified gradients lead to {sha256(model).hex()}, not to {item.model.hex()}",
            )
        if item.round not in self.rounds:
            return 0
        for signed in item.contributions:
            c = signed.contribution
            seeds = () if self.verdicts is None else self.verdicts.seeds(c.round, c.shard)
            verdict = self.claim(signed, parent, gradients[c.shard], seeds).replay()
            if not verdict.ok:
                raise WrongLeaf(
                    f"gradient {c.gradient.hex()} of round {c.round} shard {c.shard} by {c.miner}",
                    f"re-execution disagrees: {verdict.reason}",
                    kind=CaseKind.CONTRIBUTION,
                    round_number=c.round,
                    shard=c.shard,
                    miner=c.miner,
                    batch=verdict.batch,
                )
            if self.verdicts is not None:
                self.verdicts.compare(c.round, c.shard, verdict.proofs)
            self._note_loss(signed, verdict.loss_micros)
            self.on_shard(c.round, c.shard)
        return len(item.contributions)

    def _note_loss(self, signed: SignedContribution, own: int) -> None:
        """A miner's loss is its word: nobody is paid by it, so a false one is told, not called a lie."""
        c = signed.contribution
        exact = self.spec.verification.hardware_class == "exact"
        allowed = EXACT_LOSS_MICROS if exact else own // TOLERANT_LOSS_PART + EXACT_LOSS_MICROS
        if abs(c.loss_micros - own) > allowed and len(self.notes) < MAX_NOTES:
            self.notes.append(
                f"round {c.round} shard {c.shard}: {c.miner} states a loss of {c.loss_micros} micronats, "
                f"re-execution finds {own}"
            )

    def model(self, name: Sha256) -> None:
        """The certified model is there for its owner, and is a checkpoint of the spec. Raises BlobMissing or
        VerificationFailed."""
        load_checkpoint(self.spec, self._blob(name), f"checkpoint {name.hex()}")

    def is_fault(self, signed: SignedContribution, batch: int = WHOLE) -> bool:
        """Whether a contribution fails re-execution. ``batch`` says where it is said to show: if it does,
        nothing else is executed."""
        return self.fault_at(signed, batch) is not None

    def fault_at(self, signed: SignedContribution, batch: int = WHOLE) -> int | None:
        """Where a contribution fails (``protocol.batches``), looking at ``batch`` first; None when it does
        not."""
        c = signed.contribution
        claim = self.claim(signed, self._blob(c.parent_model), self._blob(c.gradient))
        if claim.spot_fault(batch):
            return batch
        verdict = claim.replay()
        return None if verdict.ok else verdict.batch

    def claim(
        self, signed: SignedContribution, parent: bytes, gradient: bytes, witnesses: tuple[bytes, ...] = ()
    ) -> Claim:
        """A contribution, to be re-executed from the parent checkpoint; ``witnesses`` as ``ShardSite`` has
        them."""
        c = signed.contribution
        site = ShardSite(
            spec=self.spec,
            checkpoint=load_checkpoint(self.spec, parent, f"checkpoint {c.parent_model.hex()}"),
            dataset=self.dataset(),
            round=c.round,
            shard=c.shard,
            policy=load_policy(self.spec.policy_sha256, self.blobs),
            witnesses=witnesses,
        )
        return Claim(site=site, gradient=gradient, opening=Opening(names=c.batches, fetch=self._blob))

    def _blob(self, name: Sha256) -> bytes:
        return self.blobs.get(name, self.spec.limits.max_blob_bytes)
