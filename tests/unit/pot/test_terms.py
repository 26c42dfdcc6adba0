"""What a network cannot carry is refused in a sentence, before anything is signed."""

from dataclasses import replace
from typing import Any

import msgspec
import pytest

from pot.terms import Terms, require_room
from protocol.errors import InvalidInput, Refused
from protocol.spec import TaskSpec
from tests.support.miner_network import digits_spec

DAY_S = 86_400


def spec(committee_size: int = 0, rounds: int | None = None, **limits: int) -> TaskSpec:
    value: dict[str, Any] = digits_spec().to_value()
    value["verification"]["committee_size"] = committee_size
    value["limits"].update(limits)
    if rounds is not None:
        value["recipe"]["rounds"] = rounds
    return TaskSpec.from_value(value)


def terms(made: TaskSpec, **changes: Any) -> Terms:
    found = Terms(
        spec=made,
        start_in_s=0,
        pool=7,
        snapshot_age_s=DAY_S,
        max_snapshot_age_s=7 * DAY_S,
        max_life_s=30 * DAY_S,
        settlement_s=0,
        margin_s=7 * DAY_S,
        unbonding_s=45 * DAY_S,
    )
    return replace(found, **changes)


@pytest.mark.parametrize(("size", "members", "drawn"), [(0, 7, False), (7, 7, False), (4, 4, True)])
def test_check__possible_committee__is_accepted(size: int, members: int, drawn: bool) -> None:
    found = terms(spec(size))
    found.check()
    assert (found.members, found.drawn) == (members, drawn)


@pytest.mark.parametrize("size", [5, 6, 10])
def test_check__impossible_committee__says_which_are_possible(size: int) -> None:
    with pytest.raises(InvalidInput, match=r"4, 7, 10, .* at most the 7 validators"):
        terms(spec(size)).check()


def test_check__stakes_could_leave_before_the_last_dispute__is_refused_with_every_part() -> None:
    found = terms(spec(task_life_s=20 * DAY_S, challenge_window_s=7 * DAY_S), settlement_s=27 * DAY_S)
    assert found.needed_s == (1 + 20 + 27 + 7) * DAY_S
    with pytest.raises(InvalidInput, match=r"stay for 45 d, and it needs 55 d .*challenge_window"):
        found.check()
    replace(found, unbonding_s=55 * DAY_S).check()


def test_check__old_snapshot__asks_for_the_next_epoch() -> None:
    with pytest.raises(Refused, match="advance the epoch"):
        terms(spec(), snapshot_age_s=8 * DAY_S).check()


def test_check__nobody_joined__is_refused() -> None:
    with pytest.raises(Refused, match="four validators"):
        terms(spec(), pool=0).check()


def test_check__life_beyond_the_contracts__names_both() -> None:
    with pytest.raises(InvalidInput, match="the contract allows"):
        terms(spec(), max_life_s=60).check()


def test_require_room__more_certificates_than_windows_hold__is_refused() -> None:
    limits = {"challenge_window_s": 600, "task_life_s": 3_600, "max_uncertified_rounds": 4}
    require_room(spec(rounds=4 * 63 * 6, **limits))
    with pytest.raises(InvalidInput, match="63 fit into one"):
        require_room(spec(rounds=4 * 63 * 6 + 1, **limits))
    require_room(spec(rounds=4 * 63 * 6 + 1, **{**limits, "challenge_window_s": 0}))


def test_spec__committee_below_four__is_refused() -> None:
    with pytest.raises(InvalidInput, match="at least 4 members"):
        spec(committee_size=3)
    assert msgspec.to_builtins(spec())["verification"]["committee_size"] == 0
