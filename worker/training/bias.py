"""Does a miner's honest-looking noise point somewhere? Sequential tests over the shards a replica sampled.

Honest rounding has no preference: given its size and everything before, a residual (claimed less recomputed
codes) is as likely as its negative. Each sampled shard that differs at all therefore tosses two fair coins:

- *along*: is the residual along the gradient itself or against it (more, or less, than the work)?
- *past*: is it along the sum of this miner's residuals so far (any direction that lasts, known to nobody)?

and a third, unfair one: is the check doubtful, which honest work is at most ``doubtful_ppm`` of the time?
The evidence is a betting martingale (Krichevsky and Trofimov 1981 for the coins, a mixture of likelihood
ratios for doubt): under honesty it ever reaches 1 / alpha with a probability of at most alpha (Ville 1939),
however often one looks. One shard gives at most a factor of two, whatever correlations its codes have.

The state is a few counters and a sketch of SKETCH integers, a random projection that keeps inner products
(Charikar, Chen and Farach-Colton 2002) and whose signs follow from a secret of the replica, so that nobody
can hide in what it loses.
"""

import math
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from protocol.policy import PPM, Limits
from worker.training import philox
from worker.training.codec import Codes
from worker.training.tolerance import Zone

SKETCH: Final = 256
MAX_OBSERVATIONS: Final = 2**31
_TESTS: Final = 3
_DOUBT_FACTORS: Final = (4, 16, 64)


class Suspicion(Enum):
    """Which test rejected honesty."""

    ALONG = "its noise follows the gradient"
    PAST = "its noise keeps a direction"
    DOUBT = "too much of its work is doubtful"


@dataclass(frozen=True, slots=True, kw_only=True)
class Tosses:
    """Outcomes of a coin that is fair under honesty."""

    up: int = 0
    down: int = 0

    def toss(self, value: int) -> "Tosses":
        """One more; zero is no toss."""
        return Tosses(up=self.up + (value > 0), down=self.down + (value < 0))

    @property
    def log_evidence(self) -> float:
        """Natural logarithm of the Krichevsky-Trofimov wealth: 2^n G(up + 1/2) G(down + 1/2) / (pi n!)."""
        n = self.up + self.down
        halves = math.lgamma(self.up + 0.5) + math.lgamma(self.down + 0.5)
        return n * math.log(2) + halves - math.log(math.pi) - math.lgamma(n + 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class NoiseHistory:
    """What one replica keeps of one miner in one task: bounded, whatever the model's size.

    ``drift`` is the sketched sum of its residuals, in levels.
    """

    checks: int = 0
    doubtful: int = 0
    along: Tosses = Tosses()
    past: Tosses = Tosses()
    drift: tuple[int, ...] = (0,) * SKETCH


def observe(
    history: NoiseHistory, noise: NDArray[np.int64], own: Codes, zone: Zone, secret: bytes
) -> NoiseHistory:
    """The history with one more sampled shard.

    ``noise`` int64 [blocks, BLOCK] is the residual in levels, ``own`` the recomputed codes, ``secret`` the
    same for all shards of one history. A miss is a fault and no noise: it is not observed here.
    """
    if history.checks >= MAX_OBSERVATIONS:
        return history
    sketch = _sketch(noise, secret)
    past = int(np.dot(sketch.astype(object), np.array(history.drift, dtype=object)))
    return NoiseHistory(
        checks=history.checks + 1,
        doubtful=history.doubtful + (zone is Zone.DOUBTFUL),
        along=history.along.toss(int((noise * np.sign(own.codes)).sum())),
        past=history.past.toss(past),
        drift=tuple(int(old + new) for old, new in zip(history.drift, sketch, strict=True)),
    )


def suspicions(history: NoiseHistory, limits: Limits, test_ppb: int) -> tuple[Suspicion, ...]:
    """The tests that reject honesty; all of them together do so for an honest miner with a probability of
    at most ``test_ppb`` / 10^9, over its whole history."""
    threshold = math.log(_TESTS * 1_000_000_000 / test_ppb)
    evidence = {
        Suspicion.ALONG: history.along.log_evidence,
        Suspicion.PAST: history.past.log_evidence,
        Suspicion.DOUBT: _doubt(history, limits.doubtful_ppm),
    }
    return tuple(test for test, found in evidence.items() if found >= threshold)


def _doubt(history: NoiseHistory, doubtful_ppm: int) -> float:
    """Log of the mean likelihood ratio of several rates above ``doubtful_ppm``: a supermartingale at or
    below that rate."""
    if not doubtful_ppm or doubtful_ppm >= PPM // 2:
        return -math.inf
    honest, k, n = doubtful_ppm / PPM, history.doubtful, history.checks
    ratios = []
    for factor in _DOUBT_FACTORS:
        rate = min(0.5, factor * honest)
        ratios.append(k * math.log(rate / honest) + (n - k) * math.log((1 - rate) / (1 - honest)))
    top = max(ratios)
    return top + math.log(sum(math.exp(ratio - top) for ratio in ratios) / len(ratios))


def _sketch(noise: NDArray[np.int64], secret: bytes) -> NDArray[np.int64]:
    flat = noise.reshape(-1)
    places = np.flatnonzero(flat)
    if not places.size:
        return np.zeros(SKETCH, dtype=np.int64)
    buckets, signs = _projection(secret, flat.size)
    sketch = np.zeros(SKETCH, dtype=np.int64)
    np.add.at(sketch, buckets[places], flat[places] * signs[places])
    return sketch


@lru_cache(maxsize=4)
def _projection(secret: bytes, size: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    words = philox.words(b"pot/bias/v1/" + secret, size)
    buckets = (words % np.uint64(SKETCH)).astype(np.int64)
    signs = 1 - 2 * (words >> np.uint64(63)).astype(np.int64)
    return buckets, signs
