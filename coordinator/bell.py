"""A bell inside one process: whoever changed something rings, whoever waits for news wakes up at once."""

import threading


class Bell:
    """Counts rings, so that one rung just before somebody starts to wait is not missed. Thread-safe."""

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self._rings = 0

    @property
    def rings(self) -> int:
        return self._rings

    def ring(self) -> None:
        with self._condition:
            self._rings += 1
            self._condition.notify_all()

    def wait(self, heard: int, timeout_s: float) -> int:
        """Wait until the bell has rung more than ``heard`` times, at most ``timeout_s``; returns the
        count.
        """
        with self._condition:
            self._condition.wait_for(lambda: self._rings > heard, timeout_s)
            return self._rings
