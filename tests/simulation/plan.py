"""One scenario, drawn from a seed: who is faulty and how, what the network does, what is asked for."""

import random
from dataclasses import dataclass, field

from protocol.members import max_faulty

FAULTS = ("silent", "twins", "liar", "liar", "liar", "forgetful", "half-deaf")
KINDS = ("Commit", "Commit", "Prepare", "PrePrepare", "Reply", "ViewChange", "NewView")
CRASH_POINTS = ("before persist", "torn persist", "after persist", "while sending")


@dataclass(frozen=True, slots=True, kw_only=True)
class Crash:
    """At the first output after ``at`` the node dies at ``point``, and comes back ``down`` ticks later."""

    node: int
    at: float
    point: str
    down: float


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
        """Nobody and nothing fails, and what is asked for is true: there is no reason to leave the first
        view, however slow the checks are."""
        troubled = self.faulty or self.crashes or self.abstaining or self.heal_at > 0
        return not troubled and self.calm_delay <= 1 and all(ask.value[:1] == b"g" for ask in self.asks)


def draw(seed: int, n: int | None = None) -> Plan:
    """The scenario of ``seed``; the same one every time."""
    rng = random.Random(seed)
    if n is None:
        n = rng.choices((4, 5, 6, 7), weights=(14, 1, 1, 2))[0]
    f = max_faulty(n)
    who = rng.sample(range(n), rng.choices((0, f), weights=(1, 3))[0])
    if who and 0 not in who and rng.random() < 0.3:
        who[0] = 0  # the first primary
    faulty = {i: rng.choice(FAULTS) for i in who}
    honest = tuple(i for i in range(n) if i not in faulty)
    seqs = rng.choices((1, 2, 3, 5), weights=(5, 4, 2, 1))[0]
    calm = rng.random() < 0.45
    heal_at = 0.0 if calm else rng.uniform(5, 30)
    spare = f - len(faulty)
    abstaining = frozenset(rng.sample(honest, spare)) if spare and rng.random() < 0.4 else frozenset()
    finality = rng.choice(("prompt", "batched", "none"))
    window = 8 if finality == "none" else rng.choice((1, 2, 3, 8))
    return Plan(
        seed=seed,
        n=n,
        faulty=faulty,
        seqs=seqs,
        window=window,
        heal_at=heal_at,
        drop=0.0 if calm else rng.choice((0.0, 0.05, 0.2, 0.5)),
        loses=None if calm or rng.random() < 0.6 else rng.choice(KINDS),
        duplicate=rng.choice((0.0, 0.0, 0.1)),
        wild_delay=rng.choice((0.5, 2.0, 10.0)),
        calm_delay=rng.choices((0.3, 1.0, 9.0), weights=(8, 4, 1))[0],
        cut=None if calm or rng.random() < 0.5 else _cut(rng, n, heal_at),
        crashes=_crashes(rng, honest, heal_at),
        asks=_asks(rng, n, honest, seqs, bool(abstaining)),
        check_delay=rng.choice((0.0, 0.0, 1.0, 12.0)),
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
            node=rng.choice(honest),
            at=rng.uniform(0, max(heal_at, 8)),
            point=rng.choice(CRASH_POINTS),
            down=rng.uniform(0.1, 12),
        )
        for _ in range(rng.choices((0, 1, 3), weights=(5, 3, 2))[0])
    )


def _asks(
    rng: random.Random, n: int, honest: tuple[int, ...], seqs: int, someone_abstains: bool
) -> tuple[Ask, ...]:
    asks, at = [], 0.0
    for seq in range(1, seqs + 1):
        kinds = rng.choices(("g", "gg", "bg", "lg"), weights=(6, 2, 1, 2))[0]
        if someone_abstains and kinds == "gg":
            kinds = "sg" if rng.random() < 0.5 else "s"
        for index, kind in enumerate(kinds):
            of = tuple(range(n)) if rng.random() < 0.7 else (rng.choice(honest),)
            asks.append(Ask(at=at, seq=seq, value=b"%c%d.%d" % (ord(kind), seq, index), of=of))
            at += rng.choice((0.0, 0.2, 3.0))
        at = at if rng.random() < 0.6 else at + rng.uniform(1, 6)
    return tuple(asks)
