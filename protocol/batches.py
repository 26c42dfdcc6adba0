"""What a contribution commits to beside its gradient: that of each micro-batch, under one Merkle root.

A leaf is (index, sha256 of the micro-batch's gradient blob), so one of them can be shown with a proof of a
few hashes; the blob is float32 (``worker.training.parts``) and already divided by the number of targets, so
that the shard's gradient is the plain sum.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import Final

from protocol import merkle
from protocol.ids import Sha256

MAX_MICRO_BATCHES: Final = 1_024
"""Of one shard."""

WHOLE: Final = 2**32 - 1
"""A fault that no single micro-batch shows: the whole shard has to be computed."""
SUM: Final = 2**32 - 2
"""A fault that shows without computing: the gradient is not the sum of its micro-batches' gradients."""


def leaves_of(names: Sequence[Sha256]) -> list[merkle.Leaf]:
    """The leaves, in the order of the micro-batches."""
    return list(enumerate(names))


@lru_cache(maxsize=4_096)
def batches_root(names: tuple[Sha256, ...]) -> bytes:
    """The 32-byte root that the miner signs."""
    return merkle.root(leaves_of(names), merkle.BATCH_LEAF)


def batch_proof(names: Sequence[Sha256], index: int) -> list[bytes]:
    """The path from the leaf of micro-batch ``index`` to the root."""
    return merkle.proof(leaves_of(names), merkle.BATCH_LEAF, index)


def is_batch_number(value: int) -> bool:
    """Whether a fault report may name it: a micro-batch, the sum or the whole."""
    return value in (WHOLE, SUM) or 0 <= value < MAX_MICRO_BATCHES


def in_words(batch: int) -> str:
    """What a report says is wrong."""
    return {WHOLE: "the whole shard", SUM: "the sum of its micro-batches"}.get(batch, f"micro-batch {batch}")
