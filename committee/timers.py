"""When to stop waiting for a primary, counted in ticks.

What is waited for is a *key* (view, sequence number, stage); every new key starts a new wait, so a wait
ends with progress. It lasts the view timeout, doubled with each view since the last one that fixed a
value: so whoever has seen the same waits equally long, and a member that starts anew does not run ahead of
the others (its leaving would cost them a view for which they still have patience). A sign of life of a slow
check stretches the wait by one timeout from now, but never beyond ``max_check_ticks`` more than the plain
wait: a slow check is not a dead primary, and a primary that checks for ever is no better than a dead one.
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
    view: int = 0
    fruitful: int = 0  # the last view known to have fixed a value; later views that do not count are added
    key: WaitKey | None = field(default=None, init=False)
    _started: int = field(default=0, init=False)
    _deadline: int = field(default=0, init=False)

    @property
    def wait_ticks(self) -> int:
        """How long a wait that starts now lasts."""
        return self.timeout_ticks << min(max(self.view - self.fruitful, 0), MAX_DOUBLINGS)

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

    def excuse(self, views: int) -> None:
        """That many views end for a good reason: the next wait is no longer for it."""
        self.fruitful += views

    def progress(self, view: int) -> None:
        """A value was fixed in ``view``: waits of this view are short again."""
        self.fruitful = max(self.fruitful, view)
