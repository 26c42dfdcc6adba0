from hypothesis import given
from hypothesis import strategies as st

from coordinator.domain.liveness import BEATS_PER_S, LONGEST_PAUSE_S, SHORTEST_PAUSE_S, patience_s, pause_s


@given(st.integers(0, 100_000))
def test_pause__any_number_of_miners__bounds_the_load_or_is_the_longest(alive: int) -> None:
    pause = pause_s(alive)
    assert SHORTEST_PAUSE_S <= pause <= LONGEST_PAUSE_S
    assert alive / pause <= BEATS_PER_S or pause == LONGEST_PAUSE_S


def test_pause__few_miners__is_short_and_death_soon_noticed() -> None:
    assert (pause_s(4), patience_s(pause_s(4))) == (3.0, 8.0)
    assert (pause_s(1_000), patience_s(pause_s(1_000))) == (50.0, 62.5)


@given(st.floats(SHORTEST_PAUSE_S, LONGEST_PAUSE_S))
def test_patience__any_pause__leaves_time_for_a_second_try(pause: float) -> None:
    assert patience_s(pause) - pause > 4.99
