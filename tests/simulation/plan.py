"""One scenario, drawn from a seed: who is faulty and how, what the network does, what is asked for."""

import random
from dataclasses import dataclass, field
from typing import TypeVar

from protocol.members import max_faulty

FAULTS = ("silent", "twins", "liar", "liar", "liar", "forgetful", "half-deaf")
KINDS = ("Commit", "Commit", "Prepare", "PrePrepare", "Reply", "ViewChange", "NewView")
SIZES = (4,) * 14 + (5, 6, 7, 7)
SEQS = (1,) * 30 + (2,) * 12 + (3,) * 3 + (5,)
CALM_DELAYS = (0.3,) * 16 + (1.0,) * 8 + (9.0,)
CRASHES = (0,) * 5 + (1,) * 3 + (3,) * 2
ASKED = ("g",) * 5 + ("gg",) * 3 + ("bg",) + ("lg",) * 2
CRASH_POINTS = ("before persist", "torn persist", "after persist", "while sending")


@dataclass(frozen=True, slots=True, kw_only=True)
class Crash:
    """At the first output after ``at`` in a view higher than ``above`` the node dies at ``point``, and comes
    back ``down`` ticks later."""

    node: int
    at: float
    point: str
    down: float
    above: int = -1


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """A value is asked for at ``at`` of the members in ``of``. Values: ``g`` true, ``b`` false for everybody,
    ``l`` true at first and found false ``late`` ticks later, ``s`` false for ``abstaining`` only."""

    at: float
    seq: int
    value: bytes
    of: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """All times are in ticks. After ``heal_at`` nothing is lost and every delay is below ``calm_delay``."""

    seed: int
    n: int
    faulty: dict[int, str]
    seqs: int
    window: int
    heal_at: float
    drop: float
    loses: str | None  # most messages of this kind are lost
    duplicate: float
    wild_delay: float
    calm_delay: float
    cut: tuple[frozenset[int], float, float] | None
    crashes: tuple[Crash, ...]
    asks: tuple[Ask, ...]
    check_delay: float
    late: float
    abstaining: frozenset[int]
    finality: str  # "prompt", "batched" (a window at a time) or "none"
    view_timeout: int = 6
    max_check: int = 24
    horizon: float = 1500.0
    honest: tuple[int, ...] = field(default=())

    @property
    def peaceful(self) -> bool:
        """Nobody and nothing fails, and what is asked for is true and known to the first primary: there is
        no reason to leave its view, however slow the checks are."""
        troubled = self.faulty or self.crashes or self.abstaining or self.heal_at > 0 or self.calm_delay > 1
        return not troubled and all(ask.value[:1] == b"g" and 0 in ask.of for ask in self.asks)


_T = TypeVar("_T")


def _among(rng: random.Random, choices: tuple[_T, ...]) -> _T:
    """One of ``choices``; those that stand there several times are likelier."""
    return choices[int(rng.random() * len(choices))]


def draw(seed: int, n: int | None = None) -> Plan:
    """The scenario of ``seed``; the same one every time."""
    rng = random.Random(seed)
    if n is None:
        n = _among(rng, SIZES)
    f = max_faulty(n)
    who = rng.sample(range(n), f) if rng.random() < 0.75 else []
    if who and 0 not in who and rng.random() < 0.3:
        who[0] = 0  # the first primary
    faulty = {i: _among(rng, FAULTS) for i in who}
    honest = tuple(i for i in range(n) if i not in faulty)
    seqs = _among(rng, SEQS)
    calm = rng.random() < 0.45
    loses = None if calm or rng.random() < 0.6 else _among(rng, KINDS)
    long = loses == "Commit" or rng.random() < 0.15  # so that members commit in one view and again in another
    heal_at = 0.0 if calm else rng.uniform(14, 36) if long else rng.uniform(2, 14)
    spare = f - len(faulty)
    abstaining = frozenset(rng.sample(honest, spare)) if spare and rng.random() < 0.4 else frozenset()
    finality = _among(rng, ("prompt", "batched", "none"))
    window = 8 if finality == "none" else _among(rng, (1, 2, 3, 8))
    return Plan(
        seed=seed,
        n=n,
        faulty=faulty,
        seqs=seqs,
        window=window,
        heal_at=heal_at,
        drop=0.0 if calm else _among(rng, (0.0, 0.05, 0.2, 0.5)),
        loses=loses,
        duplicate=_among(rng, (0.0, 0.0, 0.1)),
        wild_delay=_among(rng, (0.5, 2.0, 10.0)),
        calm_delay=_among(rng, CALM_DELAYS),
        cut=None if calm or rng.random() < 0.5 else _cut(rng, n, heal_at),
        crashes=_crashes(rng, honest, heal_at),
        asks=_asks(rng, n, honest, seqs, bool(abstaining)),
        check_delay=_among(rng, (0.0, 0.0, 1.0, 8.0)),
        late=rng.uniform(0.2, 4.0),
        abstaining=abstaining,
        finality=finality,
        honest=honest,
    )


def _cut(rng: random.Random, n: int, heal_at: float) -> tuple[frozenset[int], float, float]:
    start = rng.uniform(0, heal_at)
    return frozenset(rng.sample(range(n), rng.randint(1, n - 1))), start, rng.uniform(start, heal_at)


def _crashes(rng: random.Random, honest: tuple[int, ...], heal_at: float) -> tuple[Crash, ...]:
    """Every crashed node comes back: a member that stays away is a faulty one."""
    return tuple(
        Crash(
            node=_among(rng, honest),
            at=rng.uniform(0, max(heal_at, 8)),
            point=_among(rng, CRASH_POINTS),
            down=rng.uniform(0.1, 12),
            above=0 if rng.random() < 0.3 else -1,
        )
        for _ in range(_among(rng, CRASHES))
    )


def _some(rng: random.Random, n: int, honest: tuple[int, ...]) -> tuple[int, ...]:
    """All members, one honest one, or any of them."""
    chance = rng.random()
    if chance < 0.6:
        return tuple(range(n))
    return (_among(rng, honest),) if chance < 0.75 else tuple(rng.sample(range(n), rng.randint(1, n)))


def _asks(
    rng: random.Random, n: int, honest: tuple[int, ...], seqs: int, someone_abstains: bool
) -> tuple[Ask, ...]:
    asks, at = [], 0.0
    for seq in range(1, seqs + 1):
        kinds = _among(rng, ASKED)
        if someone_abstains and kinds == "gg":
            kinds = "sg" if rng.random() < 0.5 else "s"
        for index, kind in enumerate(kinds):
            value = b"%c%d.%d" % (ord(kind), seq, index)
            asks.append(Ask(at=at, seq=seq, value=value, of=_some(rng, n, honest)))
            at += _among(rng, (0.0, 0.2, 3.0))
        at = at if rng.random() < 0.6 else at + rng.uniform(1, 6)
    return tuple(asks)
