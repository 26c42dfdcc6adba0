"""Are two gradients the same work? Integer codes compared under the spec's policy.

Honest noise is far below one code, so it flips a code only at a rounding tie and then by one level. At a
power of two it can also flip a block's exponent: the finer block's peak is then saturated and the coarser
one's is exactly half the range. Such a pair is compared on the coarser grid; any other difference of
exponents is a different value.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from protocol.spec import Verification
from worker.training.codec import Codes

MAX_LEVEL = 2**31 - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeComparison:
    """``differing`` of ``total`` codes are unequal, none by more than ``max_level`` levels."""

    differing: int
    total: int
    max_level: int
    ok: bool

    @property
    def differing_ppm(self) -> int:
        """Parts per million, rounded up: 0 means that all codes are equal."""
        return -(-self.differing * 1_000_000 // self.total)


def compare_codes(a: Codes, b: Codes, policy: Verification) -> CodeComparison:
    """Compare two gradients of one layout and codec; symmetric in ``a`` and ``b``."""
    if a.codes.shape != b.codes.shape or a.bits != b.bits:
        raise ValueError("codes of different layouts or codecs")
    levels = _levels(a, b)
    differing, max_level = int(np.count_nonzero(levels)), int(levels.max())
    # In integers: a fraction is below the limit exactly when the products are.
    few = differing * 1_000_000 <= policy.max_differing_ppm * a.total
    return CodeComparison(
        differing=differing, total=a.total, max_level=max_level, ok=few and max_level <= policy.max_level
    )


def _levels(a: Codes, b: Codes) -> NDArray[np.int64]:
    """How many levels apart each pair is, int64 [blocks, BLOCK]."""
    peak_a, peak_b = np.abs(a.codes).max(axis=1), np.abs(b.codes).max(axis=1)
    # A block of zeros lies on any grid.
    exponents_a = np.where(peak_a == 0, b.exponents, a.exponents)
    exponents_b = np.where(peak_b == 0, a.exponents, b.exponents)
    levels: NDArray[np.int64] = np.abs(a.codes.astype(np.int64) - b.codes)
    for block in np.flatnonzero(exponents_a != exponents_b):
        a_is_finer = exponents_a[block] < exponents_b[block]
        fine, coarse = (a.codes[block], b.codes[block]) if a_is_finer else (b.codes[block], a.codes[block])
        shift = int(abs(exponents_a[block] - exponents_b[block]))
        levels[block] = _across_exponents(fine.astype(np.int64), coarse.astype(np.int64), shift, a.bits)
    return levels


def _across_exponents(
    fine: NDArray[np.int64], coarse: NDArray[np.int64], shift: int, bits: int
) -> NDArray[np.int64]:
    at_boundary = np.abs(fine).max() == 2**bits - 1 and np.abs(coarse).max() == 2 ** (bits - 1)
    if shift == 1 and at_boundary:
        apart = np.abs(2 * coarse - fine)
        # round(x) and round(x / 2) of one value satisfy this with 1; beyond it, count levels of the coarser
        # grid.
        boundary: NDArray[np.int64] = np.where(apart <= 1, 0, -(-apart // 2))
        return boundary
    apart = np.abs(coarse * 2 ** min(shift, 31) - fine)
    bounded: NDArray[np.int64] = np.minimum(apart, MAX_LEVEL)
    return bounded
