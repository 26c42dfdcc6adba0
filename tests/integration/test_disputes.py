"""Challenges and appeals on a real chain, decided by real validators over real sockets."""

import time
from collections.abc import Iterator

import pytest

from anvil.network import MINER_STAKE
from protocol.batches import WHOLE
from protocol.blobs import BlobMissing
from protocol.chain.appeals import CaseKind, DisputeStatus
from protocol.chain.docket import read_docket
from protocol.chain.market import TaskStatus
from protocol.chain.records import matters_of
from protocol.contribution import SignedContribution
from protocol.ids import TaskId
from protocol.record import CertificateRecord
from tests.support.court_world import CourtWorld, court_world
from tests.support.miner_network import eventually
from worker.training import replay


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CourtWorld]:
    with court_world(tmp_path_factory.mktemp("court")) as made:
        yield made


@pytest.fixture(autouse=True)
def no_nodes_left(world: CourtWorld) -> Iterator[None]:
    yield
    world.stop_nodes()


def challenge(
    world: CourtWorld,
    task: TaskId,
    record: CertificateRecord,
    kind: CaseKind,
    place: int,
    batch: int = WHOLE,
) -> None:
    segment = world.history(task).segments[record.index]
    matter = matters_of(segment.record, kind, world.contracts.deployment.domain)[place]
    world.challenge("challenger", task, record, matter, batch)


def end_joining(world: CourtWorld, task: TaskId) -> None:
    world.travel_to(world.contracts.appeals.dispute(task, 1).join_ends)


def is_drawn(world: CourtWorld, task: TaskId) -> bool:
    world.mine(1)
    return bool(read_docket(world.contracts, task, 1).court)


def settled(world: CourtWorld, task: TaskId) -> None:
    """Wait until the validators paid the bond of the one case out."""
    eventually(lambda: world.contracts.appeals.case(task, 1, 0).settled, "the bond to be paid out")


def test_dispute__wrong_contribution_certified__is_overturned_and_paid_for(world: CourtWorld) -> None:
    contracts, task = world.contracts, world.post()
    first = world.certify_round(task)
    wrong = world.certify_round(task, zeros=(1,))
    members = world.history(task).ledger.members
    world.start_court(task)
    before = {name: world.balance(name) for name in ("poster", "challenger")}
    challenge(world, task, wrong, CaseKind.CONTRIBUTION, 1)
    end_joining(world, task)
    world.until_dispute(task, 1, DisputeStatus.DECIDED)
    assert contracts.appeals.dispute(task, 1).upheld == 1
    state = contracts.market.task(task)
    assert (state.status, state.last_round, state.model) == (TaskStatus.OVERTURNED, 1, first.model)
    settled(world, task)
    stake, most = contracts.committee.validator_stake(), contracts.market.task(task).slash_per_fault
    liars = members[:3]
    eventually(lambda: all(world.stake(m) == stake - most for m in liars), "the signers to be punished")
    assert world.stake(members[3]) == stake
    lazy = world.address("miner-2")
    eventually(lambda: world.stake(lazy) == MINER_STAKE - most, "the miner to be convicted")
    assert world.balance("challenger") > before["challenger"]
    assert world.balance("poster") > before["poster"]


def test_dispute__honest_contribution_challenged__costs_the_bond_and_the_task_goes_on(
    world: CourtWorld,
) -> None:
    contracts, task = world.contracts, world.post()
    record = world.certify_round(task)
    world.start_court(task)
    bond = contracts.appeals.bond_of(0)
    before = {name: world.balance(name) for name in ("challenger", "miner-1", "treasury")}
    challenge(world, task, record, CaseKind.CONTRIBUTION, 0)
    end_joining(world, task)
    world.until_dispute(task, 1, DisputeStatus.DECIDED)
    assert contracts.appeals.dispute(task, 1).upheld == 0
    assert contracts.market.task(task).status is TaskStatus.OPEN
    settled(world, task)
    assert world.balance("challenger") == before["challenger"] - bond
    assert world.balance("miner-1") == before["miner-1"] + bond // 2
    assert world.balance("treasury") == before["treasury"] + bond // 2
    world.certify_round(task)
    assert contracts.market.task(task).last_round == 2


def test_dispute__false_fault_appealed__is_voided_and_its_signers_pay(world: CourtWorld) -> None:
    contracts, task = world.contracts, world.post()
    record = world.blame(task, 1)
    members = world.history(task).ledger.members
    stake = {member: world.stake(member) for member in members}
    mine = world.stake(world.address("miner-2"))
    world.start_court(task)
    challenge(world, task, record, CaseKind.FAULT, 0)
    end_joining(world, task)
    world.until_dispute(task, 1, DisputeStatus.DECIDED)
    settled(world, task)
    assert contracts.market.task(task).status is TaskStatus.OPEN
    assert world.history(task).voided == (contracts.appeals.case(task, 1, 0).leaf,)
    lost = contracts.committee.validator_stake() // 2
    signers = members[:3]
    eventually(lambda: all(world.stake(m) <= stake[m] - min(lost, stake[m]) for m in signers), "punishment")
    assert world.stake(members[3]) == stake[members[3]]
    assert world.stake(world.address("miner-2")) == mine


def leave_one_batch(
    world: CourtWorld, monkeypatch: pytest.MonkeyPatch, signed: SignedContribution, batch: int
) -> None:
    """The other micro-batches are withheld, and nobody can execute the shard."""
    others = [name for i, name in enumerate(signed.contribution.batches) if i != batch]
    for name in others:
        (world.folder / "blobs" / name.hex()[:2] / name.hex()).unlink()

    def whole(*_: object) -> None:
        raise BlobMissing(others[0])

    monkeypatch.setattr(replay, "replay_shard", whole)


