"""Was this gradient blob the work that was asked for? Compute the shard again and compare; or only the one
micro-batch that a report says is wrong."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from protocol.batches import SUM, WHOLE
from protocol.errors import PotError
from protocol.ids import sha256
from protocol.policy import Limits, Policy
from protocol.spec import TaskSpec
from worker.training.bisect import Spot, first_spot, part_fault
from worker.training.checkpoint import Checkpoint
from worker.training.codec import Codes, decode, decode_codes
from worker.training.data import Batch, Dataset
from worker.training.errors import BlobRejected
from worker.training.models import layout_of
from worker.training.parts import Opening, Vector, encode_part, sum_fault
from worker.training.step import (
    ShardResult,
    batches_gradient,
    encode_gradient,
    part_gradient,
    round_batches,
)
from worker.training.tolerance import CodeComparison, compare_codes, limits_of
from worker.training.witness import digits_proof, is_exact, scores_proof


@dataclass(frozen=True, slots=True, kw_only=True)
class ShardSite:
    """Which shard, on which model and data, and how this machine computes: all that a replay needs beside the
    claim. ``witnesses`` are the seeds of those whose proofs are wanted (``worker.training.witness``)."""

    spec: TaskSpec
    checkpoint: Checkpoint
    dataset: Dataset
    round: int
    shard: int
    policy: Policy
    threads: int = 1
    device: str = "cpu"
    witnesses: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayVerdict:
    """What re-execution found.

    ``identical``: the blob has the hash of the replayer's own; ``comparison`` is None then, and when the blob
    could not be read. ``samples`` and ``loss_micros`` are the replayer's. ``reason`` is a sentence, empty
    when ``ok``; ``batch`` is the micro-batch that fails, SUM, or WHOLE where no single one does. ``codes``
    are the claimed and the own ones where they were compared. ``proofs`` are those of the site's witnesses,
    none where the claim fails.
    """

    ok: bool
    identical: bool
    comparison: CodeComparison | None
    own_sha256: bytes
    samples: int
    loss_micros: int
    reason: str
    batch: int = WHOLE
    codes: tuple[Codes, Codes] | None = field(default=None, compare=False, repr=False)
    proofs: tuple[bytes, ...] = ()

    @property
    def differing_ppm(self) -> int:
        """Codes that differ, parts per million, rounded up; all of them when the blob could not be read."""
        if self.comparison is None:
            return 0 if self.ok else 1_000_000
        return self.comparison.differing_ppm


def replay_shard(site: ShardSite, gradient_blob: bytes, opening: Opening | None = None) -> ReplayVerdict:
    """Re-execute a shard and judge a blob, and the micro-batches of ``opening``, by the site's policy, the
    one that the spec names.

    The whole is compared first: equal hashes settle it, otherwise the codes are compared, in the exact class
    for a rounding tie, in the tolerant class for honest noise. A blob that cannot be read fails. Then what is
    wrong is traced to the first micro-batch that fails, or to their sum; where the whole passes, both have to
    be right as well. Raises NotCalibrated where the policy has no limits for this work on this device, what
    ``shard_gradient`` raises, and what ``opening`` raises while the whole passes: then nothing is known about
    the claim, and the caller abstains.
    """
    spec = site.spec
    limits = limits_of(spec, site.policy, site.device)
    batches = round_batches(spec, site.checkpoint, site.dataset, site.round, site.shard)
    own = _computed(site, batches)
    own_blob = encode_gradient(spec, own.gradient)
    comparison, codes, reason = _judge(spec, limits, own_blob, gradient_blob)
    spot = Spot(batch=WHOLE, reason=reason)
    if opening is not None and len(opening.names) == spec.recipe.micro_batches:
        spot = _traced(site, limits, batches, gradient_blob, opening, own.parts, spot)
    return ReplayVerdict(
        ok=not spot.reason,
        identical=own_blob == gradient_blob,
        comparison=comparison,
        own_sha256=hashlib.sha256(own_blob).digest(),
        samples=own.samples,
        loss_micros=own.loss_micros,
        reason=spot.reason,
        batch=spot.batch,
        codes=codes,
        proofs=() if spot.reason or opening is None else _proofs(site, batches, own, opening),
    )


def _computed(
    site: ShardSite, batches: Sequence[Batch], claimed: Sequence[Vector] | None = None
) -> ShardResult:
    return batches_gradient(
        site.spec,
        site.checkpoint.parameters,
        batches,
        threads=site.threads,
        device=site.device,
        watch=site.witnesses,
        claimed=claimed,
    )


def _proofs(
    site: ShardSite, batches: Sequence[Batch], own: ShardResult, opening: Opening
) -> tuple[bytes, ...]:
    """The proofs of an execution that found the claim right.

    Digits have to be those of one function of public data. A later step starts where the parts before it
    lead: where an own one is rounded to the other side, the shard is computed again on the published ones.
    """
    spec = site.spec
    if not site.witnesses:
        return ()
    if not is_exact(spec):
        return tuple(scores_proof(scores) for scores in own.scores)
    names = [sha256(encode_part(spec, part)) for part in own.parts]
    parts = [
        part if name == own_name else opening.part(spec, index)
        for index, (part, name, own_name) in enumerate(zip(own.parts, opening.names, names, strict=True))
    ]
    steered = (spec.recipe.local_steps - 1) * spec.recipe.batches_per_step
    if list(opening.names[:steered]) != names[:steered]:
        own = _computed(site, batches, parts)
    return tuple(digits_proof(spec, seed, own.gradient, parts) for seed in site.witnesses)


def replay_batch(site: ShardSite, gradient_blob: bytes, opening: Opening, batch: int) -> str:
    """Check one micro-batch alone, or SUM: a sentence that says what is wrong, empty when nothing is found.

    That proves nothing about the rest of the shard. Raises what ``replay_shard`` raises, BlobRejected for a
    gradient that cannot be read, and what ``opening`` raises.
    """
    spec = site.spec
    if batch == WHOLE or len(opening.names) != spec.recipe.micro_batches:
        return ""
    if batch == SUM:
        return sum_fault(spec, gradient_blob, [opening.part(spec, i) for i in range(len(opening.names))])
    if batch >= len(opening.names):
        return ""
    limits = limits_of(spec, site.policy, site.device)
    base = decode(spec.recipe.codec, layout_of(spec.model), gradient_blob)
    first = batch // spec.recipe.batches_per_step * spec.recipe.batches_per_step
    before = [opening.part(spec, index) for index in range(first)]
    try:
        claimed = opening.part(spec, batch)
    except BlobRejected as error:
        return str(error)
    batches = round_batches(spec, site.checkpoint, site.dataset, site.round, site.shard)
    reason = part_fault(spec, limits, base, claimed, _computer(site, batches)(batch, before))
    return f"micro-batch {batch}: {reason}" if reason else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """What somebody says about a shard: its gradient's blob and the micro-batches that make it up."""

    site: ShardSite
    gradient: bytes
    opening: Opening

    def replay(self) -> ReplayVerdict:
        """``replay_shard``."""
        return replay_shard(self.site, self.gradient, self.opening)

    def spot_fault(self, batch: int) -> str:
        """``replay_batch``; empty also where it cannot be looked at, which says nothing for or against it."""
        try:
            return replay_batch(self.site, self.gradient, self.opening, batch)
        except PotError:
            return ""


