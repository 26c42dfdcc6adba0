"""Challenge, appeal, look and settle from the command line, with and without validators that do theirs."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from pot.audit.audit import audit_task
from pot.cli import main
from pot.client import Client
from pot.disputes import appealing
from pot.disputes.appealing import FaultWatch
from pot.settings import load_settings
from protocol.chain.appeals import DisputeStatus
from protocol.errors import ServiceUnreachable
from protocol.ids import TaskId
from tests.support.court_world import CourtWorld, court_world
from tests.support.miner_network import eventually

Pot = Callable[..., tuple[int, Any]]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CourtWorld]:
    with court_world(tmp_path_factory.mktemp("commands")) as made:
        yield made


@pytest.fixture(autouse=True)
def no_nodes_left(world: CourtWorld) -> Iterator[None]:
    yield
    world.stop_nodes()


@pytest.fixture
def pot(world: CourtWorld, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Pot:
    monkeypatch.chdir(world.folder)

    def run(*words: str) -> tuple[int, Any]:
        capsys.readouterr()
        status = main([*words, "--json"])
        return status, json.loads(capsys.readouterr().out)

    return run


def reach_verdict(world: CourtWorld, pot: Pot, task: TaskId) -> None:
    """The court, whose nodes run, comes to its verdict, and everything that follows is done."""
    world.travel_to(world.contracts.appeals.dispute(task, 1).join_ends)
    world.until_dispute(task, 1, DisputeStatus.DECIDED)

    def done() -> bool:
        dispute = pot("disputes", str(task))[1]["disputes"][0]
        return dispute["status"] == "decided" and not dispute["next"]

    eventually(done, "everything that is due to be done")


def test_commands__silent_court__a_stranger_sees_it_through_alone(world: CourtWorld, pot: Pot) -> None:
    task = world.post()
    world.certify_round(task, zeros=(0,))
    number = str(task)
    status, report = pot("audit", number)
    assert (status, report["wrong"]["kind"], report["wrong"]["shard"]) == (1, "contribution", 0)
    status, report = pot("audit", number, "--challenge", "--yes")
    assert (status, [(case["round"], case["batch"]) for case in report["cases"]]) == (1, [(1, 0)])
    assert world.contracts.appeals.case(task, 1, 0).batch == 0
    assert pot("settle", number)[1]["steps"] == []
    status, listed = pot("disputes", number)
    (dispute,) = listed["disputes"]
    assert (status, dispute["state"], dispute["next"]) == (0, "joining", [])
    assert (dispute["cases"][0]["round"], dispute["cases"][0]["shard"]) == (1, 0)
    world.travel_to(dispute["join_ends"])
    assert [step["step"] for step in pot("settle", number)[1]["steps"]] == ["summon the court"]
    world.mine(3)
    assert [step["step"] for step in pot("settle", number)[1]["steps"]] == ["draw the court"]
    assert pot("disputes", number)[1]["disputes"][0]["state"] == "in court"
    world.travel_to(dispute["verdict_ends"])
    steps = [step["step"] for step in pot("settle", number)[1]["steps"]]
    assert steps == ["end it without a verdict", "pay out the bond of case 0"]
    status, why = pot("why", "--task", number, "--account", world.address("poster"))
    assert {"disputed", "bond"} <= {reason["kind"] for reason in why["reasons"]}


def test_commands__challenge_that_would_be_lost__is_not_brought(world: CourtWorld, pot: Pot) -> None:
    task = world.post()
    world.certify_round(task)
    number = str(task)
    status, error = pot("challenge", number, "--round", "1", "--shard", "0", "--yes")
    assert (status, "would be lost" in error["message"]) == (1, True)
    status, error = pot("challenge", number, "--round", "2", "--shard", "0", "--yes")
    assert (status, "not certified" in error["message"]) == (2, True)
    status, error = pot("challenge", number, "--round", "1", "--shard", "0", "--unchecked")
    assert (status, "--yes" in error["message"]) == (2, True)
    world.travel_to(world.contracts.client.block().timestamp + 300)
    status, error = pot("challenge", number, "--round", "1", "--shard", "0", "--yes")
    assert (status, "the time for that is over" in error["message"]) == (1, True)


def test_commands__upheld_challenge__audits_true_and_explains_every_loss(world: CourtWorld, pot: Pot) -> None:
    task = world.post()
    world.certify_round(task)
    world.certify_round(task, doubled=(1,))
    world.start_court(task)
    number = str(task)
    words = ("challenge", number, "--round", "2", "--shard", "1", "--yes", "--keystore", "challenger")
    status, brought = pot(*words, "--batch", "0")
    case = brought["cases"][0]
    assert (status, case["miner"], case["batch"]) == (0, world.address("miner-2"), 1)
    assert pot("disputes", number)[1]["disputes"][0]["cases"][0]["batch"] == 1
    reach_verdict(world, pot, task)
    status, report = pot("audit", number)
    assert (status, report["lie"], report["rounds_certified"]) == (0, None, 1)
    assert {"dispute 1", "overturned"} <= {line["subject"] for line in report["checks"]}
    status, why = pot("why", "--task", number, "--account", world.address("miner-2"))
    assert (status, why["adds_up"]) == (0, True)
    assert {"earned", "void", "slashed"} <= {reason["kind"] for reason in why["reasons"]}
    signer = world.history(task).ledger.members[0]
    kinds = {reason["kind"] for reason in pot("why", "--task", number, "--account", signer)[1]["reasons"]}
    assert "punished" in kinds


def test_commands__false_fault__its_miner_appeals_and_keeps_its_stake(world: CourtWorld, pot: Pot) -> None:
    task = world.post()
    world.blame(task, 1)
    world.start_court(task)
    number, miner = str(task), ("--keystore", "miner-2")
    stake = world.stake(world.address("miner-2"))
    status, brought = pot("miner", "appeal", number, "--yes", *miner)
    assert (status, brought["cases"][0]["kind"]) == (0, "fault")
    reach_verdict(world, pot, task)
    assert world.stake(world.address("miner-2")) == stake
    status, report = pot("audit", number)
    assert (status, report["lie"]) == (0, None)
    status, error = pot("miner", "appeal", number, "--yes", *miner)
    assert (status, "found wrong, before" in error["message"]) == (1, True)


def test_fault_watch__fault_declared__tells_the_command_or_appeals(
    world: CourtWorld, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    task = world.post()
    world.blame(task, 1)
    monkeypatch.chdir(world.folder)
    client = Client(load_settings({"keystore": "miner-2"}), role="miner")
    FaultWatch(client, appeal=False).check()
    assert f"`pot miner appeal {task} --round 1 --shard 1`" in caplog.text
    assert world.contracts.appeals.disputes_of(task) == 0
    watch = FaultWatch(client, appeal=True)
    with monkeypatch.context() as away:
        away.setattr(appealing, "require_right", unreachable)
        with pytest.raises(ServiceUnreachable):
            watch.check()
    watch.check()
    watch.check()
    assert world.contracts.appeals.dispute(task, 1).cases == 1


def unreachable(*_: object) -> None:
    raise ServiceUnreachable("the blob store", "s3://gone", "refused")


def test_fault_watch__chain_went_back__finds_what_was_certified_below_where_it_was(
    world: CourtWorld, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    rpc = world.contracts.client.rpc
    monkeypatch.chdir(world.folder)
    task, before = world.post(), rpc("evm_snapshot")
    watch = FaultWatch(Client(load_settings({"keystore": "miner-2"}), role="miner"), appeal=False)
    world.mine(50)
    watch.check()
    rpc("evm_revert", before)
    world.blame(task, 1)
    watch.check()
    assert f"`pot miner appeal {task} --round 1 --shard 1`" in caplog.text


def test_audit__court_that_lies__is_found(world: CourtWorld, pot: Pot) -> None:
    """Nobody judges the judges but whoever replays what they signed."""
    task = world.post()
    world.certify_round(task, zeros=(0,))
    number, contracts = str(task), world.contracts
    assert pot("challenge", number, "--round", "1", "--shard", "0", "--yes")[0] == 0
    world.travel_to(contracts.appeals.dispute(task, 1).join_ends)
    pot("settle", number)
    world.mine(3)
    pot("settle", number)
    world.decide(task, 0)
    status, report = pot("audit", number, "--replay", "0")
    assert (status, report["lie"]["subject"]) == (1, "verdict of dispute 1")
    assert "was rejected, but re-execution finds that it is right" in report["lie"]["detail"]


def test_audit__court_that_the_draw_does_not_lead_to__is_found(
    world: CourtWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = world.post()
    world.certify_round(task)
    world.challenge_first(task)
    contracts = world.contracts
    world.travel_to(contracts.appeals.dispute(task, 1).join_ends)
    world.send("poster", contracts.appeals.summon(task))
    world.mine(3)
    world.send("poster", contracts.committee.draw_court(task, 1))
    report = audit_task(contracts, world.blobs, task, lambda certified: ())
    assert report.lie is None
    honest = contracts.committee.candidates(contracts.committee.current_epoch())
    committee = world.history(task).ledger.members
    outsider = next(c for c in honest if c.account not in committee)
    answers = [honest, tuple(c for c in honest if c != outsider)]  # for the committee's draw, for the court's
    monkeypatch.setattr(contracts.committee, "candidates", lambda epoch, block="latest": answers.pop(0))
    report = audit_task(contracts, world.blobs, task, lambda certified: ())
    assert report.lie is not None
    assert report.lie.subject == "court of dispute 1"
