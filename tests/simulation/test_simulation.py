"""Committees under every fault that the plan knows. A failing seed prints its transcript; replay it with
``python -m tests.simulation.hunt --trace SEED``."""

import pytest

from tests.simulation.run import run_seed, transcript

SCENARIOS = 4_000
ALL_SCENARIOS = 20_000
CHUNK = 500


def run_all(first: int, count: int, n: int | None = None, *, real: bool = False) -> None:
    for seed in range(first, first + count):
        broken = run_seed(seed, n, real=real)
        if broken is not None:
            told = transcript(seed, n)
            pytest.fail(f"seed {seed}, n {n}: {broken}\n{told[:6000]}\n...\n{told[-6000:]}", pytrace=False)


@pytest.mark.timeout(300)
@pytest.mark.parametrize("first", range(0, SCENARIOS, CHUNK))
def test_committee__any_faults_below_a_third__keeps_every_promise(first: int) -> None:
    run_all(first, CHUNK)


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("first", range(SCENARIOS, ALL_SCENARIOS, CHUNK))
def test_committee__many_more_scenarios__keeps_every_promise(first: int) -> None:
    run_all(first, CHUNK)


@pytest.mark.timeout(300)
@pytest.mark.parametrize(("n", "count"), [(5, 40), (6, 40), (7, 40), (10, 15), (16, 5), (31, 1)])
def test_committee__of_every_size__keeps_every_promise(n: int, count: int) -> None:
    run_all(1_000_000, count, n)


@pytest.mark.timeout(300)
def test_committee__with_real_signatures__keeps_every_promise() -> None:
    run_all(2_000_000, 25, 4, real=True)


def test_scenario__same_seed__is_the_same_to_the_last_line() -> None:
    told = transcript(7)
    assert told == transcript(7)
    assert len(told.splitlines()) > 40
