"""How often miners say that they are alive, and after what silence one is taken for dead.

The pace follows the number of miners, so that signs of life are a bounded load however many there are.
"""

from typing import Final

SHORTEST_PAUSE_S: Final = 3.0
LONGEST_PAUSE_S: Final = 60.0
BEATS_PER_S: Final = 20
"""Signs of life of all miners together, as far as LONGEST_PAUSE_S allows."""
GRACE_S: Final = 5.0
GRACE_SHARE: Final = 0.25
"""A sign of life may be late by this share of the pause: a few tries lie in that time."""


def pause_s(alive: int) -> float:
    """Seconds until the next sign of life of one of ``alive`` miners."""
    return min(max(SHORTEST_PAUSE_S, alive / BEATS_PER_S), LONGEST_PAUSE_S)


def patience_s(pause: float) -> float:
    """The silence after which a miner that was told to wait ``pause`` seconds is taken for dead."""
    return pause + max(GRACE_S, GRACE_SHARE * pause)
