"""Which shards a replica looks at, and what looking at so many finds.

Each replica draws, once a task and without replacement, a share of the task's shards by a seed of its own:
its signature over the task, which nobody else can compute and everybody can check once it is shown. Places
are numbered (round - 1) * shards + shard, turned by a secret offset, and cut into windows; within a window
the places with the smallest keyed hashes are the sample. How many: the whole part of the window's share, and
one more with the probability that is left, decided by another keyed hash. So each shard is looked at with
exactly the share that was bought, and a share need not be a whole number of shards.

Chances are those of the words of a hash: a coin is off by less than 2^-108.
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

SAMPLE_DOMAIN: Final = b"ProofOfTraining/sample/3"
WINDOW: Final = 4_096
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


def mean_sample(total: int, share_ppm: int) -> Fraction:
    """How many of ``total`` shards a share is; a replica looks at so many on average."""
    return Fraction(total * share_ppm, PPM)


def fewest(total: int, share_ppm: int) -> int:
    """The least number of ``total`` shards that the sample of any seed holds: each window's whole part."""
    whole, rest = divmod(total, WINDOW)
    return whole * (WINDOW * share_ppm // PPM) + rest * share_ppm // PPM


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
    return _word(b"offset/" + seed) % total


@lru_cache(maxsize=256)
def _window(seed: bytes, total: int, share_ppm: int, number: int) -> frozenset[int]:
    first, end = number * WINDOW, min((number + 1) * WINDOW, total)
    ranked = sorted(range(first, end), key=lambda place: _rank(seed, place))
    return frozenset(ranked[: quota(seed, (end - first) * share_ppm, number)])


def quota(seed: bytes, wanted_ppm: int, number: int) -> int:
    """How many places of window ``number`` are looked at: ``wanted_ppm`` millionths of one on average."""
    whole, rest = divmod(wanted_ppm, PPM)
    return whole + (_word(b"quota/" + seed + number.to_bytes(8, "big")) % PPM < rest)


def _word(data: bytes) -> int:
    return int.from_bytes(hashlib.sha256(data).digest()[:16], "big")


def _rank(seed: bytes, place: int) -> bytes:
    return hashlib.sha256(b"place/" + seed + place.to_bytes(8, "big")).digest()


def miss_probability(total: int, bad: int, share_ppm: int) -> Fraction:
    """The probability that one replica's sample of a task of at most WINDOW shards holds none of the bad
    ones, exactly: with a sample of s, and of s + 1 with probability w, it is (1 - w) miss(s) + w miss(s + 1)
    with miss(s) = C(total - bad, s) / C(total, s). miss(s + 1) is miss(s) * (1 - bad / (total - s))."""
    _require(total, bad, share_ppm)
    mean = mean_sample(total, share_ppm)
    size = int(mean)
    fixed = Fraction(math.comb(total - bad, size), math.comb(total, size))
    return fixed if size == mean else fixed * (1 - (mean - size) * bad / (total - size))


def detection(total: int, bad: int, share_ppm: int, eyes: int) -> float:
    """The probability that at least one of ``eyes`` honest replicas, each with its own sample, looks at one
    of the bad shards: 1 - miss^eyes.

    In a task of more than WINDOW shards it depends on how the bad ones lie in the windows; this is then
    1 - (1 - share)^(bad * eyes), which holds for all ways: in a window the ratio miss(bad + 1) / miss(bad)
    falls with bad and begins at 1 - share, and windows are drawn independently."""
    _require(total, bad, share_ppm)
    if total <= WINDOW:
        return float(1 - miss_probability(total, bad, share_ppm) ** eyes)
    if share_ppm == PPM:
        return float(bad * eyes > 0)
    return -math.expm1(bad * eyes * math.log1p(-share_ppm / PPM))


def least_share_ppm(total: int, bad: int, eyes: int, wanted: float) -> int | None:
    """The smallest share with which ``bad`` of ``total`` shards are found with probability ``wanted``; None
    when even looking at everything does not do (no honest eyes, or nothing bad)."""
    if detection(total, bad, PPM, eyes) < wanted:
        return None
    low, high = 0, PPM
    while low < high:
        middle = (low + high) // 2
        if detection(total, bad, middle, eyes) >= wanted:
            high = middle
        else:
            low = middle + 1
    return low


def honest_eyes(share_ppm: int, eyes: int) -> float:
    """How many honest replicas look at a shard that at least one of them looks at, on average."""
    share = share_ppm / PPM
    seen = 1 - (1 - share) ** eyes
    return eyes * share / seen if seen else 0.0


def break_even_slash(reward: int, share_ppm: int, eyes: int) -> int | None:
    """The least slash at which cheating loses money though a shard costs its whole reward to compute:
    slash >= (1 - p) / p * reward with p the detection of one shard, rounded up. It is enough for any number
    m of shards, since they are missed with at most (1 - p)^m and m q^m / (1 - q^m) falls with m. None when
    nothing is sampled."""
    caught = 1 - (1 - Fraction(share_ppm, PPM)) ** eyes
    if not caught:
        return None
    price = (1 - caught) / caught * reward
    return -(-price.numerator // price.denominator)


def _require(total: int, bad: int, share_ppm: int) -> None:
    if not (total >= 1 and 0 <= bad <= total and 0 <= share_ppm <= PPM):
        raise ValueError(f"{bad} bad of {total} shards, {share_ppm} ppm sampled")
