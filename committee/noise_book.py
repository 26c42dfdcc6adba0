"""What one replica remembers of its miners' noise: bounded, in memory, nobody's evidence but its own.

A suspected miner is not accused of anything: its every shard is looked at from then on. A restart forgets,
which costs the tests their memory and nobody his rights.
"""

from collections import OrderedDict
from dataclasses import dataclass, field, replace
from typing import Final

from protocol.ids import Address, TaskId
from protocol.policy import Limits
from worker.training.bias import NoiseHistory, Suspicion, observe, suspicions
from worker.training.replay import ReplayVerdict
from worker.training.tolerance import residual

MAX_HISTORIES: Final = 1_024
"""Miners remembered, over all tasks; the one unseen for longest goes first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Entry:
    """``last`` is the newest (round, shard) observed: a proposal that is judged again counts once."""

    history: NoiseHistory = field(default_factory=NoiseHistory)
    last: tuple[int, int] = (0, 0)
    found: tuple[Suspicion, ...] = ()


@dataclass(slots=True)
class NoiseBook:
    """Histories by task and miner."""

    _entries: OrderedDict[tuple[TaskId, Address], _Entry] = field(default_factory=OrderedDict)

    def observe(
        self,
        where: tuple[TaskId, Address],
        place: tuple[int, int],
        verdict: ReplayVerdict,
        limits: Limits,
        test_ppb: int,
        secret: bytes,
    ) -> None:
        """Take in the verdict on the shard at ``place`` (round, shard). Not taken: a miss, which is a fault
        and no noise; a place that is not beyond the last one."""
        entry = self._entries.get(where, _Entry())
        if not verdict.ok or place <= entry.last:
            return
        if verdict.comparison is None or verdict.codes is None:
            history = replace(entry.history, checks=entry.history.checks + 1)
        else:
            claimed, own = verdict.codes
            noise = residual(claimed, own)
            history = observe(entry.history, noise, own, verdict.comparison.zone, secret)
        # Once suspected, for the rest of the task: the level holds for the first time it is crossed.
        found = entry.found or suspicions(history, limits, test_ppb)
        self._entries[where] = _Entry(history=history, last=place, found=found)
        self._entries.move_to_end(where)
        while len(self._entries) > MAX_HISTORIES:
            self._entries.popitem(last=False)

    def suspicions(self, task: TaskId, miner: Address) -> tuple[Suspicion, ...]:
        """The tests that reject this miner's honesty; empty for a stranger."""
        return self._entries.get((task, miner), _Entry()).found
