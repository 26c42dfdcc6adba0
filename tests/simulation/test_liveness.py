"""After the last trouble a committee gets on within a time that depends on its timers and on how many views
its members are apart, and on nothing else. Replay one with
``python -m tests.simulation.hunt --restless --n N --trace SEED``."""

import pytest

from tests.simulation.run import run_seed, transcript


def run_all(first: int, count: int, n: int) -> None:
    for seed in range(first, first + count):
        broken = run_seed(seed, n, restless=True)
        if broken is not None:
            told = transcript(seed, n, restless=True)
            pytest.fail(f"seed {seed}, n {n}: {broken}\n{told[:3000]}\n...\n{told[-9000:]}", pytrace=False)


@pytest.mark.timeout(300)
@pytest.mark.parametrize(("n", "count"), [(4, 250), (5, 60), (7, 150), (16, 6)])
def test_committee__of_members_that_die_again_and_again__gets_on_in_time(n: int, count: int) -> None:
    run_all(0, count, n)


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize(("n", "count"), [(4, 4_000), (7, 2_000), (10, 300), (31, 10)])
def test_committee__many_more_of_them__gets_on_in_time(n: int, count: int) -> None:
    run_all(10_000, count, n)


@pytest.mark.timeout(120)
def test_committee__its_last_replies_lost_while_members_wait_for_a_view__still_decides() -> None:
    """Whoever waits for a view has to repeat its replies: those who do not wait have all fixed, so nothing
    makes them change the view, and lack nothing but these."""
    run_all(393, 1, 7)
