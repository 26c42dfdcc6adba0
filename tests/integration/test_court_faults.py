"""Courts with judges that lie, and with one that is killed in the middle of the decision."""

import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from committee.adversary import BlindNode
from committee.court import instance_of
from committee.state import Sent
from committee.wal import Wal
from protocol.chain.appeals import CaseKind, DisputeStatus
from protocol.chain.docket import read_docket
from protocol.chain.market import TaskStatus
from protocol.chain.records import matters_of
from protocol.ids import TaskId
from protocol.members import Members
from protocol.pbft_messages import Commit, Instance, Prepare, PrePrepare, Reply
from tests.support.court_world import CourtWorld, court_world
from tests.support.miner_network import eventually

STARTED_S = 60.0


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CourtWorld]:
    with court_world(tmp_path_factory.mktemp("court")) as made:
        yield made


@pytest.fixture(autouse=True)
def no_nodes_left(world: CourtWorld) -> Iterator[None]:
    yield
    world.stop_nodes()


def dispute(world: CourtWorld, task: TaskId) -> None:
    """Certify a contribution that nobody worked on, challenge it, and let joining end."""
    record = world.certify_round(task, zeros=(0,))
    segment = world.history(task).segments[record.index]
    domain = world.contracts.deployment.domain
    matter = matters_of(segment.record, CaseKind.CONTRIBUTION, domain)[0]
    world.challenge("challenger", task, record, matter)
    world.travel_to(world.contracts.appeals.dispute(task, 1).join_ends)


def promises(world: CourtWorld, task: TaskId, name: str, copy: Path) -> tuple[Sent, ...]:
    """What ``name`` has signed in the court of the task's first dispute, by its log."""
    instance = instance_of(task, 1)
    log = world.folder / "state" / name / f"task-{instance}.wal"
    if not log.exists():
        return ()
    shutil.copy(log, copy)
    court = Members.of(read_docket(world.contracts, task, 1).court)
    me = court.index(world.address(name))
    assert me is not None
    domain = world.contracts.deployment.domain.separator
    wal = Wal(copy, Instance(domain=domain, task=instance, members=court), me)
    try:
        return tuple(record for record in wal.records if isinstance(record, Sent))
    finally:
        wal.close()


def test_court__two_of_seven_judges_call_false_work_good__the_others_overturn_it(world: CourtWorld) -> None:
    """The first two are the primaries of the first two views: what they propose, the others reject."""
    contracts, task = world.contracts, world.post()
    for i, name in enumerate(world.judges(task)):
        world.start_node(name, *([BlindNode] if i < 2 else []))
    dispute(world, task)
    world.until_dispute(task, 1, DisputeStatus.DECIDED, STARTED_S)
    assert contracts.appeals.dispute(task, 1).upheld == 1
    assert contracts.market.task(task).status is TaskStatus.OVERTURNED


@pytest.mark.slow
def test_court__judge_killed_in_the_middle_of_the_decision__keeps_its_word_and_it_is_reached(
    world: CourtWorld, tmp_path: Path
) -> None:
    """Four of seven decide nothing. One of them is killed when it has signed something, a vote or a change of
    view; with it back and a fifth, it is one of those that the quorum needs."""
    contracts, task = world.contracts, world.post()
    names = world.judges(task)
    victim = names[3]
    process = world.start_process(victim)
    try:
        for name in names[:3]:
            world.start_node(name)
        dispute(world, task)

        def signed() -> bool:
            world.mine(1)
            return bool(promises(world, task, victim, tmp_path / "copy.wal"))

        eventually(signed, "the judge to sign something", STARTED_S)
        process.kill()
        assert process.wait(STARTED_S) == -signal.SIGKILL
        assert contracts.appeals.dispute(task, 1).status is DisputeStatus.OPEN
        before = promises(world, task, victim, tmp_path / "copy.wal")
        process = world.start_process(victim)
        world.start_node(names[4])
        world.until_dispute(task, 1, DisputeStatus.DECIDED, STARTED_S)
        after = promises(world, task, victim, tmp_path / "copy.wal")
    finally:
        process.kill()
        process.wait(STARTED_S)
    assert contracts.appeals.dispute(task, 1).upheld == 1
    assert after[: len(before)] == before
    assert len(after) > len(before)
    votes = [one.message for one in after if isinstance(one.message, PrePrepare | Prepare | Commit | Reply)]
    assert {vote.seq for vote in votes} == {1}
    assert len({vote.digest for vote in votes}) == 1
