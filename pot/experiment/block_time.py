"""How steady is a chain that is driven by hashing, by contests, or by pooled rounds?"""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import mean, pstdev
from typing import TYPE_CHECKING, Any, Final

from pot.experiment.block_makers import MIX, ContestMaker, Maker, PooledMaker, WorkMaker
from pot.experiment.sheets import Experiment, Sheet
from protocol.learning_payload import MAX_PAYLOADS

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MINERS: Final = 4
CHURN: Final = (4, 8, 4, 2)
"""Miners in each quarter of the second half: as before, twice as many, as before, half as many."""
ARRIVALS: Final = 20_000
WARM_UP: Final = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockTimePlan:
    """``blocks`` in the steady half, as many through the churn; proof of work makes ``factor`` times as many,
    as its intervals vary more."""

    blocks: int
    factor: int
    seed: int
    say: Callable[[str], None] = lambda line: None


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """Intervals of one chain in processor seconds of a miner, before and through the churn."""

    name: str
    steady: tuple[float, ...]
    churn: tuple[float, ...]


def measure(plan: BlockTimePlan) -> Experiment:
    """Make all blocks; minutes on two cores with the defaults."""
    makers: dict[str, tuple[Maker, int]] = {
        "proof of work": (WorkMaker(base=MINERS), plan.blocks * plan.factor),
        "contest, one kind of task": (ContestMaker(tasks=MIX[:1], seed=plan.seed), plan.blocks),
        "contest, three kinds": (ContestMaker(tasks=MIX, seed=plan.seed), plan.blocks),
        "pooled rounds": (PooledMaker(seed=plan.seed), plan.blocks * plan.factor),
    }
    found = []
    for name, (maker, blocks) in makers.items():
        found.append(_series(name, maker, blocks))
        plan.say(f"{name}: {2 * blocks} blocks")
    work = found[0]
    others = found[1:]
    return Experiment(
        name="block-time",
        title="Block intervals",
        lead=(
            "Real hashing, real training. Intervals are processor time of one of the equal miners who work "
            "side by side; agreement and chain come on top for all of them alike."
        ),
        settings={
            "blocks": plan.blocks,
            "factor": plan.factor,
            "seed": plan.seed,
            "miners": MINERS,
            "churn": list(CHURN),
        },
        sheets=(_steadiness(found), _traffic(found, plan.seed)),
        panels=(_panel(found, "steady"), _panel(found, "churn")),
        ok=any(2 * _cv(s.steady) <= _cv(work.steady) and 2 * _cv(s.churn) <= _cv(work.churn) for s in others),
    )


def _series(name: str, maker: Maker, blocks: int) -> Series:
    for number in range(WARM_UP):
        maker.block(number, MINERS)
    steady = [maker.block(WARM_UP + number, MINERS) for number in range(blocks)]
    churn = [
        maker.block(WARM_UP + blocks + number, CHURN[quarter(number, blocks)]) for number in range(blocks)
    ]
    return Series(name=name, steady=tuple(steady), churn=tuple(churn))


def quarter(number: int, blocks: int) -> int:
    """In which part of the churn block ``number`` of so many is made."""
    return number * len(CHURN) // blocks


def _cv(intervals: Sequence[float]) -> float:
    return pstdev(intervals) / mean(intervals)


def _steadiness(found: Sequence[Series]) -> Sheet:
    work, rows = found[0], list[tuple[Any, ...]]()
    for s in found:
        blocks = len(s.churn)
        quarters = [
            [interval for number, interval in enumerate(s.churn) if quarter(number, blocks) == part]
            for part in range(len(CHURN))
        ]
        rows.append(
            (
                s.name,
                len(s.steady),
                round(mean(s.steady), 4),
                round(_cv(s.steady), 3),
                round(_cv(s.steady) / _cv(work.steady), 2),
                round(_cv(s.churn), 3),
                round(_cv(s.churn) / _cv(work.churn), 2),
                " / ".join(f"{mean(q) / mean(s.steady):.2f}" for q in quarters),
            )
        )
    columns = (
        "chain", "blocks", "mean, s", "CV", "of proof of work's", "CV in churn", "the same in churn",
        "mean with 4 / 8 / 4 / 2 miners",
    )  # fmt: skip
    note = "CV: standard deviation by mean. The last column is relative to the steady half."
    return Sheet(title="Steadiness", columns=columns, rows=rows, note=note)


def _traffic(found: Sequence[Series], seed: int) -> Sheet:
    rows = []
    for s in found:
        for phase, intervals in (("steady", s.steady), ("churn", s.churn)):
            waits = _waits(intervals, seed)
            waits.sort()
            unit = mean(intervals)
            rows.append(
                (
                    s.name,
                    phase,
                    round(MAX_PAYLOADS / unit, 0),
                    round(mean(waits) / unit, 3),
                    round(waits[int(0.95 * len(waits))] / unit, 2),
                )
            )
    columns = ("chain", "phase", "payloads per s", "mean wait", "95 % wait")
    note = (
        f"A block takes {MAX_PAYLOADS} payloads. Waits for the next block of {ARRIVALS} arrivals at random "
        "times, in units of the chain's own mean interval: an even chain gives 0.5 and 0.95."
    )
    return Sheet(title="Throughput and latency of transactions", columns=columns, rows=rows, note=note)


def _waits(intervals: Sequence[float], seed: int) -> list[float]:
    """How long payloads that come at random times wait for their block."""
    chance, ends, total = random.Random(seed), list[float](), 0.0
    for interval in intervals:
        total += interval
        ends.append(total)
    waits, place = [], 0
    for arrival in sorted(chance.uniform(0, total) for _ in range(ARRIVALS)):
        while ends[place] < arrival and place < len(ends) - 1:
            place += 1
        waits.append(ends[place] - arrival)
    return waits


def _panel(found: Sequence[Series], phase: str) -> "Callable[[Axes], None]":
    def draw(axes: "Axes") -> None:
        for s in found:
            intervals = s.steady if phase == "steady" else s.churn
            places = [100 * k / len(intervals) for k in range(len(intervals))]
            unit = mean(s.steady)
            axes.plot(places, [i / unit for i in intervals], ".", markersize=3, label=s.name)
        axes.set_yscale("log")
        axes.set_xlabel("of the blocks, %")
        axes.set_ylabel("interval / steady mean")
        axes.set_title(phase if phase == "steady" else "4 / 8 / 4 / 2 miners", fontsize=10)
        axes.legend(fontsize=6)

    return draw
