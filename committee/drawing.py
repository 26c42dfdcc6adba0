"""Committees that wait to be drawn. Anybody may do that, so validators take turns and none is needed."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from protocol.ids import TaskId

STAGGER_S: Final = 0.3
"""How long each validator lets the one before it go first."""
RETRY_S: Final = 2.0
MAX_RETRY_S: Final = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Undrawn:
    """A task whose committee can be drawn now; ``turn`` validators go before this one."""

    task_id: TaskId
    turn: int


@dataclass(slots=True)
class _Try:
    at_s: float
    wait_s: float = RETRY_S


@dataclass(slots=True)
class DrawDuty:
    """When this validator draws for whom. Time is an argument, in seconds of any steady clock."""

    _tries: dict[TaskId, _Try] = field(default_factory=dict)

    def due(self, undrawn: Iterable[Undrawn], now_s: float) -> list[TaskId]:
        """The tasks to draw for now. One that still waits is tried again, each time after twice as long."""
        waiting = {item.task_id: item for item in undrawn}
        self._tries = {task: entry for task, entry in self._tries.items() if task in waiting}
        found = []
        for task, item in waiting.items():
            entry = self._tries.setdefault(task, _Try(at_s=now_s + item.turn * STAGGER_S))
            if now_s >= entry.at_s:
                found.append(task)
                entry.at_s = now_s + entry.wait_s
                entry.wait_s = min(2 * entry.wait_s, MAX_RETRY_S)
        return found
