"""What goes down in the course of a run: killed by SIGKILL one after the other, and started again at once."""

from dataclasses import dataclass, field
from typing import Final, Protocol

MINERS_SHARE: Final = 4
"""One of so many of the miners' processes is killed, at least one."""


class Kills(Protocol):
    """The side of ``anvil.supervise.Supervisor`` that is used here."""

    def kill(self, name: str) -> int: ...

    def restart(self, name: str) -> int: ...


_ALONE: Final = ("validator-1", "coordinator", "broker")
"""What goes down after the miners, in order."""
OUTAGES: Final = 1 + len(_ALONE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outage:
    """The programs that were killed together, ``at_s`` seconds after the tasks were posted."""

    names: tuple[str, ...]
    at_s: float


@dataclass(slots=True)
class Outages:
    """Miners, a validator, the coordinator, the broker, each when a fifth more of the rounds is certified.

    The broker takes its queues and everybody's connections with it: nothing there is kept on disk.
    """

    supervisor: Kills
    processes: int
    done: list[Outage] = field(default_factory=list)

    def plan(self) -> tuple[tuple[str, ...], ...]:
        """What is killed, in order."""
        miners = tuple(f"miners-{place}" for place in range(max(1, self.processes // MINERS_SHARE)))
        return (miners, *((name,) for name in _ALONE))

    def advance(self, share: float, at_s: float) -> None:
        """Kill what is due when ``share`` of the rounds is certified, at most one thing at a time."""
        steps = self.plan()
        if len(self.done) == len(steps) or share < (len(self.done) + 1) / (len(steps) + 1):
            return
        names = steps[len(self.done)]
        for name in names:
            self.supervisor.kill(name)
        for name in names:
            self.supervisor.restart(name)
        self.done.append(Outage(names=names, at_s=at_s))
