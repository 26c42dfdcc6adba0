"""What only an execution knows: numbers of a shard that its miner never published, drawn for one validator.

- *Exact class.* The float64 gradient has digits below the float32 parts that the miner commits to. A proof
  holds, at WITNESSES places, how far the gradient is from the float64 sum of the published parts, in steps of
  2**-DEPTH of the place's tensor. Each tensor is as likely as another, so that no layer can be left out.
- *Tolerant class.* The published parts tell the float32 gradient to within noise. A proof holds scores (the
  model's outputs before the softmax) at WITNESSES places. That shows the forward pass, a third of the work.

Two proofs of one execution agree nearly everywhere; who has not executed it agrees by luck, place by place.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from protocol.spec import TaskSpec
from worker.training import philox
from worker.training.codec import Gradient
from worker.training.models import Layout, layout_of
from worker.training.parts import Vector, sum_of

WITNESSES: Final = 64
NEEDED: Final = 48
"""So many have to agree."""
DEPTH: Final = 44
"""A step of a tensor's proof is this many binary places below the power of two above its largest value."""
FLOOR: Final = 48
"""It is never further than this below the whole gradient's: deeper, honest machines differ."""
ROOM: Final = 10
"""A place is asked for only if its float32 neighbours are at least 2**ROOM steps apart."""
SLACK: Final = 8
"""Steps between two numbers that agree, in the exact class."""
SCORE_STEPS: Final = 2**16
"""Of a score, in one."""
SCORE_SLACK: Final = 64
_FLOAT32_BITS: Final = 24
_LIMIT: Final = 2**31 - 1


def is_exact(spec: TaskSpec) -> bool:
    """Whether a proof holds digits of the gradient; otherwise it holds scores."""
    return spec.verification.hardware_class == "exact" and spec.recipe.compute == "float64"


def digits_proof(spec: TaskSpec, seed: bytes, gradient: Gradient, parts: Sequence[Vector]) -> bytes:
    """The proof of the exact class from the own float64 ``gradient`` [size] and the published ``parts``.
    Empty when no place has room."""
    layout, total = layout_of(spec.model), sum_of(parts)
    steps = _steps(layout, total)
    places = _places(layout, seed, np.abs(total) >= np.ldexp(1.0, _FLOAT32_BITS + ROOM) * steps)
    off = gradient.astype(np.float64)[places] - total[places]
    return _packed(off / steps[places])


def scores_proof(scores: NDArray[np.float64]) -> bytes:
    """The proof of the tolerant class from the WITNESSES scores that ``seed`` draws."""
    return _packed(scores * SCORE_STEPS)


def score_places(seed: bytes, total: int) -> NDArray[np.int64]:
    """Which of ``total`` scores a seed draws, in its order."""
    return (philox.words(seed, WITNESSES) % np.uint64(total)).astype(np.int64)


def agreeing(spec: TaskSpec, claimed: bytes, own: bytes) -> int:
    """At how many places two proofs agree; none where they have different lengths."""
    if len(claimed) != len(own):
        return 0
    a, b = (np.frombuffer(proof, dtype="<i4").astype(np.int64) for proof in (claimed, own))
    return int(np.count_nonzero(np.abs(a - b) <= (SLACK if is_exact(spec) else SCORE_SLACK)))


def agrees(spec: TaskSpec, claimed: bytes, own: bytes) -> bool:
    """Whether ``claimed`` is the proof of an execution, ``own`` being ours for the same validator."""
    return agreeing(spec, claimed, own) >= NEEDED if own else not claimed


def _steps(layout: Layout, total: NDArray[np.float64]) -> NDArray[np.float64]:
    """The step at each place [size], from published values alone: the same for everybody."""
    steps = np.empty(layout.size)
    lowest = _top(total) - FLOOR
    for where in layout.slices().values():
        steps[where] = np.ldexp(1.0, max(_top(total[where]) - DEPTH, lowest))
    return steps


def _top(values: NDArray[np.float64]) -> int:
    """The exponent of the smallest power of two above the largest magnitude."""
    return int(np.frexp(np.abs(values).max(initial=0.0))[1])


def _places(layout: Layout, seed: bytes, usable: NDArray[np.bool_]) -> NDArray[np.int64]:
    """WITNESSES usable places, first a tensor and then a place in it; empty when there is none."""
    pools = [where.start + np.flatnonzero(usable[where]) for where in layout.slices().values()]
    pools = [pool for pool in pools if pool.size]
    if not pools:
        return np.empty(0, dtype=np.int64)
    words = philox.words(seed, 2 * WITNESSES)
    chosen = (pools[int(word % np.uint64(len(pools)))] for word in words[:WITNESSES])
    return np.array(
        [
            pool[int(word % np.uint64(pool.size))]
            for pool, word in zip(chosen, words[WITNESSES:], strict=True)
        ],
        dtype=np.int64,
    )


def _packed(values: NDArray[np.float64]) -> bytes:
    return np.clip(np.rint(values), -_LIMIT, _LIMIT).astype("<i4").tobytes()
