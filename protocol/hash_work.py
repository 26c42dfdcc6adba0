"""How hard a hash puzzle is: targets, and their adjustment to a wanted interval, as in Bitcoin.

After every RETARGET_BLOCKS blocks the target is scaled by (time that they took) / (time they should have
taken), clamped to a factor of MAX_STEP either way.
"""

from collections.abc import Sequence
from typing import Final

from protocol.learning_block import MAX_TARGET, Block

RETARGET_BLOCKS: Final = 16
MAX_STEP: Final = 4
PUZZLE_HASHES: Final = 1 << 18
"""Hashes that the fallback puzzle takes on average: about a second on one core."""
PUZZLE_TARGET: Final = (1 << 256) // PUZZLE_HASHES


def target_for(hashes: int) -> int:
    """The target at which a block takes ``hashes`` hashes on average; at least one."""
    return min((1 << 256) // max(1, hashes), MAX_TARGET)


def retarget(target: int, took_s: float, wanted_s: float) -> int:
    """The target after a period that took ``took_s`` instead of ``wanted_s`` seconds."""
    lowest, highest = wanted_s / MAX_STEP, wanted_s * MAX_STEP
    # Milliseconds, so that the product is one of integers and every node gets the same.
    took = round(1_000 * min(max(took_s, lowest), highest))
    return max(1, min(target * took // round(1_000 * wanted_s), MAX_TARGET))


def next_target(blocks: Sequence[Block], interval_s: int, first_target: int) -> int:
    """The target of the block after ``blocks``, which are a whole chain of proof of work from its first
    block on. Times are the headers'."""
    if not blocks:
        return first_target
    if len(blocks) % RETARGET_BLOCKS or len(blocks) < RETARGET_BLOCKS:
        return blocks[-1].target
    period = blocks[-RETARGET_BLOCKS:]
    # From the block before the period, where there is one: RETARGET_BLOCKS intervals and not one less.
    before = blocks[-RETARGET_BLOCKS - 1] if len(blocks) > RETARGET_BLOCKS else period[0]
    intervals = RETARGET_BLOCKS if len(blocks) > RETARGET_BLOCKS else RETARGET_BLOCKS - 1
    return retarget(blocks[-1].target, period[-1].time - before.time, intervals * interval_s)
