"""Committees under every fault that the plan knows. A failing seed prints its transcript; replay it with
``python -m tests.simulation.hunt --trace SEED``."""

import os

import pytest

from tests.simulation.many import run_slices
from tests.simulation.run import run_seed, transcript

SCENARIOS = 20_000
ALL_SCENARIOS = 60_000
SLICE = 1_250


def fail(seed: int, n: int | None, broken: str) -> None:
    told = transcript(seed, n)
    pytest.fail(f"seed {seed}, n {n}: {broken}\n{told[:6000]}\n...\n{told[-6000:]}", pytrace=False)


def run_all(first: int, count: int, n: int | None = None, *, real: bool = False) -> None:
    for seed in range(first, first + count):
        broken = run_seed(seed, n, real=real)
        if broken is not None:
            fail(seed, n, broken)


def run_in_parallel(first: int, last: int) -> None:
    slices = [(seed, SLICE) for seed in range(first, last, SLICE)]
    done = list(run_slices(slices, os.cpu_count() or 1))
    for one in done:
        if one.broken:
            fail(int(one.broken.split("seed ")[1].split(":")[0]), None, one.broken)
    assert sum(one.count for one in done) == last - first


@pytest.mark.timeout(600)
def test_committee__any_faults_below_a_third__keeps_every_promise() -> None:
    run_in_parallel(0, SCENARIOS)


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_committee__many_more_scenarios__keeps_every_promise() -> None:
    run_in_parallel(SCENARIOS, ALL_SCENARIOS)


@pytest.mark.timeout(300)
@pytest.mark.parametrize(("n", "count"), [(5, 300), (6, 300), (7, 300), (10, 100), (16, 30), (31, 8)])
def test_committee__of_every_size__keeps_every_promise(n: int, count: int) -> None:
    run_all(1_000_000, count, n)


@pytest.mark.timeout(300)
def test_committee__with_real_signatures__keeps_every_promise() -> None:
    run_all(2_000_000, 25, 4, real=True)


def test_scenario__same_seed__is_the_same_to_the_last_line() -> None:
    told = transcript(7)
    assert told == transcript(7)
    assert len(told.splitlines()) > 40


def test_primary__busy_with_one_value_while_it_checks_another__still_gives_signs_of_life() -> None:
    """Nobody has a reason to leave it."""
    run_all(143_872, 1)
