"""What one replica remembers of its miners' noise: bounded, nobody's evidence but its own.

A suspected miner is not accused of anything: its every shard is looked at from then on. With a file, a
restart forgets nothing.
"""

from collections import OrderedDict
from dataclasses import dataclass, field, replace
from typing import Final, Self

from committee.noise_file import Entry, NoiseFile
from protocol.ids import Address, TaskId
from protocol.policy import Limits
from worker.training.bias import Suspicion, observe, suspicions
from worker.training.replay import ReplayVerdict
from worker.training.tolerance import residual

MAX_HISTORIES: Final = 1_024
"""Miners remembered, over all tasks; the one unseen for longest goes first."""


@dataclass(slots=True)
class NoiseBook:
    """Histories by task and miner; with a ``file`` also on disk."""

    file: NoiseFile | None = None
    _entries: OrderedDict[tuple[TaskId, Address], Entry] = field(default_factory=OrderedDict)

    @classmethod
    def kept_in(cls, file: NoiseFile) -> Self:
        """The book that a file holds. Raises ConfigurationError."""
        book = cls(file=file, _entries=OrderedDict(file.load()))
        book._forget()
        return book

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
        and no noise; a place that is not beyond the last one. Raises ConfigurationError when the file cannot
        be written."""
        entry = self._entries.get(where, Entry())
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
        self._entries[where] = Entry(history=history, last=place, found=found)
        self._entries.move_to_end(where)
        if self.file is not None:
            self.file.put(where, self._entries[where])
        self._forget()

    def suspicions(self, task: TaskId, miner: Address) -> tuple[Suspicion, ...]:
        """The tests that reject this miner's honesty; empty for a stranger."""
        return self._entries.get((task, miner), Entry()).found

    def _forget(self) -> None:
        while len(self._entries) > MAX_HISTORIES:
            where, _ = self._entries.popitem(last=False)
            if self.file is not None:
                self.file.drop(where)
