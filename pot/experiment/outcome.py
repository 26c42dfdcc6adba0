"""One run of the network under load, and what came of it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING, Any, Final

from pot.experiment.outages import OUTAGES, Outage
from pot.experiment.sheets import Sheet
from pot.experiment.tally import CLAIMERS, Tally
from protocol.ids import Address

if TYPE_CHECKING:
    from matplotlib.axes import Axes

DEADLINE_S: Final = 60
"""The spec's own: seconds in which a round's shards are collected."""
ROUNDS_PER_CERTIFICATE: Final = 2
CERTIFICATE_TERM_S: Final = 10.0
"""Seconds for agreement and the chain: what a committee needs that finds its primary dead (3 s of patience,
6 s for the next view, and a block)."""
ON_TIME: Final = 0.999


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """One run: ``miners`` identities on ``processes``, ``tasks`` at the same time, of ``rounds`` rounds. With
    ``faults`` processes are killed in the course of it, and come back (``pot.experiment.outages``)."""

    miners: int
    tasks: int
    rounds: int
    processes: int
    shards: int = 8
    faults: bool = False

    @property
    def groups(self) -> int:
        """Processes that have a miner."""
        return min(self.processes, self.miners)

    @property
    def due_s(self) -> int:
        """Seconds from the post until the last round is due."""
        certificates = -(-self.rounds // ROUNDS_PER_CERTIFICATE)
        return self.rounds * DEADLINE_S + certificates * round(CERTIFICATE_TERM_S)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait:
    """One certificate of ``rounds`` rounds, which took ``seconds``."""

    rounds: int
    seconds: float

    @property
    def share(self) -> float:
        """Of its time: its rounds' deadlines, and the term for agreement and chain."""
        return self.seconds / (self.rounds * DEADLINE_S + CERTIFICATE_TERM_S)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of it: how long each certificate took, what became of each task's contributions, which
    miners fell ``short`` when they claimed what they had earned; ``outages`` is what was killed, and when."""

    load: Load
    seconds: float
    waits: tuple[Wait, ...]
    tallies: tuple[Tally, ...]
    short: frozenset[Address]
    outages: tuple[Outage, ...] = ()

    @property
    def due(self) -> int:
        return self.load.tasks * self.load.rounds

    @property
    def certified(self) -> int:
        """Rounds."""
        return sum(wait.rounds for wait in self.waits)

    @property
    def on_time(self) -> int:
        """Rounds whose certificate was there in its time."""
        return sum(wait.rounds for wait in self.waits if wait.share <= 1)

    @property
    def worst(self) -> float:
        """The longest wait for a certificate, as a share of its time."""
        return max((wait.share for wait in self.waits), default=0.0)

    @property
    def contributions(self) -> int:
        return sum(len(item.certified) for item in self.tallies)

    @property
    def identities(self) -> int:
        """Miners with certified work."""
        return len({miner for item in self.tallies for _, _, miner in item.certified})

    @property
    def lost(self) -> int:
        """Contributions that were accepted and never certified."""
        return sum(len(item.lost) for item in self.tallies)

    @property
    def unpaid(self) -> int:
        """Miners whom some task's payouts do not cover, or who got less on claiming."""
        return len(self.short.union(*(item.unpaid for item in self.tallies)))

    @property
    def ok(self) -> bool:
        """Whether all was certified and in time, nothing lost or unpaid, and killed what was to be."""
        return (
            self.certified == self.due
            and self.on_time >= ON_TIME * self.due
            and not self.lost
            and not self.unpaid
            and (not self.load.faults or len(self.outages) == OUTAGES)
        )


def waits_of(spans: Sequence[tuple[int, int]], certified_s: Sequence[float]) -> list[Wait]:
    """The waits for certificates over the rounds ``spans`` (first and last of each, ascending);
    ``certified_s[r]`` is when round r was certified, ``certified_s[0]`` when the task was posted."""
    found, before = [], certified_s[0]
    for first, last in spans:
        found.append(Wait(rounds=last - first + 1, seconds=certified_s[last] - before))
        before = certified_s[last]
    return found


def runs_sheet(found: Sequence[Outcome]) -> Sheet:
    rows: list[tuple[Any, ...]] = [
        (
            o.load.miners, o.load.groups, o.load.tasks, min(o.load.shards, o.load.miners), o.load.rounds,
            len(o.outages),
            round(o.seconds, 1), round(3_600 * o.certified / o.load.rounds / o.seconds, 1),
            round(o.contributions / o.seconds, 2), o.certified, round(100 * o.on_time / o.due, 2),
            *(round(part, 1) for part in _waited(o)), round(100 * o.worst, 1), o.identities, o.lost, o.unpaid,
        )
        for o in found
    ]  # fmt: skip
    columns = (
        *("miners", "processes", "tasks", "shards", "rounds", "faults", "seconds", "tasks per hour"),
        *("contributions/s", "rounds certified", "rounds on time, %", "median wait, s", "99 % wait, s"),
        *("longest wait, % of its time", "contributing", "lost", "unpaid"),
    )
    note = (
        "Tasks of equal length, posted together. A certificate of n rounds is due n round deadlines of "
        f"{DEADLINE_S} s and {CERTIFICATE_TERM_S:g} s after the one before it, the first one after the post; "
        "its rounds are on time when it is, and rounds that are never certified are not. Lost are "
        "contributions that the coordinator took and no certificate names; unpaid are miners whom payouts do "
        f"not cover, or who got less when they claimed ({CLAIMERS} do)."
    )
    return Sheet(title="Runs", columns=columns, rows=rows, note=note)


def outages_sheet(found: Sequence[Outcome]) -> Sheet:
    rows: list[tuple[Any, ...]] = [
        (o.load.miners, o.load.tasks, round(item.at_s, 1), ", ".join(item.names))
        for o in found
        for item in o.outages
    ]
    columns = ("miners", "tasks", "seconds after the post", "killed and started again")
    return Sheet(title="Outages", columns=columns, rows=rows, note="Everything was killed by SIGKILL.")


def _waited(outcome: Outcome) -> tuple[float, float]:
    """Seconds for a certificate: median, and what 99 % of them stayed below."""
    waits = sorted(wait.seconds for wait in outcome.waits) or [0.0]
    return median(waits), waits[min(len(waits) - 1, int(0.99 * len(waits)))]


def panel(found: Sequence[Outcome]) -> "Callable[[Axes], None]":
    def draw(axes: "Axes") -> None:
        for faults, mark in ((False, "o-"), (True, "x--")):
            chosen = sorted(
                (o.load.miners, o.contributions / o.seconds) for o in found if o.load.faults is faults
            )
            label = "with outages" if faults else "no faults"
            axes.plot([m for m, _ in chosen], [rate for _, rate in chosen], mark, label=label)
        axes.set_xscale("log")
        axes.set_xlabel("miners")
        axes.set_ylabel("contributions per second")
        axes.legend(fontsize=7)

    return draw
