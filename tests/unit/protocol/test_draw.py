"""Draws of committees and courts: by stake, without replacement, the same for everybody who repeats them."""

from collections import Counter

import pytest

from protocol.draw import MAX_STAKE, Candidate, court, draw_seed, is_committee_size, needs_draw, sample
from protocol.errors import InvalidInput
from protocol.ids import Address, TaskId, sha256


def members(*stakes: int) -> list[Candidate]:
    return [Candidate(account=Address(f"0x{i + 1:040x}"), stake=stake) for i, stake in enumerate(stakes)]


def seed(number: int) -> bytes:
    return draw_seed(sha256(b"block"), TaskId(number))


def test_sample__any_seed__draws_distinct_members_in_ascending_order() -> None:
    pool = members(*range(1, 11))
    for number in range(50):
        drawn = sample(pool, seed(number), 7)
        assert len(set(drawn)) == 7
        assert list(drawn) == sorted(drawn, key=lambda account: int(account, 16))


def test_sample__stakes_differ__the_first_place_goes_by_stake() -> None:
    pool = members(1, 1, 1, 7)
    firsts = Counter(sample(pool, seed(number), 1)[0] for number in range(2_000))
    # 1,400 are expected of the heavy one, with a standard deviation of 20.
    assert 1_300 < firsts[pool[3].account] < 1_500


def test_sample__everybody__is_everybody() -> None:
    pool = members(5, 5, 5, 5)
    assert sample(pool, seed(1), 4) == tuple(candidate.account for candidate in pool)


@pytest.mark.parametrize("stakes", [(1, 1, 1), (1, 1, 1, 0), (1, 1, 1, MAX_STAKE + 1)])
def test_sample__too_few_or_without_weight__is_refused(stakes: tuple[int, ...]) -> None:
    with pytest.raises(InvalidInput):
        sample(members(*stakes), seed(1), 4)


def test_draw_seed__task_dispute_or_source__each_changes_it() -> None:
    plain = draw_seed(bytes(32), TaskId(1))
    assert len({plain, draw_seed(bytes(32), TaskId(2)), draw_seed(bytes(32), TaskId(1), 1)}) == 3
    assert draw_seed(sha256(b"another"), TaskId(1)) != plain


def test_court__enough_others__holds_none_of_the_committee() -> None:
    pool = members(*[10] * 11)
    committee = [candidate.account for candidate in pool[:4]]
    assert court(pool, committee, seed(1), 7) == tuple(candidate.account for candidate in pool[4:])


def test_court__few_others__holds_them_all_and_fills_up() -> None:
    pool = members(*[10] * 7)
    committee = [candidate.account for candidate in pool[:4]]
    drawn = court(pool, committee, seed(1), 5)
    assert len(drawn) == 5
    assert {candidate.account for candidate in pool[4:]} < set(drawn)


@pytest.mark.parametrize(
    ("size", "possible", "drawn"),
    [
        (0, True, False),
        (6, True, False),
        (4, True, True),
        (5, False, True),
        (7, False, True),
        (1, False, True),
    ],
)
def test_committee_size__pool_of_six__is_as_the_contract_says(size: int, possible: bool, drawn: bool) -> None:
    assert is_committee_size(size, 6) is possible
    assert needs_draw(size, 6) is drawn
