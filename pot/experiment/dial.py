"""Does sampling find what the quote promised? Real sample plans over simulated tasks."""

import hashlib
from dataclasses import dataclass
from typing import Final

import numpy as np

from protocol.sampling import PPM, SamplePlan, detection


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """``bad`` of the shards are cheated; ``honest`` replicas look at ``share_ppm`` each."""

    rounds: int
    shards: int
    bad: int
    share_ppm: int
    honest: int
    members: int

    @property
    def total(self) -> int:
        return self.rounds * self.shards

    @property
    def quoted(self) -> float:
        return detection(self.total, self.bad, self.share_ppm, self.honest)

    @property
    def extra_compute(self) -> float:
        return self.members * self.share_ppm / PPM


# Where 40 of 300 are cheated, the least share that finds them with 95 %.
CASES: Final = (
    Case(rounds=30, shards=10, bad=40, share_ppm=23_034, honest=3, members=4),
    Case(rounds=30, shards=10, bad=10, share_ppm=23_034, honest=3, members=4),
    Case(rounds=30, shards=10, bad=40, share_ppm=13_910, honest=5, members=7),
    Case(rounds=30, shards=10, bad=40, share_ppm=9_938, honest=7, members=10),
    Case(rounds=30, shards=10, bad=40, share_ppm=7_787, honest=9, members=13),
    Case(rounds=30, shards=10, bad=40, share_ppm=6_355, honest=11, members=16),
    Case(rounds=30, shards=4, bad=6, share_ppm=50_000, honest=3, members=4),
    Case(rounds=50, shards=20, bad=50, share_ppm=10_000, honest=5, members=7),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """In how many of ``campaigns`` a bad shard was looked at."""

    case: Case
    campaigns: int
    caught: int

    @property
    def rate(self) -> float:
        return self.caught / self.campaigns


def measure(case: Case, campaigns: int, seed: int) -> Measured:
    """Simulate tasks: the cheat chooses shards at random (the sample is uniform, so no choice is better),
    every honest replica draws its own sample from its own seed."""
    generator = np.random.default_rng(seed)
    caught = 0
    for number in range(campaigns):
        places = generator.choice(case.total, size=case.bad, replace=False)
        caught += any(_looks(case, seed, number, eye, places) for eye in range(case.honest))
    return Measured(case=case, campaigns=campaigns, caught=caught)


def _looks(case: Case, seed: int, number: int, eye: int, places: "np.typing.NDArray[np.int64]") -> bool:
    secret = hashlib.sha256(f"{seed}/{number}/{eye}".encode()).digest()
    plan = SamplePlan(seed=secret, rounds=case.rounds, shards=case.shards, share_ppm=case.share_ppm)
    return any(plan.holds(int(place) // case.shards + 1, int(place) % case.shards) for place in places)
