"""Who draws a committee, and when: in turns, again if nobody did, and nothing once it is done."""

from itertools import pairwise

from committee.drawing import MAX_RETRY_S, RETRY_S, STAGGER_S, DrawDuty, Undrawn
from protocol.ids import TaskId

TASK = TaskId(3)


def waiting(turn: int = 0) -> list[Undrawn]:
    return [Undrawn(task_id=TASK, turn=turn)]


def test_due__first_in_turn__draws_at_once_and_not_again_while_it_is_mined() -> None:
    duty = DrawDuty()
    assert duty.due(waiting(), 10.0) == [TASK]
    assert duty.due(waiting(), 10.0 + RETRY_S / 2) == []


def test_due__later_in_turn__lets_the_others_go_first() -> None:
    duty = DrawDuty()
    assert duty.due(waiting(turn=2), 10.0) == []
    assert duty.due(waiting(turn=2), 10.0 + 1.5 * STAGGER_S) == []
    assert duty.due(waiting(turn=2), 10.0 + 2 * STAGGER_S) == [TASK]


def test_due__nobody_drew__is_tried_again_ever_more_rarely() -> None:
    duty, tries = DrawDuty(), []
    for second in range(600):
        tries += [second] * len(duty.due(waiting(), float(second)))
    pauses = [later - earlier for earlier, later in pairwise(tries)]
    assert pauses == sorted(pauses)
    assert max(pauses) == MAX_RETRY_S


def test_due__drawn_and_taken_back__begins_anew() -> None:
    duty = DrawDuty()
    duty.due(waiting(), 0.0)
    assert duty.due([], 0.1) == []
    assert duty.due(waiting(), 0.2) == [TASK]
