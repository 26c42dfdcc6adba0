"""Does a segment of a trace follow from the one before? Train it again and compare."""

from dataclasses import dataclass
from typing import Final

import numpy as np

from protocol.contest_recipe import ContestRecipe
from protocol.policy import Limits, Policy
from protocol.spec import ModelSpec
from worker.training.codec import MANTISSA_BITS, CodecName, Codes, quantise
from worker.training.contest_step import Job, State, Vector, advance, load_state, save_state
from worker.training.errors import BlobRejected, Diverged
from worker.training.tolerance import CodeComparison, compare_codes
from worker.training.trace import segment_bounds

EVERYWHERE: Final = "cpu"
"""The device that each validator has, whatever else it computes on."""
_CODEC: Final[CodecName] = "int8"


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentVerdict:
    """``identical``: the same bytes. ``comparison``: of the moves as codes, the worst of the vectors, where
    bytes differ and both could be read. ``reason`` is a sentence, empty when ``ok``."""

    segment: int
    ok: bool
    identical: bool
    comparison: CodeComparison | None = None
    reason: str = ""


def trace_limits(model: ModelSpec, recipe: ContestRecipe, policy: Policy, device: str) -> Limits:
    """The limits by which a trace's segments are compared on a torch device. Raises NotCalibrated."""
    return policy.limits_for(arch=model.arch, compute=recipe.compute, codec=_CODEC, device=device)


def replay_segment(
    job: Job,
    segment: int,
    before: bytes,
    after: bytes,
    *,
    policy: Policy,
    threads: int = 1,
    device: str = "cpu",
) -> SegmentVerdict:
    """Train segment ``segment`` again from the checkpoint blob ``before`` and judge the claimed ``after``.

    Equal bytes settle it. Otherwise what the segment moved, parameters and optimizer state, is compared as
    8-bit codes under the policy's limits: for a rounding tie in the exact class, for honest noise in the
    tolerant one. Checkpoints that cannot be read, trained on or compared are false. Raises NotCalibrated
    where the policy has no limits for this work (``trace_limits``): then nothing is known.
    """
    first, last = segment_bounds(job.recipe, segment)
    try:
        start = load_state(job, before, first)
        claimed = load_state(job, after, last)
        own = advance(job, start, last - first, threads=threads, device=device)
        if save_state(job, own) == after:
            return SegmentVerdict(segment=segment, ok=True, identical=True)
        limits = trace_limits(job.model.model, job.recipe, policy, device)
        worst = _compare(job, limits, start, own, claimed)
    except (BlobRejected, Diverged) as error:
        return SegmentVerdict(segment=segment, ok=False, identical=False, reason=str(error))
    reason = "" if worst.ok else f"{worst.differing} of {worst.total} codes of a move differ"
    return SegmentVerdict(segment=segment, ok=worst.ok, identical=False, comparison=worst, reason=reason)


def _compare(job: Job, limits: Limits, start: State, own: State, claimed: State) -> CodeComparison:
    pairs = [(start.parameters, own.parameters, claimed.parameters)]
    pairs += [(start.optimizer[n], own.optimizer[n], claimed.optimizer[n]) for n in sorted(start.optimizer)]
    found = []
    for origin, mine, theirs in pairs:
        moved = [_move(job, origin, vector) for vector in (mine, theirs)]
        found.append(compare_codes(moved[0], moved[1], limits))
    return max(found, key=lambda item: (not item.ok, item.differing))


def _move(job: Job, origin: Vector, vector: Vector) -> Codes:
    """A move as codes. Raises Diverged where it leaves the range of numbers, as from one end to the other."""
    with np.errstate(over="ignore"):
        moved = np.subtract(vector, origin)
    return quantise(MANTISSA_BITS[_CODEC], job.model.layout, moved)
