import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocol.policy import Limits
from worker.training.codec import quantise
from worker.training.models import Layout, Parameter
from worker.training.tolerance import Zone, compare_codes

LAYOUT = Layout(parameters=(Parameter(name="w", shape=(32, 32)),))


def limits(**changes: int) -> Limits:
    strict = {
        "spare_codes": 0,
        "codes_ppm": 0,
        "block_codes": 64,
        "spare_blocks": 0,
        "blocks_ppm": 0,
        "near_l2_ppb": 10**9,
        "doubtful_l2_ppb": 0,
        "doubtful_ppm": 0,
    }
    return Limits(
        arch="mlp",
        compute="float64",
        codec="int16",
        devices=("cpu",),
        hardware_class="exact",
        checks=0,
        **{**strict, **changes},
    )


STRICT = limits()
ONE_LEVEL = limits(codes_ppm=10_000)


def sample(seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=LAYOUT.size)


def test_compare_codes__equal__passes_the_strictest_policy() -> None:
    codes = quantise(15, LAYOUT, sample())
    result = compare_codes(codes, codes, STRICT)
    assert (result.differing, result.total, result.max_level, result.ok) == (0, 1_024, 0, True)
    assert result.differing_ppm == 0


def test_compare_codes__a_rounding_tie__passes_only_where_the_policy_allows_one_code() -> None:
    x, y = sample(), sample()
    x[1], y[1] = 0.5 * 2**-6, 0.5 * 2**-6 + 1e-12
    x[0] = y[0] = 1.9
    x[2:64] = y[2:64] = np.clip(x[2:64], -1, 1)
    a, b = quantise(7, LAYOUT, x), quantise(7, LAYOUT, y)
    assert compare_codes(a, b, STRICT).differing == 1
    assert not compare_codes(a, b, STRICT).ok
    assert compare_codes(a, b, ONE_LEVEL).ok
    assert not compare_codes(a, b, limits(codes_ppm=976)).ok, "1 of 1024 is 976.6 ppm"
    assert compare_codes(a, b, limits(spare_codes=1)).ok


def test_compare_codes__two_levels__fails_though_few_differ() -> None:
    a = quantise(7, LAYOUT, sample())
    b = quantise(7, LAYOUT, sample())
    b.codes[3, 3] = a.codes[3, 3] + (2 if a.codes[3, 3] < 0 else -2)
    assert compare_codes(a, b, ONE_LEVEL).max_level == 2
    assert not compare_codes(a, b, ONE_LEVEL).ok


def test_compare_codes__one_stray_block__passes_only_while_it_is_short() -> None:
    """A block whose true values cancel is all noise, and of no length."""
    x = sample()
    x[:64] = 1e-9 * sample(1)[:64]
    y = x.copy()
    y[:64] = 1e-9 * sample(2)[:64]
    a, b = quantise(15, LAYOUT, x), quantise(15, LAYOUT, y)
    found = compare_codes(a, b, limits(spare_blocks=1, near_l2_ppb=100))
    assert (found.stray, found.scattered, found.zone) == (1, 0, Zone.NEAR)
    assert found.max_level > 1
    assert compare_codes(a, b, limits(near_l2_ppb=100)).zone is Zone.MISS
    long = compare_codes(
        a, quantise(15, LAYOUT, np.where(x == x[100], 2 * x, x)), limits(spare_blocks=1, near_l2_ppb=100)
    )
    assert long.stray == 1
    assert long.zone is Zone.MISS


def test_compare_codes__more_codes_of_a_block_than_may_differ__is_a_stray_block() -> None:
    a = quantise(15, LAYOUT, sample())
    b = quantise(15, LAYOUT, sample())
    inner = np.flatnonzero(np.abs(a.codes[5]) < 10_000)[:9]
    b.codes[5, inner] += 1
    assert compare_codes(a, b, limits(spare_codes=9, block_codes=9)).ok
    assert not compare_codes(a, b, limits(spare_codes=9, block_codes=8)).ok
    assert compare_codes(a, b, limits(spare_blocks=1, block_codes=8)).ok


def test_compare_codes__beyond_near_but_close__is_doubtful_and_no_miss() -> None:
    x = sample()
    a, b = quantise(15, LAYOUT, x), quantise(15, LAYOUT, x * 1.0005)
    found = compare_codes(a, b, limits(near_l2_ppb=1_000, doubtful_l2_ppb=1_000_000))
    assert (found.zone, found.ok) == (Zone.DOUBTFUL, True)
    assert 490_000 < found.l2_ppb < 520_000
    assert not compare_codes(a, b, limits(near_l2_ppb=1_000, doubtful_l2_ppb=400_000)).ok


def test_compare_codes__noise_across_a_power_of_two__is_no_difference() -> None:
    x = np.clip(sample(), -0.9, 0.9)
    x[5] = 1.0
    y = x * (1 - 1e-15)
    a, b = quantise(15, LAYOUT, x), quantise(15, LAYOUT, y)
    assert int((a.exponents != b.exponents).sum()) == 1
    assert compare_codes(a, b, STRICT).ok
    assert compare_codes(b, a, STRICT).ok
    # The two roundings of one value are no distance either, however coarse the codec.
    coarse, fine = quantise(7, LAYOUT, x), quantise(7, LAYOUT, y)
    assert compare_codes(coarse, fine, limits(near_l2_ppb=0)).ok


def test_compare_codes__gradient_scaled_by_two__differs_everywhere() -> None:
    result = compare_codes(quantise(15, LAYOUT, sample()), quantise(15, LAYOUT, 2 * sample()), ONE_LEVEL)
    assert result.differing > 1_000
    assert result.max_level > 1_000


def test_compare_codes__zeros_against_a_gradient__differ_by_its_codes() -> None:
    zeros = quantise(7, LAYOUT, np.zeros(LAYOUT.size))
    result = compare_codes(quantise(7, LAYOUT, sample()), zeros, ONE_LEVEL)
    assert not result.ok
    assert result.max_level <= 127


@settings(max_examples=50, deadline=None)
@given(
    seed=st.integers(0, 1_000),
    noise=st.sampled_from([0.0, 1e-9, 1e-3, 1.0]),
    bits=st.sampled_from([7, 15]),
)
def test_compare_codes__any_pair__is_symmetric(seed: int, noise: float, bits: int) -> None:
    x = sample(seed)
    a, b = quantise(bits, LAYOUT, x), quantise(bits, LAYOUT, x + noise * sample(seed + 1))
    assert compare_codes(a, b, ONE_LEVEL) == compare_codes(b, a, ONE_LEVEL)


def test_compare_codes__other_layout__is_a_programming_error() -> None:
    other = Layout(parameters=(Parameter(name="w", shape=(64,)),))
    with pytest.raises(ValueError, match="different layouts"):
        compare_codes(quantise(7, LAYOUT, sample()), quantise(7, other, np.zeros(64)), STRICT)
