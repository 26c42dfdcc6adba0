"""Disputes are found by their events, read at one block, and forgotten when the chain forgets them."""

from collections.abc import Iterator

import pytest

from committee.court_watch import CourtWatch
from protocol.chain.appeals import DisputeStatus
from protocol.ids import TaskId
from tests.support.court_world import CourtWorld, court_world


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CourtWorld]:
    with court_world(tmp_path_factory.mktemp("watch")) as made:
        yield made


@pytest.fixture(scope="module")
def task(world: CourtWorld) -> TaskId:
    number = world.post()
    world.certify_round(number)
    return number


def test_court_watch__dispute_opened_and_taken_back__is_followed_and_forgotten(
    world: CourtWorld, task: TaskId
) -> None:
    watch = CourtWatch(world.contracts)
    assert watch.poll() == []
    before = world.contracts.client.rpc("evm_snapshot")
    world.challenge_first(task)
    (docket,) = watch.poll()
    assert (docket.task_id, docket.number, len(docket.cases)) == (task, 1, 1)
    assert watch.running == {(task, 1)}
    assert watch.poll() == []
    assert world.contracts.client.rpc("evm_revert", before)
    assert watch.poll() == []
    assert watch.running == frozenset()


def test_court_watch__dispute_ended_and_settled__is_told_once_more(world: CourtWorld, task: TaskId) -> None:
    watch, appeals = CourtWatch(world.contracts), world.contracts.appeals
    world.challenge_first(task)
    watch.poll()
    world.travel_to(appeals.dispute(task, 1).verdict_ends)
    world.send("poster", appeals.lapse(task))
    world.send("poster", appeals.settle(task, 1, 0))
    (docket,) = watch.poll()
    assert (docket.dispute.status, docket.finished) == (DisputeStatus.LAPSED, True)
    world.mine(1)
    assert (watch.poll(), watch.running) == ([], frozenset())
    (fresh,) = CourtWatch(world.contracts).poll()
    assert fresh.finished
