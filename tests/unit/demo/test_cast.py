"""Who misbehaves, as ``--adversary`` says it."""

import pytest

from committee.adversary import KINDS as VALIDATOR_KINDS
from coordinator.adversary import KINDS as COORDINATOR_KINDS
from pot.demo.cast import COORDINATORS, VALIDATORS, Cast, parse_cast
from protocol.errors import InvalidInput


def test_parse_cast__kinds_of_every_role__are_sorted_by_who_does_it() -> None:
    texts = ["lazy:2", "silent-primary", "censoring-coordinator", "tampered-blob", "alie"]
    assert parse_cast(texts, 4, 4) == Cast(
        miners={1: "lazy", 2: "lazy", 3: "alie"},
        validators=("silent-primary",),
        coordinator="censoring-coordinator",
        vandal=True,
    )
    assert parse_cast([], 4, 4) == Cast()


def test_cast__the_kinds_it_knows__are_those_that_exist() -> None:
    assert tuple(VALIDATOR_KINDS) == VALIDATORS
    assert COORDINATOR_KINDS == COORDINATORS


def test_parse_cast__unknown_kind__lists_every_known_one() -> None:
    with pytest.raises(InvalidInput, match=r"lazy, .*alie, ipm.*lying-primary, censoring-coordinator, tamp"):
        parse_cast(["evil"], 4, 4)


@pytest.mark.parametrize(
    "text", ["silent-primary:2", "silent-primary:x", "silent-primary:", "tampered-blob:1", "lazy:4"]
)
def test_parse_cast__more_than_can_be_survived_or_counted__is_refused(text: str) -> None:
    with pytest.raises(InvalidInput):
        parse_cast([text], 4, 4)


def test_parse_cast__a_larger_committee__may_hold_more_wrong_doers() -> None:
    assert parse_cast(["lazy-validator:2"], 4, 7).validators == ("lazy-validator",) * 2
