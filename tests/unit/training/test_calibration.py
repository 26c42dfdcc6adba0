"""From noise to limits, and limits tried on other noise."""

import numpy as np
import pytest

from worker.training.calibration import MARGIN, Noise, Trial, derive, offered, provisional, upper_bound
from worker.training.codec import quantise
from worker.training.models import Layout, Parameter
from worker.training.tolerance import Difference, Zone, difference

LAYOUT = Layout(parameters=(Parameter(name="w", shape=(64, 64)),))


def noisy(seed: int, size: float = 1e-7) -> Difference:
    generator = np.random.default_rng(seed)
    x = generator.normal(size=LAYOUT.size)
    y = x * (1 + size * generator.normal(size=LAYOUT.size))
    return difference(quantise(15, LAYOUT, x), quantise(15, LAYOUT, y))


def test_derive__from_half_of_the_noise__passes_the_other_half() -> None:
    noise = Noise(limits=provisional("mlp", "float32", "int16", "cpu"))
    for seed in range(50):
        noise.add(noisy(seed))
    trial = Trial(limits=derive(noise))
    assert {trial.add(noisy(seed)) for seed in range(50, 250)} == {Zone.NEAR}
    assert (trial.checks, trial.misses, trial.doubtful) == (200, 0, 0)
    assert trial.miss_bound == pytest.approx(0.015)


def test_derive__twice_the_noise_it_saw__is_what_it_allows() -> None:
    noise = Noise(limits=provisional("mlp", "float32", "int16", "cpu"))
    noise.add(noisy(1, 1e-6))
    assert derive(noise).codes_ppm == MARGIN * noise.max_scattered_ppm > 0


def test_derive__noise_of_bfloat16__stays_outside() -> None:
    noise = Noise(limits=provisional("mlp", "float32", "int16", "cpu"))
    for seed in range(20):
        noise.add(noisy(seed))
    trial = Trial(limits=derive(noise))
    assert trial.add(noisy(99, 2e-2)) is Zone.MISS


def test_derive__one_kinked_activation__widens_doubt_and_nothing_else() -> None:
    quiet, kinked = (Noise(limits=provisional("mlp", "float32", "int16", "cpu")) for _ in range(2))
    for seed in range(20):
        quiet.add(noisy(seed))
        kinked.add(noisy(seed))
    kinked.add(noisy(77, 3e-4))
    assert kinked.flips == 1
    changed = {
        name
        for name in derive(quiet).__struct_fields__
        if getattr(derive(quiet), name) != getattr(derive(kinked), name)
    }
    assert changed == {"doubtful_ppm", "checks"}


def test_derive__exact_class_without_any_noise__allows_two_ties_and_no_doubt() -> None:
    noise = Noise(limits=provisional("cnn", "float64", "int16", "cpu"))
    noise.add_equal(1_000, 4_096)
    limits = derive(noise)
    assert (limits.codes(10**6), limits.stray_blocks(10**4), limits.doubtful_l2_ppb) == (2, 0, 0)


def test_merged__two_halves__are_the_whole() -> None:
    halves = [Noise(limits=provisional("mlp", "float32", "int16", "cpu")) for _ in range(2)]
    whole = Noise(limits=provisional("mlp", "float32", "int16", "cpu"))
    for seed in range(10):
        halves[seed % 2].add(noisy(seed))
        whole.add(noisy(seed))
    assert halves[0].merged(halves[1]) == whole


def test_offered__float32_codes_of_float32_work__are_noise_and_not_offered() -> None:
    assert not offered("float32", "float32")
    assert offered("float64", "float32")
    assert offered("float32", "int8")


@pytest.mark.parametrize(("events", "checks", "bound"), [(0, 100_000, 3e-5), (0, 0, 1.0), (0, 2, 1.0)])
def test_upper_bound__no_event__is_the_rule_of_three(events: int, checks: int, bound: float) -> None:
    assert upper_bound(events, checks) == pytest.approx(bound)


@pytest.mark.parametrize("events", [1, 3, 10, 50])
def test_upper_bound__some_events__is_not_below_the_exact_poisson_bound(events: int) -> None:
    from math import exp, factorial

    checks = 10_000
    mean = upper_bound(events, checks) * checks
    assert sum(exp(-mean) * mean**k / factorial(k) for k in range(events + 1)) <= 0.05
