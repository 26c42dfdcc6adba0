"""The dial: how much certainty a poster asks for, and the sampling rate that gives it."""

from dataclasses import dataclass
from typing import Any

import msgspec

from pot.amounts import parse_share_ppm
from protocol.errors import InvalidInput
from protocol.members import max_faulty
from protocol.sampling import PPM, detection, honest_eyes, least_share_ppm, mean_sample
from protocol.spec import MAX_ROUNDS, MAX_SHARDS, TaskSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """A miner that cheats on ``bad`` of ``of`` shards is to be caught with at least ``wanted``; a share of
    ``share_ppm`` per replica, to be written into the spec, does that."""

    wanted: float
    bad: int
    of: int
    members: int
    share_ppm: int

    @property
    def honest(self) -> int:
        """Members that can be counted on in the worst case."""
        return self.members - max_faulty(self.members)

    @property
    def sample(self) -> float:
        """How many of the shards one replica looks at, on average."""
        return float(mean_sample(self.of, self.share_ppm))

    @property
    def found(self) -> float:
        """The probability that the sample gives, at or above ``wanted``."""
        return detection(self.of, self.bad, self.share_ppm, self.honest)

    @property
    def eyes(self) -> float:
        """Honest replicas that look at a sampled shard, on average."""
        return honest_eyes(self.share_ppm, self.honest)

    @property
    def extra_compute(self) -> float:
        """Re-execution by all members together, as a share of the miners' work."""
        return self.members * self.share_ppm / PPM

    def to_json(self) -> dict[str, Any]:
        """Probabilities are numbers."""
        return {
            "wanted": self.wanted,
            "bad": self.bad,
            "of": self.of,
            "sample_per_validator": self.sample,
            "sample_ppm": self.share_ppm,
            "detection": self.found,
            "honest_eyes": self.eyes,
            "extra_compute": self.extra_compute,
        }


def wish(spec: TaskSpec, *, members: int, detect: str, bad: int, of: int | None) -> Wish:
    """The least sampling with ``members`` validators for ``detect`` (0.95 or 95%) with ``bad`` of ``of``
    shards cheated (None: all shards of the task). Raises InvalidInput where no sampling does it."""
    total = spec.recipe.rounds * spec.recipe.shards if of is None else of
    if not 1 <= total <= MAX_ROUNDS * MAX_SHARDS:
        raise InvalidInput(f"--of is {total}: a task has 1 to {MAX_ROUNDS * MAX_SHARDS:,} shards.")
    if not 1 <= bad <= total:
        raise InvalidInput(f"--bad is {bad}: it must lie between 1 and the {total:,} shards.")
    wanted = parse_share_ppm(detect, "--detect") / PPM
    honest = members - max_faulty(members)
    share_ppm = least_share_ppm(total, bad, honest, wanted)
    if share_ppm is None:
        raise InvalidInput(f"--detect is {detect}: no sampling rate reaches it.")
    return Wish(wanted=wanted, bad=bad, of=total, members=members, share_ppm=share_ppm)


def with_sampling(spec: TaskSpec, share_ppm: int) -> TaskSpec:
    """``spec`` with another sampling rate: another task, with another hash."""
    return msgspec.structs.replace(
        spec, verification=msgspec.structs.replace(spec.verification, sample_ppm=share_ppm)
    )
