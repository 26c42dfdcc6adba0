"""The experiments' simulations, small."""

import numpy as np
import pytest

from pot.experiment import dial, sleepers


@pytest.mark.parametrize("case", dial.CASES, ids=lambda case: f"{case.bad}-of-{case.total}-{case.members}")
def test_dial__simulated_tasks__are_caught_as_often_as_quoted(case: dial.Case) -> None:
    found = dial.measure(case, 800, seed=1)
    spread = 4 * (case.quoted * (1 - case.quoted) / 800) ** 0.5
    assert abs(found.rate - case.quoted) <= spread


@pytest.mark.parametrize("case", [dial.CASES[0], dial.CASES[2]], ids=lambda case: f"{case.members}-members")
def test_dial__the_published_points__cost_at_most_a_tenth(case: dial.Case) -> None:
    assert (case.total, case.bad) == (300, 40)
    assert case.quoted >= 0.95
    assert case.extra_compute <= 0.10


@pytest.mark.parametrize("strategy", ["blind", "listener"])
def test_sleepers__thousand_rounds_at_every_offered_point__end_poorer_than_the_honest(strategy: str) -> None:
    offered = [(game, game.terms()) for game in sleepers.GAMES]
    played = [(game, terms) for game, terms in offered if terms is not None]
    assert len(played) > 30
    for game, terms in played:
        for seed in range(5):
            honest = sleepers.play(game, terms, "honest", seed)
            sleeper = sleepers.play(game, terms, strategy, seed)
            assert sleeper.wealth < honest.wealth
            assert honest.accepted == 0


def test_sleepers__half_of_the_work__ends_poorer_on_average() -> None:
    for game in sleepers.GAMES:
        terms = game.terms()
        if terms is None:
            continue
        honest = np.mean([sleepers.play(game, terms, "honest", seed).wealth for seed in range(20)])
        half = np.mean([sleepers.play(game, terms, "half", seed).wealth for seed in range(20)])
        assert half < honest


def test_sleepers__too_little_sampled__are_refused_by_the_quote() -> None:
    assert sleepers.Game(shards=4, sample_ppm=1_000, fee=1).terms() is None
