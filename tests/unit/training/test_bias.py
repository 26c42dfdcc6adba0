"""Tests over rounds: quiet for symmetric noise at the stated rate, loud for noise that points somewhere."""

import math
from fractions import Fraction
from itertools import product

import numpy as np
import pytest

from protocol.policy import Limits
from worker.training.bias import SKETCH, NoiseHistory, Suspicion, Tosses, observe, suspicions
from worker.training.calibration import provisional
from worker.training.codec import Codes
from worker.training.push import push
from worker.training.tolerance import Zone, compare_codes, residual

BLOCKS = 24


def limits(doubtful_ppm: int = 1_000, spare: int = 12) -> Limits:
    base = provisional("mlp", "float32", "int16", "cpu")
    value = {name: getattr(base, name) for name in base.__struct_fields__}
    return Limits(**{**value, "spare_codes": spare, "codes_ppm": 0, "doubtful_ppm": doubtful_ppm})


def own(generator: np.random.Generator) -> Codes:
    codes = generator.integers(-30_000, 30_000, size=(BLOCKS, 64)).astype(np.int32)
    codes[:, 0] = 32_000
    return Codes(bits=15, codes=codes, exponents=np.full(BLOCKS, -20, dtype=np.int32), total=BLOCKS * 64)


def rounding(generator: np.random.Generator, size: int = 5) -> np.ndarray:
    noise = np.zeros(BLOCKS * 64, dtype=np.int64)
    places = generator.choice(noise.size, size=size, replace=False)
    noise[places] = generator.choice([-1, 1], size=size)
    return noise.reshape(BLOCKS, 64)


def alarm_after(noise_of, shards: int, seed: int, zone: Zone = Zone.NEAR) -> tuple[int, Suspicion] | None:
    generator, history = np.random.default_rng(seed), NoiseHistory()
    for number in range(1, shards + 1):
        mine = own(generator)
        history = observe(history, noise_of(generator, mine), mine, zone, b"secret")
        if found := suspicions(history, limits(), 1_000):
            return number, found[0]
    return None


def test_suspicions__honest_rounding__stay_silent() -> None:
    assert [alarm_after(lambda g, _: rounding(g), 400, seed) for seed in range(10)] == [None] * 10


def test_suspicions__no_noise_at_all__stay_silent() -> None:
    zeros = np.zeros((BLOCKS, 64), dtype=np.int64)
    assert alarm_after(lambda *_: zeros, 1_000, 1) is None


def test_suspicions__noise_along_the_gradient__alarm_within_thirty_shards() -> None:
    def scaled(generator: np.random.Generator, mine: Codes) -> np.ndarray:
        return residual(push(mine, np.sign(mine.codes).astype(np.int64), limits()), mine)

    found = alarm_after(scaled, 60, 1)
    assert found is not None
    assert found[0] <= 30
    assert found[1] is Suspicion.ALONG


def test_suspicions__noise_in_a_direction_nobody_knows__alarm() -> None:
    direction = np.random.default_rng(9).choice([-1, 1], size=(BLOCKS, 64)).astype(np.int64)

    def fixed(generator: np.random.Generator, mine: Codes) -> np.ndarray:
        return residual(push(mine, direction, limits()), mine)

    found = alarm_after(fixed, 100, 1)
    assert found is not None
    assert found[1] is Suspicion.PAST


def test_suspicions__a_push_hidden_in_honest_noise__alarm_later() -> None:
    def mixed(generator: np.random.Generator, mine: Codes) -> np.ndarray:
        return rounding(generator, 12) + residual(
            push(mine, np.sign(mine.codes).astype(np.int64), limits()), mine
        )

    found = alarm_after(mixed, 400, 3)
    assert found is not None
    assert found[1] is Suspicion.ALONG


def test_suspicions__doubt_in_every_shard__alarm_within_a_few() -> None:
    found = alarm_after(lambda g, _: rounding(g), 20, 1, Zone.DOUBTFUL)
    assert found is not None
    assert found[0] <= 6
    assert found[1] is Suspicion.DOUBT


def test_suspicions__doubt_as_often_as_the_policy_allows__stay_silent() -> None:
    generator = np.random.default_rng(4)
    for _ in range(20):
        history = NoiseHistory(checks=20_000, doubtful=int(generator.binomial(20_000, 0.001)))
        assert suspicions(history, limits(), 1_000) == ()


def test_tosses__evidence__is_a_martingale_under_fair_coins() -> None:
    """The mean wealth over all outcomes is exactly 1, so it ever passes 1 / alpha with at most alpha."""
    for n in range(9):
        total = 0.0
        for outcome in product((1, -1), repeat=n):
            tosses = Tosses()
            for value in outcome:
                tosses = tosses.toss(value)
            total += math.exp(tosses.log_evidence) / 2**n
        assert total == pytest.approx(1.0)


def test_tosses__false_alarms_at_a_loose_level__stay_below_it() -> None:
    """At 5 % a fair coin, looked at after each of 300 tosses, alarms in less than 5 % of histories."""
    generator, alarms = np.random.default_rng(7), 0
    for _ in range(2_000):
        ups = np.cumsum(generator.integers(0, 2, size=300))
        alarms += any(
            Tosses(up=int(up), down=n - int(up)).log_evidence >= math.log(20) for n, up in enumerate(ups, 1)
        )
    assert Fraction(alarms, 2_000) < Fraction(5, 100)


def test_observe__any_size_of_model__keeps_a_state_of_fixed_size() -> None:
    generator, history = np.random.default_rng(1), NoiseHistory()
    for _ in range(5):
        history = observe(history, rounding(generator, 64), own(generator), Zone.NEAR, b"secret")
    assert len(history.drift) == SKETCH
    assert (history.checks, history.along.up + history.along.down <= 5) == (5, True)


@pytest.mark.parametrize("share_ppm", [0, 100_000, 1_000_000])
def test_push__as_far_as_the_limits_go__is_near_and_no_further(share_ppm: int) -> None:
    mine = own(np.random.default_rng(2))
    forged = push(mine, np.sign(mine.codes).astype(np.int64), limits(spare=100), share_ppm)
    made = compare_codes(forged, mine, limits(spare=100))
    assert made.zone is Zone.NEAR
    assert made.differing == 100 * share_ppm // 1_000_000
    assert made.max_level == (1 if share_ppm else 0)
