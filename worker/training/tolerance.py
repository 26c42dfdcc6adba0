"""Are two gradients the same work? Integer codes compared under the limits of the spec's policy.

Honest noise is far below one code, so it flips a code only at a rounding tie and then by one level. At a
power of two it can also flip a block's exponent: the finer block's peak is then saturated and the coarser
one's is exactly half the range. Such a pair is compared on the coarser grid; any other difference of
exponents is a different value. In float32, two things are larger: a block whose true values cancel holds
little but noise (*stray* blocks, of next to no length), and an activation within noise of a kink changes one
sample's share (doubt: not a miss, but counted over rounds).
"""

from dataclasses import dataclass
from enum import Enum

import numpy as np
from numpy.typing import NDArray

from protocol.policy import Limits, Policy
from protocol.spec import TaskSpec
from worker.training.codec import Codes

MAX_LEVEL = 2**31 - 1
_PPB = 1_000_000_000


class Zone(Enum):
    """What a comparison came to; only a miss speaks against the miner by itself."""

    NEAR = "near"
    DOUBTFUL = "doubtful"
    MISS = "miss"


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """How two gradients differ, block by block: ``counts`` of unequal codes and ``peaks`` in levels, int64
    [blocks]; ``total`` codes; ``l2_ppb`` their distance relative to the longer one, rounded up."""

    counts: NDArray[np.int64]
    peaks: NDArray[np.int64]
    total: int
    l2_ppb: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeComparison:
    """``differing`` of ``total`` codes are unequal, none by more than ``max_level`` levels; ``stray`` blocks
    hold all of them but ``scattered``."""

    differing: int
    scattered: int
    total: int
    stray: int
    max_level: int
    l2_ppb: int
    zone: Zone

    @property
    def ok(self) -> bool:
        return self.zone is not Zone.MISS

    @property
    def differing_ppm(self) -> int:
        """Parts per million, rounded up: 0 means that all codes are equal."""
        return -(-self.differing * 1_000_000 // self.total)


def limits_of(spec: TaskSpec, policy: Policy, device: str = "cpu") -> Limits:
    """The limits that ``policy`` sets for a task's shards on a torch device. Raises NotCalibrated."""
    return policy.limits_for(
        arch=spec.model.arch, compute=spec.recipe.compute, codec=spec.recipe.codec, device=device
    )


def compare_codes(a: Codes, b: Codes, limits: Limits) -> CodeComparison:
    """Compare two gradients of one layout and codec; symmetric in ``a`` and ``b``."""
    return judge(difference(a, b), limits)


def difference(a: Codes, b: Codes) -> Difference:
    """Measure two gradients of one layout and codec; symmetric in ``a`` and ``b``."""
    if a.codes.shape != b.codes.shape or a.bits != b.bits:
        raise ValueError("codes of different layouts or codecs")
    levels, straddling = _levels(a, b)
    return Difference(
        counts=np.count_nonzero(levels, axis=1).astype(np.int64),
        peaks=levels.max(axis=1),
        total=a.total,
        l2_ppb=_relative_l2_ppb(a, b, levels, straddling),
    )


def judge(found: Difference, limits: Limits) -> CodeComparison:
    """Where a difference lies under ``limits``."""
    is_stray = (found.peaks > 1) | (found.counts > limits.block_codes)
    stray, scattered = int(is_stray.sum()), int(found.counts[~is_stray].sum())
    few = scattered <= limits.codes(found.total) and stray <= limits.stray_blocks(found.counts.size)
    zone = Zone.MISS
    if few and found.l2_ppb <= limits.near_l2_ppb:
        zone = Zone.NEAR
    elif found.l2_ppb <= limits.doubtful_l2_ppb:
        zone = Zone.DOUBTFUL
    return CodeComparison(
        differing=int(found.counts.sum()),
        scattered=scattered,
        total=found.total,
        stray=stray,
        max_level=int(found.peaks.max()),
        l2_ppb=found.l2_ppb,
        zone=zone,
    )


def residual(claimed: Codes, own: Codes) -> NDArray[np.int64]:
    """Claimed less recomputed, in levels, int64 [blocks, BLOCK]; zero where the grids differ."""
    same = (claimed.exponents == own.exponents)[:, np.newaxis]
    return np.where(same, claimed.codes.astype(np.int64) - own.codes, 0)


def _relative_l2_ppb(a: Codes, b: Codes, levels: NDArray[np.int64], straddling: NDArray[np.int64]) -> int:
    x, y = _values(a), _values(b)
    apart = x - y
    # On two grids around a power of two, one value has two roundings: what counts is levels there as well.
    coarser = np.maximum(a.exponents[straddling], b.exponents[straddling])
    apart[straddling] = levels[straddling] * np.ldexp(1.0, coarser)[:, np.newaxis]
    distance = _length(apart)
    return min(_PPB, int(np.ceil(distance / max(_length(x), _length(y)) * _PPB))) if distance else 0


def _values(grid: Codes) -> NDArray[np.float64]:
    scale: NDArray[np.float64] = np.ldexp(1.0, grid.exponents)
    return grid.codes.astype(np.float64) * scale[:, np.newaxis]


def _length(values: NDArray[np.float64]) -> float:
    # Not by a matrix library: its threads cost more than the sum.
    return float(np.sqrt(np.square(values).sum()))


def _levels(a: Codes, b: Codes) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """How many levels apart each pair is, int64 [blocks, BLOCK], and which blocks lie on two grids around a
    power of two."""
    peak_a, peak_b = np.abs(a.codes).max(axis=1), np.abs(b.codes).max(axis=1)
    # A block of zeros lies on any grid.
    exponents_a = np.where(peak_a == 0, b.exponents, a.exponents)
    exponents_b = np.where(peak_b == 0, a.exponents, b.exponents)
    levels: NDArray[np.int64] = np.abs(a.codes.astype(np.int64) - b.codes)
    straddling = []
    for block in np.flatnonzero(exponents_a != exponents_b):
        a_is_finer = exponents_a[block] < exponents_b[block]
        fine, coarse = (a.codes[block], b.codes[block]) if a_is_finer else (b.codes[block], a.codes[block])
        shift = int(abs(exponents_a[block] - exponents_b[block]))
        at_boundary = shift == 1 and _is_boundary(fine, coarse, a.bits)
        levels[block] = _across_exponents(fine.astype(np.int64), coarse.astype(np.int64), shift, at_boundary)
        if at_boundary:
            straddling.append(block)
    return levels, np.array(straddling, dtype=np.int64)


def _is_boundary(fine: NDArray[np.int32], coarse: NDArray[np.int32], bits: int) -> bool:
    return bool(np.abs(fine).max() == 2**bits - 1 and np.abs(coarse).max() == 2 ** (bits - 1))


def _across_exponents(
    fine: NDArray[np.int64], coarse: NDArray[np.int64], shift: int, at_boundary: bool
) -> NDArray[np.int64]:
    if at_boundary:
        apart = np.abs(2 * coarse - fine)
        # round(x) and round(x / 2) of one value satisfy this with 1; beyond it, count levels of the coarser
        # grid.
        boundary: NDArray[np.int64] = np.where(apart <= 1, 0, -(-apart // 2))
        return boundary
    apart = np.abs(coarse * 2 ** min(shift, 31) - fine)
    bounded: NDArray[np.int64] = np.minimum(apart, MAX_LEVEL)
    return bounded
