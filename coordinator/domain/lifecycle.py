"""Where a task and a round are in their lives, as two tables; an illegal step raises and changes nothing."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final, TypeVar

from protocol.errors import PotError


class TaskStatus(StrEnum):
    """``WAITING`` for its committee, its start or its spec blob; ``COMPLETED``, ``EXPIRED`` and
    ``OVERTURNED`` wait for ``close`` on the chain. A dispute is no state: it stops payouts, not the work.
    """

    WAITING = "waiting"
    RUNNING = "running"
    UNUSABLE = "unusable"
    COMPLETED = "completed"
    EXPIRED = "expired"
    OVERTURNED = "overturned"
    CLOSED = "closed"
    CANCELLED = "cancelled"


class TaskEvent(StrEnum):
    """What happens to a task. ``REWOUND``: a reorganisation undid chain events; the others are told again
    after it. ``OVERTURNED``: an appeal voided certificates, and with them the task ended.
    """

    STARTED = "started"
    SPEC_REFUSED = "spec refused"
    LAST_ROUND_CERTIFIED = "last round certified"
    DEADLINE_PASSED = "deadline passed"
    OVERTURNED = "certificates overturned"
    CANCELLED = "cancelled"
    CLOSED = "closed"
    REWOUND = "rewound"


class RoundStatus(StrEnum):
    """``OPEN``: shards are being computed; ``COMPUTED``: the model after it is known; ``PROPOSED``: in the
    segment before the committee; ``DISCARDED``: rolled back.
    """

    OPEN = "open"
    COMPUTED = "computed"
    PROPOSED = "proposed"
    CERTIFIED = "certified"
    DISCARDED = "discarded"


class RoundEvent(StrEnum):
    """What happens to a round. ``UNCERTIFIED``: a reorganisation undid its certificate."""

    CLOSED = "closed"
    PROPOSED = "proposed"
    WITHDRAWN = "withdrawn"
    CERTIFIED = "certified"
    UNCERTIFIED = "uncertified"
    REOPENED = "reopened"
    DISCARDED = "discarded"


class IllegalTransition(PotError):
    """We asked for a step that the table does not have: a defect of ours."""

    def __init__(self, status: StrEnum, event: StrEnum) -> None:
        super().__init__(f"{type(status).__name__} {status.value!r} has no step for {event.value!r}.")
        self.status = status
        self.event = event


_T, _TE = TaskStatus, TaskEvent
_REWIND = {(status, TaskEvent.REWOUND): TaskStatus.WAITING for status in TaskStatus}

_OVERTURN = {
    (status, TaskEvent.OVERTURNED): TaskStatus.OVERTURNED
    for status in (_T.WAITING, _T.RUNNING, _T.UNUSABLE, _T.COMPLETED, _T.EXPIRED)
}

TASK_STEPS: Final[Mapping[tuple[TaskStatus, TaskEvent], TaskStatus]] = (
    _REWIND
    | _OVERTURN
    | {
        (_T.WAITING, _TE.STARTED): _T.RUNNING,
        (_T.WAITING, _TE.SPEC_REFUSED): _T.UNUSABLE,
        (_T.WAITING, _TE.CANCELLED): _T.CANCELLED,
        # The committee needs no coordinator: certificates arrive for tasks whose spec this one has not read.
        (_T.WAITING, _TE.LAST_ROUND_CERTIFIED): _T.COMPLETED,
        (_T.WAITING, _TE.DEADLINE_PASSED): _T.EXPIRED,
        (_T.WAITING, _TE.CLOSED): _T.CLOSED,
        (_T.UNUSABLE, _TE.CANCELLED): _T.CANCELLED,
        (_T.UNUSABLE, _TE.LAST_ROUND_CERTIFIED): _T.COMPLETED,
        (_T.UNUSABLE, _TE.DEADLINE_PASSED): _T.EXPIRED,
        (_T.UNUSABLE, _TE.CLOSED): _T.CLOSED,
        # Our clock may run ahead of the chain's: a task we call running may still be cancelled there.
        (_T.RUNNING, _TE.CANCELLED): _T.CANCELLED,
        (_T.RUNNING, _TE.LAST_ROUND_CERTIFIED): _T.COMPLETED,
        (_T.RUNNING, _TE.DEADLINE_PASSED): _T.EXPIRED,
        (_T.RUNNING, _TE.CLOSED): _T.CLOSED,
        # A certificate mined just before the deadline may be seen just after it.
        (_T.EXPIRED, _TE.LAST_ROUND_CERTIFIED): _T.COMPLETED,
        (_T.EXPIRED, _TE.CANCELLED): _T.CANCELLED,
        (_T.EXPIRED, _TE.CLOSED): _T.CLOSED,
        (_T.COMPLETED, _TE.CLOSED): _T.CLOSED,
        (_T.OVERTURNED, _TE.CLOSED): _T.CLOSED,
    }
)

_R, _RE = RoundStatus, RoundEvent

ROUND_STEPS: Final[Mapping[tuple[RoundStatus, RoundEvent], RoundStatus]] = {
    (_R.OPEN, _RE.CLOSED): _R.COMPUTED,
    (_R.OPEN, _RE.REOPENED): _R.OPEN,
    (_R.OPEN, _RE.DISCARDED): _R.DISCARDED,
    (_R.COMPUTED, _RE.PROPOSED): _R.PROPOSED,
    (_R.COMPUTED, _RE.CERTIFIED): _R.CERTIFIED,
    (_R.COMPUTED, _RE.REOPENED): _R.OPEN,
    (_R.COMPUTED, _RE.DISCARDED): _R.DISCARDED,
    (_R.PROPOSED, _RE.WITHDRAWN): _R.COMPUTED,
    (_R.PROPOSED, _RE.CERTIFIED): _R.CERTIFIED,
    (_R.PROPOSED, _RE.REOPENED): _R.OPEN,
    (_R.PROPOSED, _RE.DISCARDED): _R.DISCARDED,
    (_R.CERTIFIED, _RE.UNCERTIFIED): _R.COMPUTED,
}

FINAL_TASK_STATUSES: Final = frozenset({TaskStatus.CLOSED, TaskStatus.CANCELLED})

_S = TypeVar("_S", bound=StrEnum)
_E = TypeVar("_E", bound=StrEnum)


def _step(table: Mapping[tuple[_S, _E], _S], status: _S, event: _E) -> _S:
    try:
        return table[status, event]
    except KeyError:
        raise IllegalTransition(status, event) from None


def next_task(status: TaskStatus, event: TaskEvent) -> TaskStatus:
    """The status after ``event``. Raises IllegalTransition."""
    return _step(TASK_STEPS, status, event)


def next_round(status: RoundStatus, event: RoundEvent) -> RoundStatus:
    """The status after ``event``. Raises IllegalTransition."""
    return _step(ROUND_STEPS, status, event)
