"""What ends a validator: a broken disk, a broken committee, or a bug."""

from collections.abc import Callable
from types import TracebackType

from committee.errors import SafetyViolated


class Guard:
    """The one place that decides what ends the validator. Entered several times per message."""

    __slots__ = ("_fail",)

    def __init__(self, fail: Callable[[Exception], None]) -> None:
        self._fail = fail

    def __enter__(self) -> None:
        pass

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        if isinstance(error, Exception):
            self._fail(error)
        return isinstance(error, SafetyViolated | OSError)