def _traced(
    site: ShardSite,
    limits: Limits,
    batches: Sequence[Batch],
    gradient_blob: bytes,
    opening: Opening,
    own: Sequence[Vector],
    whole: Spot,
) -> Spot:
    """What fails, as narrowly as the opening lets it be said."""
    try:
        spot = first_spot(site.spec, limits, gradient_blob, opening, own, _computer(site, batches))
    except PotError:
        if whole.reason:
            return whole  # what is withheld or unreadable does not make the rest right
        raise
    return spot or whole


def _computer(site: ShardSite, batches: Sequence[Batch]) -> Callable[[int, Sequence[Vector]], Vector]:
    def compute(index: int, before: Sequence[Vector]) -> Vector:
        return part_gradient(
            site.spec,
            site.checkpoint.parameters,
            batches,
            index,
            before,
            threads=site.threads,
            device=site.device,
        )

    return compute


def _judge(
    spec: TaskSpec, limits: Limits, own: bytes, claimed: bytes
) -> tuple[CodeComparison | None, tuple[Codes, Codes] | None, str]:
    if own == claimed:
        return None, None, ""
    codec, layout = spec.recipe.codec, layout_of(spec.model)
    try:
        codes = decode_codes(codec, layout, claimed), decode_codes(codec, layout, own)
    except BlobRejected as error:
        return None, None, str(error)
    comparison = compare_codes(*codes, limits)
    return comparison, codes, "" if comparison.ok else _why(comparison, limits)


def _why(found: CodeComparison, limits: Limits) -> str:
    return (
        f"{found.differing} of {found.total} codes differ, by up to {found.max_level} levels, {found.stray} "
        f"blocks stray, relative L2 {found.l2_ppb / 1e9:.2g}; allowed are {limits.codes(found.total)} codes "
        f"by 1 level, relative L2 {limits.near_l2_ppb / 1e9:.2g}"
    )
