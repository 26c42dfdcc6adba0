"""How large a drawn committee must be, exactly and by drawing; and what a committee of that size costs."""

import math
import random
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

from protocol.draw import Candidate, sample
from protocol.ids import Address
from protocol.members import max_faulty, quorum


@dataclass(frozen=True, slots=True, kw_only=True)
class Capture:
    """Of a committee of ``size`` from ``pool`` members, ``malicious`` of them bad: ``halt`` is the
    probability that more than f are bad (they can stop it, and safety is no longer promised), ``take`` that
    they are a quorum by themselves (they can certify anything alone)."""

    pool: int
    malicious: int
    size: int
    halt: float
    take: float


def capture(pool: int, malicious: int, size: int) -> Capture:
    """Both probabilities for equal stakes, from the exact hypergeometric distribution."""
    return Capture(
        pool=pool,
        malicious=malicious,
        size=size,
        halt=float(tail(pool, malicious, size, max_faulty(size) + 1)),
        take=float(tail(pool, malicious, size, quorum(size))),
    )


def tail(pool: int, malicious: int, size: int, least: int) -> Fraction:
    """P(at least ``least`` bad ones among ``size`` drawn without replacement)."""
    ways = sum(
        math.comb(malicious, bad) * math.comb(pool - malicious, size - bad)
        for bad in range(least, min(size, malicious) + 1)
        if size - bad <= pool - malicious
    )
    return Fraction(ways, math.comb(pool, size))


def least_size(pool: int, malicious: int, wanted: float, *, takes: bool) -> int | None:
    """The smallest 3f + 1 whose probability is at most ``wanted``; None when even the whole pool is not
    safe. ``takes``: of a quorum of bad ones, otherwise of more than f."""
    for size in range(4, pool + 1, 3):
        least = quorum(size) if takes else max_faulty(size) + 1
        if tail(pool, malicious, size, least) <= Fraction(wanted):
            return size
    return None


STAKES: Final[dict[str, Callable[[int], int]]] = {
    "equal": lambda place: 1,
    "uneven (1/k)": lambda place: 10_000 // (place + 1),
}


def drawn(
    pool: int, malicious_ppm: int, size: int, *, draws: int, seed: int, stakes: str
) -> tuple[float, float]:
    """The shares of ``draws`` committees, drawn as the contract draws them, in which more than f, and in
    which a quorum, are bad. Members are made bad in random order while they hold at most ``malicious_ppm``
    of all stake."""
    chance = random.Random(f"{seed}/capture/{pool}/{size}/{stakes}")
    everybody = [
        Candidate(account=Address(f"0x{place + 1:040x}"), stake=STAKES[stakes](place))
        for place in range(pool)
    ]
    total = sum(candidate.stake for candidate in everybody)
    halts = takes = 0
    for _ in range(draws):
        bad, held = set[Address](), 0
        for candidate in chance.sample(everybody, pool):
            if held + candidate.stake <= total * malicious_ppm // 1_000_000:
                bad.add(candidate.account)
                held += candidate.stake
        found = sum(account in bad for account in sample(everybody, chance.randbytes(32), size))
        halts += found > max_faulty(size)
        takes += found >= quorum(size)
    return halts / draws, takes / draws
