"""Whom to help, and how often: one repeated message from a member that is behind must not cost two of
ours."""

MAX_REMEMBERED = 1024


class Helper:
    """Counts in ticks. A member is stuck when it says something stale again after at least one tick: a single
    stale message is merely late."""

    def __init__(self) -> None:
        self._seen: dict[tuple[int, int], int] = {}
        self._answered: dict[int, int] = {}

    def is_stuck(self, member: int, topic: int, now: int) -> bool:
        """Record stale contact about ``topic`` (a sequence number; 0 for views); True when help is due."""
        first = self._seen.pop((member, topic), None)
        if first is not None and first < now:
            return True
        if len(self._seen) >= MAX_REMEMBERED:
            del self._seen[next(iter(self._seen))]
        self._seen[(member, topic)] = now if first is None else first
        return False

    def may_answer(self, member: int, now: int) -> bool:
        """Whether an explicit question of ``member`` is answered: one per tick."""
        if self._answered.get(member) == now:
            return False
        self._answered[member] = now
        return True
