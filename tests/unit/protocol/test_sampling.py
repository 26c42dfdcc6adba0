"""The dial's arithmetic against counting by hand, and samples against the arithmetic."""

import hashlib
import math
from collections import Counter
from fractions import Fraction
from itertools import combinations, product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocol import sampling
from protocol.ids import TaskId, sha256
from protocol.sampling import (
    PPM,
    WINDOW,
    SamplePlan,
    break_even_slash,
    detection,
    fewest,
    honest_eyes,
    least_share_ppm,
    mean_sample,
    miss_probability,
    sample_seed,
    seed_commitment,
)
from protocol.signing import KeySigner
from tests.unit.protocol.builders import DOMAIN, account

shares = st.integers(0, PPM)


def plan(number: int, rounds: int = 30, shards: int = 10, share_ppm: int = 23_034) -> SamplePlan:
    seed = hashlib.sha256(number.to_bytes(8, "big")).digest()
    return SamplePlan(seed=seed, rounds=rounds, shards=shards, share_ppm=share_ppm)


def held(sample: SamplePlan) -> list[tuple[int, int]]:
    return [(r, k) for r in range(1, sample.rounds + 1) for k in range(sample.shards) if sample.holds(r, k)]


def counted_miss(total: int, bad: int, size: int) -> Fraction:
    drawn = list(combinations(range(total), size))
    return Fraction(sum(1 for chosen in drawn if not set(chosen) & set(range(bad))), len(drawn))


@settings(max_examples=60, deadline=None)
@given(total=st.integers(1, 9), share_ppm=shares, data=st.data())
def test_miss_probability__small_numbers__is_what_counting_says(
    total: int, share_ppm: int, data: st.DataObject
) -> None:
    bad = data.draw(st.integers(0, total))
    more = Fraction(total * share_ppm % PPM, PPM)
    size = total * share_ppm // PPM
    counted = (1 - more) * counted_miss(total, bad, size)
    if more:
        counted += more * counted_miss(total, bad, size + 1)
    assert miss_probability(total, bad, share_ppm) == counted


@given(total=st.integers(1, WINDOW), share_ppm=shares)
def test_miss_probability__one_bad_shard__is_what_the_share_leaves(total: int, share_ppm: int) -> None:
    assert miss_probability(total, 1, share_ppm) == 1 - Fraction(share_ppm, PPM)


@settings(max_examples=60, deadline=None)
@given(sizes=st.lists(st.integers(1, 60), min_size=1, max_size=5), share_ppm=shares, data=st.data())
def test_miss_probability__bad_shards_in_any_windows__is_at_most_what_a_larger_task_is_quoted(
    sizes: list[int], share_ppm: int, data: st.DataObject
) -> None:
    bad = [data.draw(st.integers(0, size)) for size in sizes]
    missed = [miss_probability(size, m, share_ppm) for size, m in zip(sizes, bad, strict=True)]
    assert math.prod(missed) <= (1 - Fraction(share_ppm, PPM)) ** sum(bad)


def test_detection__task_beyond_one_window__is_close_to_and_never_above_that_of_one() -> None:
    share = 200
    larger, exact = detection(WINDOW + 1, 40, share, 3), detection(WINDOW, 40, share, 3)
    assert exact - 1e-4 < larger <= exact
    assert detection(67_000_000, 40_000_000, PPM, 1) == 1.0
    assert detection(67_000_000, 0, PPM, 1) == detection(67_000_000, 1, PPM, 0) == 0.0


@settings(max_examples=60, deadline=None)
@given(
    total=st.integers(1, 400) | st.sampled_from([WINDOW, WINDOW + 1, 10**6]),
    part=st.floats(0, 1),
    eyes=st.integers(1, 43),
    wanted=st.sampled_from([0.5, 0.9, 0.95, 0.99, 1.0]),
)
def test_least_share__any_wish__is_enough_and_a_millionth_less_is_not(
    total: int, part: float, eyes: int, wanted: float
) -> None:
    bad = max(1, int(total * part))
    share = least_share_ppm(total, bad, eyes, wanted)
    assert share is not None
    assert detection(total, bad, share, eyes) >= wanted
    assert share == 0 or detection(total, bad, share - 1, eyes) < wanted


def test_least_share__nobody_honest_looks__is_none() -> None:
    assert least_share_ppm(300, 40, 0, 0.95) is None
    assert least_share_ppm(300, 0, 3, 0.95) is None


@pytest.mark.parametrize(("members", "honest", "share_ppm"), [(4, 3, 23_034), (7, 5, 13_910), (10, 7, 9_938)])
def test_dial__forty_of_three_hundred_at_95_percent__costs_at_most_a_tenth_of_the_training(
    members: int, honest: int, share_ppm: int
) -> None:
    assert least_share_ppm(300, 40, honest, 0.95) == share_ppm
    assert Fraction(members * share_ppm, PPM) <= Fraction(1, 10)
    assert 1 < honest_eyes(share_ppm, honest) < 1.04


