"""How often to look at something that may have changed: often while it does, seldom while it does not."""

from typing import Final

LONGEST_TIMES: Final = 2
"""Longer ones idle cheaper, but whoever acts next waits for them."""


class Pauses:
    """``shortest_s`` after news; then half as long again each time, at most LONGEST_TIMES as long."""

    def __init__(self, shortest_s: float) -> None:
        self._shortest_s = shortest_s
        self._pause_s = shortest_s

    def after(self, *, news: bool) -> float:
        """The pause after a look that found ``news`` or none, in seconds."""
        grown = min(1.5 * self._pause_s, LONGEST_TIMES * self._shortest_s)
        self._pause_s = self._shortest_s if news else grown
        return self._pause_s
