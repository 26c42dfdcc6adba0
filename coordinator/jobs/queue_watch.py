"""Notices that the queues are gone: a broker keeps them in memory, and another run of it begins without."""

from typing import Final, Protocol

from protocol.errors import ServiceUnreachable

LOOK_EVERY_S: Final = 1.0


class Broker(Protocol):
    def broker_run(self) -> str: ...


class QueueWatch:
    """Looks at most once in LOOK_EVERY_S; used by one thread."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self._known = ""
        self._next_s = 0.0

    def lost(self, now_s: float) -> bool:
        """True once for every run of the broker that is met, the first one too: nobody knows what happened to
        it before we came. False while it is away or does not name its run."""
        if now_s < self._next_s:
            return False
        self._next_s = now_s + LOOK_EVERY_S
        try:
            run = self._broker.broker_run()
        except ServiceUnreachable:
            return False
        if run in ("", self._known):
            return False
        self._known = run
        return True
