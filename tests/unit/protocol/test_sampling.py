"""The dial's arithmetic against counting by hand, and samples against the arithmetic."""

import hashlib
from fractions import Fraction
from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocol.ids import TaskId, sha256
from protocol.sampling import (
    WINDOW,
    SamplePlan,
    break_even_slash,
    detection,
    honest_eyes,
    least_sample,
    least_share_ppm,
    miss_probability,
    sample_seed,
    sample_size,
    seed_commitment,
)
from protocol.signing import KeySigner
from tests.unit.protocol.builders import DOMAIN, account


def plan(number: int, rounds: int = 30, shards: int = 10, share_ppm: int = 23_334) -> SamplePlan:
    seed = hashlib.sha256(number.to_bytes(8, "big")).digest()
    return SamplePlan(seed=seed, rounds=rounds, shards=shards, share_ppm=share_ppm)


def held(sample: SamplePlan) -> list[tuple[int, int]]:
    return [(r, k) for r in range(1, sample.rounds + 1) for k in range(sample.shards) if sample.holds(r, k)]


@settings(max_examples=40, deadline=None)
@given(total=st.integers(1, 9), data=st.data())
def test_miss_probability__small_numbers__is_what_counting_says(total: int, data: st.DataObject) -> None:
    bad, sample = data.draw(st.integers(0, total)), data.draw(st.integers(0, total))
    drawn = list(combinations(range(total), sample))
    missed = sum(1 for chosen in drawn if not set(chosen) & set(range(bad)))
    assert miss_probability(total, bad, sample) == Fraction(missed, len(drawn))


def test_detection__huge_task__agrees_with_the_exact_value_beside_it() -> None:
    assert detection(20_001, 40, 300, 3) == pytest.approx(float(1 - miss_probability(20_001, 40, 300) ** 3))
    assert detection(67_000_000, 40_000_000, 40_000_000, 1) == 1.0


@settings(max_examples=60, deadline=None)
@given(
    total=st.integers(1, 400),
    share=st.floats(0, 1),
    eyes=st.integers(1, 43),
    wanted=st.sampled_from([0.5, 0.9, 0.95, 0.99, 1.0]),
)
def test_least_sample__any_wish__is_enough_and_one_less_is_not(
    total: int, share: float, eyes: int, wanted: float
) -> None:
    bad = max(1, int(total * share))
    sample = least_sample(total, bad, eyes, wanted)
    assert sample is not None
    assert detection(total, bad, sample, eyes) >= wanted
    assert sample == 0 or detection(total, bad, sample - 1, eyes) < wanted


def test_least_sample__nobody_honest_looks__is_none() -> None:
    assert least_sample(300, 40, 0, 0.95) is None
    assert least_sample(300, 0, 3, 0.95) is None


def test_dial__forty_of_three_hundred_at_95_percent__costs_at_most_a_tenth_of_the_training() -> None:
    sample = least_sample(300, 40, 3, 0.95)
    assert sample == 7
    assert Fraction(4 * sample, 300) <= Fraction(1, 10)
    assert sample_size(300, least_share_ppm(300, sample)) == sample
    assert honest_eyes(300, sample, 3) == pytest.approx(1.0234, abs=1e-3)


def test_break_even_slash__any_rate__is_the_least_that_deters() -> None:
    least = break_even_slash(10**18, 300, 7, 3)
    assert least is not None
    caught = 1 - Fraction(293, 300) ** 3
    assert caught * least >= (1 - caught) * 10**18 > caught * (least - 1)
    assert break_even_slash(1, 300, 0, 3) is None
    for bad in range(1, 301):
        found = detection(300, bad, 7, 3)
        assert found * least >= (1 - found) * bad * 10**18 * (1 - 1e-12)


@pytest.mark.parametrize(("rounds", "shards"), [(1, 1), (30, 10), (100, 100), (3, 1024)])
@pytest.mark.parametrize("share_ppm", [0, 1, 23_334, 250_000, 1_000_000])
def test_plan__any_task__holds_exactly_the_share_that_is_paid_for(
    rounds: int, shards: int, share_ppm: int
) -> None:
    assert len(held(plan(1, rounds, shards, share_ppm))) == sample_size(rounds * shards, share_ppm)


def test_plan__many_seeds__look_at_every_shard_equally_often() -> None:
    counts: dict[tuple[int, int], int] = {}
    for number in range(2_000):
        for place in held(plan(number, 5, 8, 250_000)):
            counts[place] = counts.get(place, 0) + 1
    assert len(counts) == 40
    # 2,000 draws of 10 out of 40: 500 each, standard deviation 19.
    assert all(abs(count - 500) < 100 for count in counts.values())


def test_plan__shards_beyond_one_window__are_spread_evenly_and_not_at_public_places() -> None:
    few = 10
    total = 4 * WINDOW
    first, second = (
        set(held(plan(number, total // 1024, 1024, few * 1_000_000 // total))) for number in (1, 2)
    )
    assert len(first) == len(second) == sample_size(total, few * 1_000_000 // total)
    assert first != second


def test_plan__detection_measured__is_the_quoted_one() -> None:
    caught = 0
    campaigns = 1_500
    for number in range(campaigns):
        eyes = [plan(3 * number + eye) for eye in range(3)]
        caught += any(
            eye.holds(place // 10 + 1, place % 10) for eye in eyes for place in range(0, 300, 8)[:36]
        )
    quoted = detection(300, 36, 7, 3)
    assert abs(caught / campaigns - quoted) < 0.02


def test_seed__of_one_key__is_the_same_twice_and_another_for_another_task() -> None:
    signer = KeySigner(bytes(account(1).key))
    seed = sample_seed(signer, DOMAIN, TaskId(1), sha256(b"spec"))
    assert seed == sample_seed(signer, DOMAIN, TaskId(1), sha256(b"spec"))
    assert seed != sample_seed(signer, DOMAIN, TaskId(2), sha256(b"spec"))
    assert seed != sample_seed(signer, DOMAIN, TaskId(1), sha256(b"other"))
    assert seed_commitment(seed) != seed_commitment(bytes(65))
