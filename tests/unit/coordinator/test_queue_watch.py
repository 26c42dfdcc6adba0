"""Another run of the broker is noticed once, and not more often than it is looked for."""

from dataclasses import dataclass, field

import pytest

from coordinator.jobs.queue_watch import AWAY_PAUSE_S, LOOK_EVERY_S, QueueWatch
from protocol.errors import ServiceUnreachable


@dataclass
class World:
    """A broker of several runs, and how often its queues were found lost."""

    run: str = "first"
    away: bool = False
    asked: int = 0
    lost: int = 0
    store_broken: bool = False
    watch: QueueWatch = field(init=False)

    def __post_init__(self) -> None:
        self.watch = QueueWatch(self)

    def broker_run(self) -> str:
        self.asked += 1
        if self.away:
            raise ServiceUnreachable("the broker", "redis://gone", "refused")
        return self.run

    def look(self, now_s: float) -> int:
        self.watch.look(now_s, self._note)
        return self.lost

    def _note(self) -> None:
        if self.store_broken:
            raise ServiceUnreachable("the database", "sqlite://", "locked")
        self.lost += 1


def test_queues__of_the_first_run_met_and_of_every_other__are_lost_once() -> None:
    w, found = World(), []
    for turn in range(6):
        w.run = "first" if turn < 3 else "second"
        found.append(w.look(turn * LOOK_EVERY_S))
    assert found == [1, 1, 1, 2, 2, 2]


def test_queues__of_two_brokers_behind_one_address__are_not_lost_again_and_again() -> None:
    w = World()
    for turn in range(20):
        w.run = "odd" if turn % 2 else "even"
        w.look(turn * LOOK_EVERY_S)
    assert w.lost == 2


def test_queues__looked_at_too_soon__are_not_asked_about() -> None:
    w = World()
    assert [w.look(at * LOOK_EVERY_S / 4) for at in range(8)] == [1] * 8
    assert w.asked == 2


def test_queues__broker_away_or_nameless__are_not_known_to_be_lost() -> None:
    w = World(away=True)
    assert w.look(0) == 0
    w.away, w.run = False, ""
    assert w.look(AWAY_PAUSE_S) == 0
    w.run = "first"
    assert w.look(2 * AWAY_PAUSE_S) == 1
    w.away = True
    assert w.look(3 * AWAY_PAUSE_S) == 1
    asked = w.asked
    assert w.look(4 * AWAY_PAUSE_S - 0.1) == 1
    assert w.asked == asked
    w.away = False
    assert w.look(4 * AWAY_PAUSE_S) == 1


def test_queues__lost_while_the_store_is_broken__are_told_of_again() -> None:
    w = World(store_broken=True)
    with pytest.raises(ServiceUnreachable):
        w.look(0)
    w.store_broken = False
    assert w.look(LOOK_EVERY_S) == 1
    assert w.look(2 * LOOK_EVERY_S) == 1
