"""Was this gradient blob the work that was asked for? Compute the shard again and compare."""

import hashlib
from dataclasses import dataclass, field

from protocol.policy import Limits, Policy
from protocol.spec import TaskSpec
from worker.training.checkpoint import Checkpoint
from worker.training.codec import Codes, decode_codes
from worker.training.data import Dataset
from worker.training.errors import BlobRejected
from worker.training.models import layout_of
from worker.training.step import encode_gradient, shard_gradient
from worker.training.tolerance import CodeComparison, compare_codes, limits_of


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayVerdict:
    """What re-execution found.

    ``identical``: the blob has the hash of the replayer's own; ``comparison`` is None then, and when the blob
    could not be read. ``samples`` and ``loss_micros`` are the replayer's. ``reason`` is a sentence, empty
    when ``ok``. ``codes`` are the claimed and the own ones where they were compared.
    """

    ok: bool
    identical: bool
    comparison: CodeComparison | None
    own_sha256: bytes
    samples: int
    loss_micros: int
    reason: str
    codes: tuple[Codes, Codes] | None = field(default=None, compare=False, repr=False)

    @property
    def differing_ppm(self) -> int:
        """Codes that differ, parts per million, rounded up; all of them when the blob could not be read."""
        if self.comparison is None:
            return 0 if self.ok else 1_000_000
        return self.comparison.differing_ppm


def replay_shard(
    spec: TaskSpec,
    checkpoint: Checkpoint,
    dataset: Dataset,
    round_number: int,
    shard: int,
    gradient_blob: bytes,
    *,
    policy: Policy,
    threads: int = 1,
    device: str = "cpu",
) -> ReplayVerdict:
    """Re-execute a shard and judge a blob by ``policy``, the one that the spec names.

    Equal hashes settle it. Otherwise the codes are compared, in the exact class for a rounding tie, in the
    tolerant class for honest noise. A blob that cannot be read fails. Raises NotCalibrated where the policy
    has no limits for this work on this device, and what ``shard_gradient`` raises: then nothing is known
    about the blob, and the caller abstains.
    """
    limits = limits_of(spec, policy, device)
    own = shard_gradient(spec, checkpoint, dataset, round_number, shard, threads=threads, device=device)
    own_blob = encode_gradient(spec, own.gradient)
    comparison, codes, reason = _judge(spec, limits, own_blob, gradient_blob)
    return ReplayVerdict(
        ok=not reason,
        identical=own_blob == gradient_blob,
        comparison=comparison,
        own_sha256=hashlib.sha256(own_blob).digest(),
        samples=own.samples,
        loss_micros=own.loss_micros,
        reason=reason,
        codes=codes,
    )


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
