"""Which shards a replica looks at, and what looking at so many finds.

Each replica draws, once a task and without replacement, a share of the task's shards by a seed of its own:
its signature over the task, which nobody else can compute and everybody can check once it is shown. Places
are numbered (round - 1) * shards + shard, turned by a secret offset, and cut into windows; within a window
the places with the smallest keyed hashes are the sample. A task of at most WINDOW shards is one window: its
sample is uniform among all of that size, so what it finds follows the hypergeometric distribution exactly.
Larger tasks are stratified, which only spreads the sample more evenly.
"""

import hashlib
import math
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from typing import Final

from protocol.ids import Sha256, TaskId, sha256
from protocol.signing import Signer
from protocol.typed_data import Domain

SAMPLE_DOMAIN: Final = b"ProofOfTraining/sample/2"
WINDOW: Final = 4_096
EXACT_TOTAL: Final = 20_000
"""Above this many shards, probabilities come from logarithms of the gamma function (relative error 1e-9)."""
PPM: Final = 1_000_000


def seed_message(domain: Domain, task_id: TaskId, spec_hash: Sha256) -> Sha256:
    """What a replica signs to get its seed for one task: known before any contribution exists."""
    return sha256(SAMPLE_DOMAIN + domain.separator + task_id.to_bytes(32, "big") + spec_hash)


def sample_seed(signer: Signer, domain: Domain, task_id: TaskId, spec_hash: Sha256) -> bytes:
    """The secret of one replica for one task: its deterministic (RFC 6979) signature of 65 bytes."""
    return signer.sign(seed_message(domain, task_id, spec_hash))


def seed_commitment(seed: bytes) -> Sha256:
    """What binds a replica to its seed before it is used: one key can make many valid signatures, so a seed
    shown afterwards proves the sample only against a commitment made before."""
    return sha256(SAMPLE_DOMAIN + b"/commitment/" + seed)


def sample_size(total: int, share_ppm: int) -> int:
    """How many of ``total`` shards a share is, to the nearest."""
    return (total * share_ppm + PPM // 2) // PPM


@dataclass(frozen=True, slots=True, kw_only=True)
class SamplePlan:
    """One replica's sample of a task with ``rounds`` rounds of ``shards`` shards."""

    seed: bytes
    rounds: int
    shards: int
    share_ppm: int

    def holds(self, round_number: int, shard: int) -> bool:
        """Whether the shard of round 1..rounds is in the sample."""
        total = self.rounds * self.shards
        place = ((round_number - 1) * self.shards + shard + _offset(self.seed, total)) % total
        return place in _window(self.seed, total, self.share_ppm, place // WINDOW)


def _offset(seed: bytes, total: int) -> int:
    word = hashlib.sha256(b"offset/" + seed).digest()
    return int.from_bytes(word[:16], "big") % total


@lru_cache(maxsize=256)
def _window(seed: bytes, total: int, share_ppm: int, number: int) -> frozenset[int]:
    first, end = number * WINDOW, min((number + 1) * WINDOW, total)
    quota = sample_size(end, share_ppm) - sample_size(first, share_ppm)
    ranked = sorted(range(first, end), key=lambda place: _rank(seed, place))
    return frozenset(ranked[:quota])


def _rank(seed: bytes, place: int) -> bytes:
    return hashlib.sha256(b"place/" + seed + place.to_bytes(8, "big")).digest()


def miss_probability(total: int, bad: int, sample: int) -> Fraction:
    """The probability that a uniform sample of that size holds none of the bad shards, exactly:
    C(total - bad, sample) / C(total, sample)."""
    _require(total, bad, sample)
    return Fraction(math.comb(total - bad, sample), math.comb(total, sample))


def detection(total: int, bad: int, sample: int, eyes: int) -> float:
    """The probability that at least one of ``eyes`` honest replicas, each with its own sample, looks at one
    of the bad shards: 1 - miss^eyes."""
    _require(total, bad, sample)
    if total <= EXACT_TOTAL:
        return float(1 - miss_probability(total, bad, sample) ** eyes)
    if bad + sample > total:
        return 1.0
    log_miss = _log_comb(total - bad, sample) - _log_comb(total, sample)
    return -math.expm1(eyes * log_miss)


def least_sample(total: int, bad: int, eyes: int, wanted: float) -> int | None:
    """The smallest sample per replica with which ``bad`` of ``total`` shards are found with probability
    ``wanted``; None when even looking at everything does not do (no honest eyes, or wanted = 1 and less)."""
    if detection(total, bad, total, eyes) < wanted:
        return None
    low, high = 0, total
    while low < high:
        middle = (low + high) // 2
        if detection(total, bad, middle, eyes) >= wanted:
            high = middle
        else:
            low = middle + 1
    return low


def least_share_ppm(total: int, sample: int) -> int:
    """The share of ``total`` that is at least ``sample`` shards."""
    return -(-sample * PPM // total)


def honest_eyes(total: int, sample: int, eyes: int) -> float:
    """How many honest replicas look at a shard that at least one of them looks at, on average."""
    share = sample / total
    seen = 1 - (1 - share) ** eyes
    return eyes * share / seen if seen else 0.0


def break_even_slash(reward: int, total: int, sample: int, eyes: int) -> int | None:
    """The least slash at which cheating loses money though a shard costs its whole reward to compute:
    slash >= (1 - p) / p * reward with p the detection of one shard, rounded up. It is enough for any number
    of shards, since (1 - p_m) / p_m * m * reward falls with m. None when nothing is sampled."""
    caught = 1 - Fraction(total - sample, total) ** eyes
    if not caught:
        return None
    price = (1 - caught) / caught * reward
    return -(-price.numerator // price.denominator)


def _require(total: int, bad: int, sample: int) -> None:
    if not (total >= 1 and 0 <= bad <= total and 0 <= sample <= total):
        raise ValueError(f"{bad} bad and {sample} sampled of {total} shards")


def _log_comb(n: int, k: int) -> float:
    return math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)
