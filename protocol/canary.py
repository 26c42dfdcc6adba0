"""What keeps validators awake: how many canaries a task needs, and what signing one away must cost.

A canary is a contribution that its maker knows to be wrong and has committed to beforehand. It is charged
only to validators whose own (provable) sample holds it and who accepted it, so that an honest validator,
who executes its sample, is never charged. See docs/adr/0022-canaries.md.
"""

import math
from dataclasses import dataclass
from typing import Final

HORIZON_ROUNDS: Final = 1_000
"""Over this many rounds a validator who executes nothing must end poorer."""
CATCHES: Final = 14
"""Canaries that a blind signer meets over the horizon, on average: it meets none with e^-14, one that skips
half of its work with e^-7 = 0.09 %."""
MARGIN: Final = 2
MAX_SHARE_PPM: Final = 200_000
PPM: Final = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class CanaryTerms:
    """``share_ppm`` of a task's shards are canaries; each accepted one costs a validator ``penalty``
    units."""

    share_ppm: int
    penalty: int


def canary_terms(*, shards: int, sample_ppm: int, shard_cost: int) -> CanaryTerms | None:
    """The least terms at which executing less than one's whole sample loses money.

    Over HORIZON_ROUNDS rounds of ``shards`` shards a validator is to execute N = ``sample_ppm`` of them, at
    ``shard_cost`` units each. One that skips a share x of its work saves x * N * cost and meets on average
    x * CATCHES canaries: with a penalty of MARGIN * N * cost, the first one costs more than all of its work,
    and MARGIN * (1 - e^(-CATCHES * x)) > x for every x in (0, 1]. None when more than MAX_SHARE_PPM of the
    shards would have to be canaries: the sampling rate is too low for anybody to notice who sleeps.
    """
    executed_ppm = HORIZON_ROUNDS * shards * sample_ppm
    if not executed_ppm:
        return None
    share_ppm = -(-CATCHES * PPM * PPM // executed_ppm)
    if share_ppm > MAX_SHARE_PPM:
        return None
    executed = -(-executed_ppm // PPM)
    return CanaryTerms(share_ppm=share_ppm, penalty=MARGIN * executed * shard_cost)


def escape_probability(terms: CanaryTerms, executed: int, skipped: float) -> float:
    """The probability that one who skips a share of ``executed`` sampled shards meets no canary there."""
    return math.exp(executed * skipped * math.log1p(-terms.share_ppm / PPM))
