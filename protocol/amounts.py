"""Money, durations and moments as people read them, on the command line and on the page alike."""

import time
from typing import Final

TOKEN_DECIMALS: Final = 18
TOKEN_SYMBOL: Final = "POT"


def format_amount(units: int) -> str:
    """``1500000000000000000`` -> ``1.5 POT``, exactly."""
    whole, rest = divmod(abs(units), 10**TOKEN_DECIMALS)
    fraction = f".{rest:018d}".rstrip("0") if rest else ""
    return f"{'-' if units < 0 else ''}{whole:,}{fraction} {TOKEN_SYMBOL}"


def format_duration(seconds: int) -> str:
    """``7260`` -> ``2 h 1 min``."""
    parts = []
    for unit, size in (("d", 86_400), ("h", 3600), ("min", 60), ("s", 1)):
        count, seconds = divmod(seconds, size)
        if count:
            parts.append(f"{count} {unit}")
    return " ".join(parts[:2]) or "0 s"


def format_moment(unix_s: int) -> str:
    """``0`` -> ``1970-01-01 00:00:00 UTC``."""
    return time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(unix_s))
