"""When something is tried again: soon at first, ever less often, never given up."""

from dataclasses import dataclass
from typing import Final

RETRY_TICKS: Final = 5
"""The wait before the first retry; each further one is twice as long."""
MAX_RETRY_TICKS: Final = 200
"""The longest such wait."""


@dataclass(slots=True)
class Due:
    """Something to be tried at tick ``at``; ``busy`` while a try is under way."""

    at: int
    tries: int = 0
    busy: bool = False

    def postpone(self, now: int) -> None:
        """The try came to nothing, or its outcome is to show elsewhere."""
        self.busy = False
        self.at = now + min(RETRY_TICKS << min(self.tries, 16), MAX_RETRY_TICKS)
        self.tries += 1
