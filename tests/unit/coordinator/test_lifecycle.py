import pytest

from coordinator.domain.lifecycle import (
    FINAL_TASK_STATUSES,
    ROUND_STEPS,
    TASK_STEPS,
    IllegalTransition,
    RoundEvent,
    RoundStatus,
    TaskEvent,
    TaskStatus,
    next_round,
    next_task,
)

TASK_TABLE = {
    "waiting": "running unusable completed expired cancelled closed waiting overturned",
    "running": "- - completed expired cancelled closed waiting overturned",
    "unusable": "- - completed expired cancelled closed waiting overturned",
    "completed": "- - - - - closed waiting overturned",
    "expired": "- - completed - cancelled closed waiting overturned",
    "overturned": "- - - - - closed waiting -",
    "closed": "- - - - - - waiting -",
    "cancelled": "- - - - - - waiting -",
}
TASK_COLUMNS = (
    TaskEvent.STARTED,
    TaskEvent.SPEC_REFUSED,
    TaskEvent.LAST_ROUND_CERTIFIED,
    TaskEvent.DEADLINE_PASSED,
    TaskEvent.CANCELLED,
    TaskEvent.CLOSED,
    TaskEvent.REWOUND,
    TaskEvent.OVERTURNED,
)
ROUND_TABLE = {
    "open": "computed - - - - open discarded",
    "computed": "- proposed - certified - open discarded",
    "proposed": "- - computed certified - open discarded",
    "certified": "- - - - computed - -",
    "discarded": "- - - - - - -",
}
ROUND_COLUMNS = (
    RoundEvent.CLOSED,
    RoundEvent.PROPOSED,
    RoundEvent.WITHDRAWN,
    RoundEvent.CERTIFIED,
    RoundEvent.UNCERTIFIED,
    RoundEvent.REOPENED,
    RoundEvent.DISCARDED,
)


@pytest.mark.parametrize("status", TaskStatus)
@pytest.mark.parametrize("event", TaskEvent)
def test_next_task__every_state_and_event__follows_the_written_table(
    status: TaskStatus, event: TaskEvent
) -> None:
    expected = TASK_TABLE[status].split()[TASK_COLUMNS.index(event)]
    if expected == "-":
        with pytest.raises(IllegalTransition):
            next_task(status, event)
    else:
        assert next_task(status, event) == expected


@pytest.mark.parametrize("status", RoundStatus)
@pytest.mark.parametrize("event", RoundEvent)
def test_next_round__every_state_and_event__follows_the_written_table(
    status: RoundStatus, event: RoundEvent
) -> None:
    expected = ROUND_TABLE[status].split()[ROUND_COLUMNS.index(event)]
    if expected == "-":
        with pytest.raises(IllegalTransition):
            next_round(status, event)
    else:
        assert next_round(status, event) == expected


def test_tables__final_states__leave_only_by_a_reorganisation() -> None:
    leaving = {(status, event) for status, event in TASK_STEPS if status in FINAL_TASK_STATUSES}
    assert leaving == {(status, TaskEvent.REWOUND) for status in FINAL_TASK_STATUSES}
    assert not [step for step in ROUND_STEPS if step[0] is RoundStatus.DISCARDED]
