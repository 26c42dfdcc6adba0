"""Notices that the queues are gone: a broker keeps them in memory, and another run of it begins without."""

from collections import deque
from collections.abc import Callable
from typing import Final, Protocol

from protocol.errors import ServiceUnreachable

LOOK_EVERY_S: Final = 1.0
AWAY_PAUSE_S: Final = 3.0
"""A broker that hangs costs a look as long as its time-out."""
RUNS_REMEMBERED: Final = 16


class Broker(Protocol):
    def broker_run(self) -> str: ...


class QueueWatch:
    """Looks at most once in LOOK_EVERY_S; used by one thread."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self._met: deque[str] = deque(maxlen=RUNS_REMEMBERED)
        self._next_s = 0.0

    def look(self, now_s: float, lost: Callable[[], None]) -> None:
        """Call ``lost`` once for every run of the broker that is met, the first one too: nobody knows what
        happened to it before we came. If that raises, it is called again at the next look. An address that
        leads to two brokers in turn shows no new run after the second."""
        if now_s < self._next_s:
            return
        self._next_s = now_s + LOOK_EVERY_S
        try:
            run = self._broker.broker_run()
        except ServiceUnreachable:
            self._next_s = now_s + AWAY_PAUSE_S
            return
        if run and run not in self._met:
            lost()
            self._met.append(run)
