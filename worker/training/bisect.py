"""Where does a shard fail? Two statements bind a gradient to its micro-batches, and each is checked alone.

- *A part.* Put in the place of the claimed one, the part computed here leaves the shard's gradient within the
  limits of the policy. One micro-batch has less honest noise than the shard it is in, so limits that hold for
  the shard hold here, and no micro-batch needs limits of its own.
- *The sum* (``worker.training.parts``), which needs no computing of gradients.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from protocol.batches import SUM
from protocol.ids import sha256
from protocol.policy import Limits
from protocol.spec import TaskSpec
from worker.training.codec import MANTISSA_BITS, decode, padded, quantise
from worker.training.errors import BlobRejected, Diverged
from worker.training.models import layout_of
from worker.training.parts import Opening, Vector, encode_part, half_levels, sum_fault
from worker.training.tolerance import compare_codes


@dataclass(frozen=True, slots=True, kw_only=True)
class Spot:
    """What fails: a micro-batch's number, SUM, or WHOLE when no single one does; ``reason`` is a sentence."""

    batch: int
    reason: str


def first_spot(
    spec: TaskSpec,
    limits: Limits,
    gradient_blob: bytes,
    opening: Opening,
    own: Sequence[Vector],
    compute: Callable[[int, Sequence[Vector]], Vector],
) -> Spot | None:
    """The first thing that fails, ``own`` being the parts computed here: a micro-batch, then the sum; None
    when nothing does. ``compute(index, parts before it)`` computes a part
    at the point to which the claimed ones lead.

    Raises what the blob store raises, and BlobRejected when the gradient itself cannot be read.
    """
    per_step = spec.recipe.batches_per_step
    own_names = [sha256(encode_part(spec, part)) for part in own]
    base = decode(spec.recipe.codec, layout_of(spec.model), gradient_blob)
    claimed: list[Vector] = []
    for index, name in enumerate(opening.names):
        start = index // per_step * per_step
        same_point = list(opening.names[:start]) == own_names[:start]
        if same_point and name == own_names[index]:
            claimed.append(own[index])
            continue
        try:
            part = opening.part(spec, index)
        except BlobRejected as error:
            return Spot(batch=index, reason=str(error))
        mine = own[index] if same_point else compute(index, claimed)
        if reason := part_fault(spec, limits, base, part, mine):
            return Spot(batch=index, reason=f"micro-batch {index}: {reason}")
        claimed.append(part)
    if reason := sum_fault(spec, gradient_blob, claimed):
        return Spot(batch=SUM, reason=reason)
    return None


def part_fault(spec: TaskSpec, limits: Limits, base: Vector, claimed: Vector, own: Vector) -> str:
    """Why a claimed part is not the one computed here, as a sentence; empty when it is. ``base`` is the
    claimed gradient, flat [size]."""
    layout, bits = layout_of(spec.model), MANTISSA_BITS[spec.recipe.codec]
    off = claimed.astype(np.float64) - own
    if not off.any():
        return ""
    before = quantise(bits, layout, base)
    # A change by less than half a level moves no code of a gradient that lies on its grid.
    if spec.recipe.codec != "float32" and bool((np.abs(padded(layout, off)) < half_levels(before)).all()):
        return ""
    try:
        found = compare_codes(before, quantise(bits, layout, base.astype(np.float64) - off), limits)
    except Diverged:
        return "it is out of range"
    if found.ok:
        return ""
    return (
        f"the right one moves {found.differing} of {found.total} codes by up to {found.max_level} levels, "
        f"relative L2 {found.l2_ppb / 1e9:.2g}"
    )
