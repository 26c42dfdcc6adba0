"""Money as people write it is exact in both directions."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pot.amounts import format_amount, format_duration, parse_amount, parse_duration_s, parse_share_ppm
from protocol.errors import InvalidInput


@given(st.integers(min_value=0, max_value=1 << 128))
def test_amount__any_units__format_and_parse_back(units: int) -> None:
    assert parse_amount(format_amount(units).replace(",", ""), "x") == units


@pytest.mark.parametrize(
    ("text", "units"),
    [("1500", 1500), (1500, 1500), ("1 POT", 10**18), ("0.000000000000000001 pot", 1), ("0", 0)],
)
def test_amount__written_form__means_exact_units(text: object, units: int) -> None:
    assert parse_amount(text, "x") == units


@pytest.mark.parametrize(
    "text", ["", "one", "NaN", "Infinity", "-1", "1e400000000", True, None, 1.5, "1" * 61]
)
def test_amount__anything_else__is_refused(text: object) -> None:
    with pytest.raises(InvalidInput, match="x is"):
        parse_amount(text, "x")


def test_amount__too_many_decimals__is_refused() -> None:
    with pytest.raises(InvalidInput, match="more than 18 decimals"):
        parse_amount("0.0000000000000000001 POT", "x")


@pytest.mark.parametrize(
    ("text", "seconds"), [("90", 90), ("90s", 90), ("30m", 1800), ("2h", 7200), ("1d", 86_400)]
)
def test_duration__written_form__is_seconds(text: str, seconds: int) -> None:
    assert parse_duration_s(text, "x") == seconds


@pytest.mark.parametrize("text", ["", "-1s", "1w", "1.5h", "s", True])
def test_duration__anything_else__is_refused(text: object) -> None:
    with pytest.raises(InvalidInput, match="x is"):
        parse_duration_s(text, "x")


@pytest.mark.parametrize(
    ("text", "ppm"), [("25%", 250_000), ("0.25", 250_000), ("100%", 1_000_000), ("0", 0)]
)
def test_share__written_form__is_parts_per_million(text: str, ppm: int) -> None:
    assert parse_share_ppm(text, "x") == ppm


@pytest.mark.parametrize("text", ["101%", "25", "-1%", "x", "0.0000001"])
def test_share__anything_else__is_refused(text: str) -> None:
    with pytest.raises(InvalidInput, match="x is"):
        parse_share_ppm(text, "x")


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0 s"), (59, "59 s"), (7260, "2 h 1 min"), (86_400, "1 d")]
)
def test_duration__seconds__are_shown_in_two_units(seconds: int, text: str) -> None:
    assert format_duration(seconds) == text
