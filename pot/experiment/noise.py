"""Honest noise, cell by cell: every pair of executions of every shard, in every codec."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from pot.experiment.executions import Setting, Work
from protocol.policy import Limits, Policy
from worker.training.bias import NoiseHistory, observe, suspicions
from worker.training.calibration import Noise, Trial, offered, provisional
from worker.training.codec import MANTISSA_BITS, CodecName, Codes, quantise
from worker.training.models import Layout, layout_of
from worker.training.tolerance import Difference, Zone, difference, residual

Gradients = NDArray[np.floating[Any]]
CODECS: Final[tuple[CodecName, ...]] = ("float32", "int16", "int8")
SECRET: Final = b"the replica's own"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One line of the record: a kind of work, and the two settings that did it."""

    arch: str
    compute: str
    codec: CodecName
    micro_batch: int
    first: str
    second: str

    def to_value(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.__slots__}


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """Two executions of one shard in one codec; ``found`` is None when every value was the same."""

    cell: Cell
    total: int
    found: Difference | None
    one: Codes
    other: Codes


def pairs(
    work: Work, results: Mapping[str, Gradients], codecs: Sequence[CodecName] = CODECS
) -> Iterator[Pair]:
    """All pairs of executions of one task's shards, shard by shard."""
    layout = layout_of(work.spec.model)
    usable = [codec for codec in codecs if offered(work.shape.compute, codec)]
    for shard in range(work.shards):
        rows = {name: gradients[shard] for name, gradients in results.items()}
        for codec in usable:
            yield from _pairs_of(work, layout, codec, rows)


def _pairs_of(work: Work, layout: Layout, codec: CodecName, rows: Mapping[str, Gradients]) -> Iterator[Pair]:
    bits, shape = MANTISSA_BITS[codec], work.shape
    # Settings that gave the same bits share one grid.
    grids: dict[bytes, Codes] = {}
    keys = {name: row.tobytes() for name, row in rows.items()}
    for name, row in rows.items():
        if keys[name] not in grids:
            grids[keys[name]] = quantise(bits, layout, row)
    seen: dict[tuple[bytes, bytes], Difference | None] = {}
    for first, second in combinations(rows, 2):
        cell = Cell(
            arch=shape.arch,
            compute=shape.compute,
            codec=codec,
            micro_batch=shape.micro_batch,
            first=first,
            second=second,
        )
        a, b = keys[first], keys[second]
        one, other = grids[a], grids[b]
        if (a, b) not in seen:
            seen[a, b] = _difference(one, other)
        yield Pair(cell=cell, total=layout.size, found=seen[a, b], one=one, other=other)


def _difference(one: Codes, other: Codes) -> Difference | None:
    """None when all codes mean the same."""
    if one is other or _same(one, other):
        return None
    found = difference(one, other)
    return found if found.counts.any() else None


def _same(one: Codes, other: Codes) -> bool:
    return np.array_equal(one.codes, other.codes) and np.array_equal(one.exponents, other.exponents)


@dataclass(slots=True)
class Calibration:
    """Noise of each cell."""

    cells: dict[Cell, Noise]

    def take(self, pair: Pair) -> None:
        cell = pair.cell
        if cell not in self.cells:
            limits = provisional(cell.arch, cell.compute, cell.codec, "cpu")  # type: ignore[arg-type]
            self.cells[cell] = Noise(limits=limits)
        if pair.found is None:
            self.cells[cell].add_equal(1, pair.total)
        else:
            self.cells[cell].add(pair.found)


@dataclass(slots=True)
class Validation:
    """Limits tried on other honest work: one trial a cell, and the tests over rounds on every pair of
    settings of every task, as if one miner had done all its shards."""

    limits_of: Callable[[str, str, str], Limits]
    test_ppb: int
    trials: dict[Cell, Trial]
    histories: int = 0
    alarms: int = 0

    def task(self, found: Iterator[Pair]) -> None:
        """All pairs of one task."""
        histories: dict[Cell, NoiseHistory] = {}
        for pair in found:
            zone = self._try(pair)
            before = histories.get(pair.cell, NoiseHistory())
            histories[pair.cell] = _after(before, pair, zone)
        for cell, history in histories.items():
            self.histories += 1
            limits = self.limits_of(cell.arch, cell.compute, cell.codec)
            self.alarms += bool(suspicions(history, limits, self.test_ppb))

    def _try(self, pair: Pair) -> Zone:
        cell = pair.cell
        if cell not in self.trials:
            self.trials[cell] = Trial(limits=self.limits_of(cell.arch, cell.compute, cell.codec))
        trial = self.trials[cell]
        if pair.found is None:
            trial.checks += 1
            return Zone.NEAR
        return trial.add(pair.found)


def limits_in(policy: Policy) -> Callable[[str, str, str], Limits]:
    """The limits of a policy by architecture, arithmetic and codec, on a CPU."""

    def limits_of(arch: str, compute: str, codec: str) -> Limits:
        return policy.limits_for(arch=arch, compute=compute, codec=codec, device="cpu")

    return limits_of


def settings_text(settings: Sequence[Setting]) -> list[dict[str, Any]]:
    """The settings as a record holds them."""
    return [
        {"name": s.name, "aten": s.aten, "onednn": s.onednn, "mkl": s.mkl, "threads": s.threads}
        for s in settings
    ]


def _after(history: NoiseHistory, pair: Pair, zone: Zone) -> NoiseHistory:
    if zone is Zone.MISS:
        return history
    if pair.found is None:
        # Nothing differs: one more check, no toss.
        return replace(history, checks=history.checks + 1)
    return observe(history, residual(pair.other, pair.one), pair.one, zone, SECRET)
