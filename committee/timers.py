"""When to stop waiting for a primary, counted in ticks.

What is waited for is a *key* (view, sequence number, stage); every new key starts a new wait, so a wait
ends with progress. It lasts the view timeout, doubled with each view that brought nothing. A sign of life
of a slow check stretches the wait by one timeout from now, but never beyond ``max_check_ticks`` more than
the plain wait: a slow check is not a dead primary, and a primary that checks for ever is no better than a
dead one.
"""

from dataclasses import dataclass, field
from enum import IntEnum

MAX_DOUBLINGS = 6


class Stage(IntEnum):
    """What the wait is for."""

    PROPOSAL = 1
    PREPARES = 2
    COMMITS = 3
    NEW_VIEW = 4


WaitKey = tuple[int, int, Stage]


@dataclass(slots=True, kw_only=True)
class ViewTimer:
    """All durations are in ticks; ``now`` is the replica's tick count."""

    timeout_ticks: int
    max_check_ticks: int
    failures: int = 0
    key: WaitKey | None = field(default=None, init=False)
    _started: int = field(default=0, init=False)
    _deadline: int = field(default=0, init=False)

    @property
    def wait_ticks(self) -> int:
        """How long a wait that starts now lasts."""
        return self.timeout_ticks << min(self.failures, MAX_DOUBLINGS)

    def watch(self, key: WaitKey | None, now: int) -> None:
        """Wait for ``key`` (None: for nothing). The same key goes on with the same wait."""
        if key == self.key:
            return
        self.key = key
        self._started = now
        self._deadline = now + self.wait_ticks

    def sign_of_life(self, now: int) -> None:
        """Somebody is still checking: wait for one more timeout, within the bound for checks."""
        last = self._started + self.max_check_ticks + self.wait_ticks
        self._deadline = min(max(self._deadline, now + self.wait_ticks), last)

    def expired(self, now: int) -> bool:
        return self.key is not None and now >= self._deadline

    def failed(self, views: int) -> None:
        """``views`` views were given up without a decision."""
        self.failures = min(self.failures + views, MAX_DOUBLINGS)

    def progress(self) -> None:
        """A value was decided: the next wait is short again."""
        self.failures = 0