def test_dispute__contribution_challenged_for_one_micro_batch__is_overturned_on_that_alone(
    world: CourtWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No judge executes the shard: whoever tried would abstain, and there would be no verdict."""
    contracts, task = world.contracts, world.post()
    record = world.certify_round(task, doubled=(1,))
    signed = world.history(task).segments[0].record.rounds[0].contributions[1]
    guilty = (signed.contribution.miner, *world.history(task).ledger.members[:3])
    stake = {account: world.stake(account) for account in guilty}
    leave_one_batch(world, monkeypatch, signed, 1)
    world.start_court(task)
    challenge(world, task, record, CaseKind.CONTRIBUTION, 1, batch=1)
    assert contracts.appeals.case(task, 1, 0).batch == 1
    end_joining(world, task)
    world.until_dispute(task, 1, DisputeStatus.DECIDED)
    assert contracts.appeals.dispute(task, 1).upheld == 1
    assert contracts.market.task(task).status is TaskStatus.OVERTURNED
    settled(world, task)
    eventually(
        lambda: all(world.stake(a) < stake[a] for a in guilty), "the miner and the signers to be slashed"
    )


def test_dispute__fault_in_one_micro_batch_appealed__is_judged_on_that_alone(
    world: CourtWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No judge executes the shard: whoever tried would abstain, and there would be no verdict."""
    contracts, task = world.contracts, world.post()
    record = world.blame(task, 1, doubled=(1,), batch=1)
    (report, _) = world.history(task).segments[0].record.fault_evidence
    assert report.batch == 1
    leave_one_batch(world, monkeypatch, report.contribution, report.batch)
    world.start_court(task)
    before = {name: world.balance(name) for name in ("challenger", "poster")}
    challenge(world, task, record, CaseKind.FAULT, 0)
    end_joining(world, task)
    world.until_dispute(task, 1, DisputeStatus.DECIDED)
    assert contracts.appeals.dispute(task, 1).upheld == 0
    settled(world, task)
    assert world.balance("challenger") == before["challenger"] - contracts.appeals.bond_of(0)
    assert world.balance("poster") > before["poster"]


def test_dispute__false_word_about_a_micro_batch_appealed__is_voided(world: CourtWorld) -> None:
    contracts, task = world.contracts, world.post()
    record = world.blame(task, 1, batch=1)
    signers = world.history(task).ledger.members[:3]
    stake = {member: world.stake(member) for member in signers}
    world.start_court(task)
    challenge(world, task, record, CaseKind.FAULT, 0)
    end_joining(world, task)
    world.until_dispute(task, 1, DisputeStatus.DECIDED)
    assert contracts.appeals.dispute(task, 1).upheld == 1
    settled(world, task)
    eventually(lambda: all(world.stake(m) < stake[m] or not stake[m] for m in signers), "punishment")


def test_dispute__silent_court__lapses_and_everything_stands(world: CourtWorld) -> None:
    contracts, task = world.contracts, world.post()
    record = world.certify_round(task, zeros=(0,))
    before = world.balance("challenger")
    challenge(world, task, record, CaseKind.CONTRIBUTION, 0)
    world.travel_to(contracts.appeals.dispute(task, 1).verdict_ends)
    world.start_court(task)
    world.until_dispute(task, 1, DisputeStatus.LAPSED)
    settled(world, task)
    state = contracts.market.task(task)
    assert (state.status, state.last_round) == (TaskStatus.OPEN, 1)
    assert world.balance("challenger") == before


def test_dispute__blob_withheld__nobody_signs_anything(world: CourtWorld) -> None:
    """Abstaining is not rejecting: neither the challenger nor the miner loses by a blob that is away."""
    contracts, task = world.contracts, world.post()
    record = world.certify_round(task)
    gradient = world.history(task).segments[0].record.rounds[0].contributions[0].contribution.gradient.hex()
    path = world.folder / "blobs" / gradient[:2] / gradient
    hidden = path.read_bytes()
    path.unlink()
    world.start_court(task)
    challenge(world, task, record, CaseKind.CONTRIBUTION, 0)
    end_joining(world, task)
    eventually(lambda: is_drawn(world, task), "the court to be drawn")
    time.sleep(3.0)
    assert contracts.appeals.dispute(task, 1).status is DisputeStatus.OPEN
    path.write_bytes(hidden)
    world.until_dispute(task, 1, DisputeStatus.DECIDED)
    assert contracts.appeals.dispute(task, 1).upheld == 0


@pytest.mark.slow
def test_dispute__two_of_seven_judges_are_down__the_others_decide(world: CourtWorld) -> None:
    contracts, task = world.contracts, world.post()
    record = world.certify_round(task, zeros=(0,))
    court = world.start_court(task)
    for name in court[:2]:
        world.nodes.stop(world.address(name))
    challenge(world, task, record, CaseKind.CONTRIBUTION, 0)
    end_joining(world, task)
    world.until_dispute(task, 1, DisputeStatus.DECIDED)
    assert contracts.appeals.dispute(task, 1).upheld == 1


@pytest.mark.slow
def test_dispute__judges_restarted_before_the_verdict__decide_all_the_same(world: CourtWorld) -> None:
    contracts, task = world.contracts, world.post()
    record = world.certify_round(task, zeros=(0,))
    court = world.start_court(task)
    challenge(world, task, record, CaseKind.CONTRIBUTION, 0)
    end_joining(world, task)
    eventually(lambda: is_drawn(world, task), "the court to be drawn")
    for name in court[:4]:
        world.nodes.stop(world.address(name))
        world.start_node(name)
    world.until_dispute(task, 1, DisputeStatus.DECIDED)
    assert contracts.appeals.dispute(task, 1).upheld == 1
