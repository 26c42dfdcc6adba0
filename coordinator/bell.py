"""A bell inside one process: whoever changed something rings, whoever waits for news wakes up at once."""

import threading
from collections.abc import Collection


class Bell:
    """Counts rings, so that one rung just before somebody starts to wait is not missed. Thread-safe."""

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self._rings = 0
        self._about: list[tuple[frozenset[str], Bell]] = []

    @property
    def rings(self) -> int:
        return self._rings

    def about(self, kinds: Collection[str]) -> "Bell":
        """A bell for those who wait for some ``kinds`` of news; it lives as long as this one."""
        bell = Bell()
        self._about.append((frozenset(kinds), bell))
        return bell

    def ring(self, kinds: Collection[str] | None = None) -> None:
        """There is news of ``kinds``; None wakes everybody."""
        with self._condition:
            self._rings += 1
            self._condition.notify_all()
        for wanted, bell in self._about:
            if kinds is None or not wanted.isdisjoint(kinds):
                bell.ring()

    def wait(self, heard: int, timeout_s: float) -> int:
        """Wait until the bell has rung more than ``heard`` times, at most ``timeout_s``; returns the
        count.
        """
        with self._condition:
            self._condition.wait_for(lambda: self._rings > heard, timeout_s)
            return self._rings