def test_break_even_slash__any_rate__is_the_least_that_deters() -> None:
    least = break_even_slash(10**18, 23_034, 3)
    assert least is not None
    caught = 1 - (1 - Fraction(23_034, PPM)) ** 3
    assert caught * least >= (1 - caught) * 10**18 > caught * (least - 1)
    assert break_even_slash(1, 0, 3) is None
    for bad in range(1, 301):
        found = 1 - miss_probability(300, bad, 23_034) ** 3
        assert found * least >= (1 - found) * bad * 10**18


@pytest.mark.parametrize(("rounds", "shards"), [(1, 1), (30, 10), (100, 100), (3, 1024)])
@pytest.mark.parametrize("share_ppm", [0, 1, 23_034, 250_000, 1_000_000])
def test_plan__any_task__holds_the_share_that_is_paid_for_to_less_than_one_shard_a_window(
    rounds: int, shards: int, share_ppm: int
) -> None:
    total = rounds * shards
    sizes = [min(WINDOW, total - first) for first in range(0, total, WINDOW)]
    least = sum(int(mean_sample(size, share_ppm)) for size in sizes)
    most = sum(math.ceil(mean_sample(size, share_ppm)) for size in sizes)
    assert least <= len(held(plan(1, rounds, shards, share_ppm))) <= most


@settings(max_examples=25, deadline=None)
@given(total=st.integers(1, 12), share_ppm=shares)
def test_plan__many_seeds__draw_sizes_whose_mean_is_the_share(total: int, share_ppm: int) -> None:
    seeds = 1_500
    sizes = Counter(len(held(plan(number, 1, total, share_ppm))) for number in range(seeds))
    mean = mean_sample(total, share_ppm)
    assert set(sizes) <= {int(mean), math.ceil(mean)}
    # A coin of any kind is within five standard deviations.
    assert (
        abs(sum(size * count for size, count in sizes.items()) / seeds - float(mean)) < 5 * 0.5 / seeds**0.5
    )


def test_plan__windows_of_one_task__toss_coins_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """One coin for all, or rounding along the windows, would let a cheat lie in every other window."""
    monkeypatch.setattr(sampling, "WINDOW", 10)
    seeds, seen = 600, Counter[tuple[bool, ...]]()
    for number in range(seeds):
        drawn = plan(900_000 + number, 3, 10, 50_000)
        sampling._window.cache_clear()
        windows = (sampling._window(drawn.seed, 30, drawn.share_ppm, window) for window in range(3))
        first, second, third = (bool(places) for places in windows)
        seen[first, second, third] += 1
    sampling._window.cache_clear()
    # Each of the 8 ways: 75 times, standard deviation 8.
    assert all(abs(seen[way] - seeds / 8) < 40 for way in product((False, True), repeat=3))


def test_plan__many_seeds__look_at_every_shard_equally_often() -> None:
    counts: dict[tuple[int, int], int] = {}
    for number in range(2_000):
        for place in held(plan(number, 5, 8, 250_000)):
            counts[place] = counts.get(place, 0) + 1
    assert len(counts) == 40
    # 2,000 draws of 10 out of 40: 500 each, standard deviation 19.
    assert all(abs(count - 500) < 100 for count in counts.values())


def test_plan__shards_beyond_one_window__are_spread_evenly_and_not_at_public_places() -> None:
    total = 4 * WINDOW
    first, second = (set(held(plan(number, total // 1024, 1024, 8 * PPM // total))) for number in (1, 2))
    assert 4 <= len(first) <= 8
    assert 4 <= len(second) <= 8
    assert first != second


def test_plan__detection_measured__is_the_quoted_one() -> None:
    caught = 0
    campaigns = 1_500
    for number in range(campaigns):
        eyes = [plan(3 * number + eye) for eye in range(3)]
        caught += any(
            eye.holds(place // 10 + 1, place % 10) for eye in eyes for place in range(0, 300, 8)[:36]
        )
    quoted = detection(300, 36, 23_034, 3)
    assert abs(caught / campaigns - quoted) < 0.02


def test_seed__of_one_key__is_the_same_twice_and_another_for_another_task() -> None:
    signer = KeySigner(bytes(account(1).key))
    seed = sample_seed(signer, DOMAIN, TaskId(1), sha256(b"spec"))
    assert seed == sample_seed(signer, DOMAIN, TaskId(1), sha256(b"spec"))
    assert seed != sample_seed(signer, DOMAIN, TaskId(2), sha256(b"spec"))
    assert seed != sample_seed(signer, DOMAIN, TaskId(1), sha256(b"other"))
    assert seed_commitment(seed) != seed_commitment(bytes(65))


@settings(max_examples=30, deadline=None)
@given(rounds=st.integers(1, 100), shards=st.integers(1, 100), share_ppm=shares, number=st.integers(0, 99))
def test_fewest__any_seed__its_sample_holds_as_many_and_at_most_one_more_a_window(
    rounds: int, shards: int, share_ppm: int, number: int
) -> None:
    found = len(held(plan(number, rounds, shards, share_ppm)))
    least, windows = fewest(rounds * shards, share_ppm), -(-rounds * shards // WINDOW)
    assert least <= found <= least + windows
