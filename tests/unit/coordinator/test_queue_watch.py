"""Another run of the broker is noticed once, and not more often than it is looked for."""

from dataclasses import dataclass

from coordinator.jobs.queue_watch import LOOK_EVERY_S, QueueWatch
from protocol.errors import ServiceUnreachable


@dataclass
class Broker:
    run: str = "first"
    away: bool = False
    asked: int = 0

    def broker_run(self) -> str:
        self.asked += 1
        if self.away:
            raise ServiceUnreachable("the broker", "redis://gone", "refused")
        return self.run


def test_queues__of_the_first_run_met_and_of_every_other__are_lost_once() -> None:
    broker = Broker()
    watch = QueueWatch(broker)
    found = []
    for turn in range(6):
        broker.run = "first" if turn < 3 else "second"
        found.append(watch.lost(turn * LOOK_EVERY_S))
    assert found == [True, False, False, True, False, False]


def test_queues__looked_at_too_soon__are_not_asked_about() -> None:
    broker = Broker()
    watch = QueueWatch(broker)
    assert [watch.lost(at * LOOK_EVERY_S / 4) for at in range(8)] == [True] + [False] * 7
    assert broker.asked == 2


def test_queues__broker_away_or_nameless__are_not_known_to_be_lost() -> None:
    broker = Broker(away=True)
    watch = QueueWatch(broker)
    assert not watch.lost(0)
    broker.away, broker.run = False, ""
    assert not watch.lost(LOOK_EVERY_S)
    broker.run = "first"
    assert watch.lost(2 * LOOK_EVERY_S)
    broker.away = True
    assert not watch.lost(3 * LOOK_EVERY_S)
    broker.away = False
    assert not watch.lost(4 * LOOK_EVERY_S)
