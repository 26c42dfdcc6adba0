"""Reading what a peer sent: any malformed field becomes one typed error that names the subject."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from protocol.errors import InvalidInput, PeerMisbehaved

MAX_SHOWN = 200
"""Characters of a parser's complaint that are passed on: it may quote what a stranger wrote."""


@contextmanager
def peer_value(subject: str) -> Iterator[None]:
    """Turn missing, mistyped and malformed fields met inside the block into PeerMisbehaved(subject)."""
    try:
        yield
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError, InvalidInput) as error:
        shown = str(error)[:MAX_SHOWN]
        raise PeerMisbehaved(subject, f"it is malformed ({type(error).__name__}: {shown})") from error


def uint(value: Any, bits: int) -> int:
    """``value`` if it is an int that fits Solidity's ``uint<bits>``. Raises ValueError otherwise."""
    if natural(value) >> bits:
        raise ValueError(f"it does not fit uint{bits}")
    return int(value)


def natural(value: Any) -> int:
    """``value`` if it is an int >= 0 (bools are not). Raises ValueError otherwise."""
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise ValueError(f"{value!r} is not a natural number")
    return value


def amount(value: Any) -> int:
    """A decimal string without sign, spaces or leading zeros, as money travels. Raises ValueError
    otherwise."""
    if not isinstance(value, str) or not value.isascii() or not value.isdigit() or str(int(value)) != value:
        raise ValueError(f"{value!r} is not a decimal amount")
    return int(value)
