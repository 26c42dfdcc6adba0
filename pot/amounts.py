"""Money, durations, shares and rates as people write them, and the exact integers and strings they mean."""

import re
from decimal import Decimal, InvalidOperation
from fractions import Fraction

from protocol.amounts import TOKEN_DECIMALS as TOKEN_DECIMALS  # noqa: PLC0414 - all of it is known from here
from protocol.amounts import TOKEN_SYMBOL as TOKEN_SYMBOL  # noqa: PLC0414 - likewise
from protocol.amounts import format_amount as format_amount  # noqa: PLC0414 - likewise
from protocol.amounts import format_duration as format_duration  # noqa: PLC0414 - likewise
from protocol.amounts import format_moment as format_moment  # noqa: PLC0414 - likewise
from protocol.errors import InvalidInput

_UNITS_S = {"s": 1, "m": 60, "min": 60, "h": 3600, "d": 86_400}
_PPM = 1_000_000
_EXAMPLE = f"1.5 {TOKEN_SYMBOL}"
_AMOUNT_HINT = f"write smallest units (1500) or whole tokens ({_EXAMPLE})."
_AMOUNT = re.compile(r"(-?)([0-9]{1,60}(?:\.[0-9]{1,60})?)(?: +([A-Za-z]{1,16}))?")


def parse_amount(value: object, field: str) -> int:
    """Smallest units of an amount: an integer (or its digits) is that many units, ``"1.5 POT"`` that many
    tokens. Raises InvalidInput with a sentence that names ``field``."""
    found = _AMOUNT.fullmatch(str(value).strip())
    if isinstance(value, bool) or not isinstance(value, int | str) or found is None:
        raise InvalidInput(f"{field} is {str(value)[:60]!r}: {_AMOUNT_HINT}")
    sign, number, symbol = found.groups()
    if sign:
        raise InvalidInput(f"{field} is {value}: an amount cannot be negative.")
    if symbol and symbol.upper() != TOKEN_SYMBOL:
        raise InvalidInput(f"{field} is {value!r}: the token of this network is {TOKEN_SYMBOL}.")
    units = Fraction(number) * (10**TOKEN_DECIMALS if symbol else 1)
    if units.denominator != 1:
        what = f"more than {TOKEN_DECIMALS} decimals" if symbol else "a fraction of the smallest unit"
        raise InvalidInput(f"{field} is {value!r}, which has {what}; whole tokens are written {_EXAMPLE!r}.")
    return units.numerator


def parse_duration_s(value: object, field: str) -> int:
    """Seconds of ``90``, ``"90s"``, ``"30m"``, ``"2h"`` or ``"1d"``. Raises InvalidInput."""
    found = re.fullmatch(r"([0-9]{1,9})\s*(s|m|min|h|d)?", str(value).strip())
    if found is None or isinstance(value, bool):
        raise InvalidInput(f"{field} is {str(value)[:60]!r}: write a duration such as 90s, 30m, 2h or 1d.")
    return int(found[1]) * _UNITS_S[found[2] or "s"]


def parse_share_ppm(value: object, field: str) -> int:
    """Parts per million of ``"25%"`` or ``"0.25"``. Raises InvalidInput."""
    text = str(value).strip()
    found = re.fullmatch(r"([0-9]{1,3}(?:\.[0-9]{1,6})?)\s*(%?)", text)
    if found is None or isinstance(value, bool):
        raise InvalidInput(f"{field} is {text[:60]!r}: write a share such as 25% or 0.25.")
    ppm = Decimal(found[1]) * (_PPM // 100 if found[2] else _PPM)
    if ppm > _PPM or ppm != ppm.to_integral_value():
        raise InvalidInput(f"{field} is {text}: it must lie between 0% and 100%, in steps of a millionth.")
    return int(ppm)


def plain_decimal(value: object, field: str) -> str:
    """``1e-3`` -> ``0.001``: a decimal number without exponent, as specs hold it. Raises InvalidInput."""
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        raise InvalidInput(f"{field} is {str(value)[:60]!r}: a decimal number is needed.") from None
    if not number.is_finite() or number < 0 or abs(number.adjusted()) > 15:
        raise InvalidInput(f"{field} is {str(value)[:60]}: a finite decimal number, not negative, is needed.")
    return f"{number:f}"
