import threading

from coordinator.bell import Bell
from coordinator.rounds import CALLS


def test_bell__about_some_news__rings_with_those_alone() -> None:
    bell = Bell()
    rounds, people = bell.about(("contribution.accepted", "task.created")), bell.about(("round.evaluated",))
    bell.ring({"round.evaluated"})
    bell.ring({"contribution.accepted", "miner.live"})
    assert (bell.rings, rounds.rings, people.rings) == (2, 1, 1)
    bell.ring()
    assert (bell.rings, rounds.rings, people.rings) == (3, 2, 2)


def test_bell__rung_before_the_wait__is_not_missed() -> None:
    bell = Bell()
    about = bell.about(CALLS)
    heard = about.rings
    bell.ring({CALLS[0]})
    assert about.wait(heard, 0.0) == heard + 1


def test_bell__rung_by_another_thread__ends_the_wait() -> None:
    bell = Bell()
    about = bell.about(("a",))
    thread = threading.Timer(0.05, bell.ring, ({"a"},))
    thread.start()
    assert about.wait(0, 30.0) == 1
    thread.join()


def test_bell__other_news__does_not_end_the_wait() -> None:
    bell = Bell()
    about = bell.about(("a",))
    bell.ring({"b"})
    assert about.wait(0, 0.01) == 0
