"""The strongest cheat that the code check lets through: every code that may differ differs, on purpose.

Known to the honest only for measuring; what it does to a model and how soon it shows is in
docs/verification.md.
"""

import numpy as np
from numpy.typing import NDArray

from protocol.policy import Limits
from worker.training.codec import BLOCK, Codes


def push(own: Codes, direction: NDArray[np.int64], limits: Limits, share_ppm: int = 1_000_000) -> Codes:
    """``own`` with ``share_ppm`` of the codes that may differ moved one level towards ``direction``, int
    [blocks, BLOCK] of -1, 0 and 1, where they weigh most: in the blocks with the largest exponents, as many
    as a block may hold. The result is near ``own`` under ``limits`` as far as counts go."""
    budget = limits.codes(own.total) * share_ppm // 1_000_000
    codes = own.codes.copy()
    limit = 2**own.bits - 1
    peaks = np.abs(own.codes).max(axis=1)
    for block in np.argsort(-own.exponents, kind="stable"):
        if budget <= 0:
            break
        if peaks[block] == 0:
            continue
        moved = own.codes[block] + direction[block]
        # The largest value fixes the block's exponent; it stays where it is.
        free = (direction[block] != 0) & (np.abs(moved) <= limit) & (np.abs(own.codes[block]) < peaks[block])
        places = np.flatnonzero(free)[: min(limits.block_codes, budget, BLOCK)]
        codes[block, places] = moved[places]
        budget -= len(places)
    return Codes(bits=own.bits, codes=codes, exponents=own.exponents, total=own.total)
