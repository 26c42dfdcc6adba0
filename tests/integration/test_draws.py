"""Validators on a real chain: they draw what is due, serve what they are drawn for, post several at once."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec import structs

from anvil.chain import AnvilOptions, AnvilProcess, fresh_chain_id
from committee.aggregation import Aggregation, Endorsed
from committee.chain_watch import ChainWatch
from committee.submitter import Outcome, Submitter
from protocol.certificate import SignedCertificate
from protocol.chain.client import ChainClient
from protocol.chain.events import certificate_behind
from protocol.chain.history import TaskHistory, read_task
from protocol.chain.market import TaskParams
from protocol.chain.sender import Sender
from protocol.ids import TaskId, parse_address
from tests.support.miner_network import digits, digits_spec
from tests.support.pot_network import PotNetwork
from worker.training.checkpoint import initial_checkpoint

POOL = tuple(f"validator-{number}" for number in range(1, 8))


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PotNetwork]:
    log: Path = tmp_path_factory.mktemp("chain") / "anvil.log"
    with AnvilProcess(AnvilOptions(chain_id=fresh_chain_id()), log=log) as chain:
        yield PotNetwork.build(tmp_path_factory.mktemp("network"), ChainClient(chain.rpc_url), len(POOL))


def post(network: PotNetwork, size: int = 0, window_s: int = 0, rounds: int = 5) -> TaskId:
    made = digits_spec(challenge_window_s=window_s)
    spec = structs.replace(
        made,
        verification=structs.replace(made.verification, committee_size=size),
        recipe=structs.replace(made.recipe, rounds=rounds),
    )
    for blob in (digits(), spec.blob):
        network.blobs.put(blob)
    genesis = network.blobs.put(initial_checkpoint(spec))
    params = TaskParams.of(spec, genesis, network.contracts.client.block().timestamp)
    market, sender = network.contracts.market, Sender(network.contracts.client, network.accounts["poster"])
    sender.send(network.contracts.token.approve(market.address, params.escrow))
    sender.send(market.create_task(params))
    return TaskId(market.task_count())


def watches(network: PotNetwork) -> dict[str, ChainWatch]:
    found = {}
    for name in POOL:
        account = parse_address(network.accounts[name].address)
        found[name] = ChainWatch(network.contracts, network.blobs, account)
        found[name].poll()
    return found


def submitter(network: PotNetwork, name: str) -> Submitter:
    sender = Sender(network.contracts.client, network.accounts[name])
    return Submitter(network.contracts, sender, Aggregation(network.contracts, sender, 64))


def endorsed(signed: SignedCertificate) -> Endorsed:
    return Endorsed(signed=signed, aggregate=None)


def served(watch: ChainWatch, task: TaskId) -> TaskHistory | None:
    return next((history for history in watch.poll() if history.created.task_id == task), None)


def test_draw__due__validators_take_turns_and_the_drawn_ones_serve_the_task(network: PotNetwork) -> None:
    task, seen = post(network, size=4), watches(network)
    assert all(served(watch, task) is None and not watch.undrawn() for watch in seen.values())
    network.mine(3)
    for watch in seen.values():
        watch.poll()
    turns = {name: [u.turn for u in watch.undrawn() if u.task_id == task] for name, watch in seen.items()}
    assert sorted(turn for (turn,) in turns.values()) == list(range(7))
    first, second = sorted(turns, key=lambda name: turns[name])[:2]
    assert submitter(network, first).draw(task) is Outcome.DONE
    assert submitter(network, second).draw(task) is Outcome.DONE  # somebody was quicker: as good
    members = network.contracts.committee.members_of_task(task)
    for name, watch in seen.items():
        history = served(watch, task)
        assert (history is not None) == (parse_address(network.accounts[name].address) in members)
        assert history is None or history.ledger.members == members
        assert all(undrawn.task_id != task for undrawn in watch.undrawn())


def test_draw__reorganised_away__is_due_again(network: PotNetwork) -> None:
    task = post(network, size=4)
    watch = watches(network)["validator-1"]
    network.mine(4)
    assert submitter(network, "validator-2").draw(task) is Outcome.DONE
    watch.poll()
    network.contracts.client.rpc("anvil_reorg", 1, [])
    watch.poll()
    assert [undrawn.task_id for undrawn in watch.undrawn()] == [task]
    assert submitter(network, "validator-2").draw(task) is Outcome.DONE


def test_certify__several_tasks__go_in_one_transaction_which_an_auditor_can_read(
    network: PotNetwork,
) -> None:
    tasks = [post(network), post(network)]
    batch = [endorsed(network.signed_round(task)) for task in tasks]
    assert submitter(network, "validator-1").certify(batch) == [Outcome.DONE, Outcome.DONE]
    histories = [read_task(network.contracts, network.blobs, task) for task in tasks]
    first, second = (history.segments[0].event for history in histories)
    assert first.where.tx_hash == second.where.tx_hash
    for event, sent in zip((first, second), batch, strict=True):
        assert certificate_behind(network.contracts, event) == sent.signed


def test_certify__one_of_several_cannot_be_accepted__the_others_are(network: PotNetwork) -> None:
    good, bad = post(network), post(network)
    signed = network.signed_round(bad)
    forged = SignedCertificate(
        certificate=signed.certificate, signers=0b11, signatures=signed.signatures[:128]
    )
    outcomes = submitter(network, "validator-1").certify(
        [endorsed(network.signed_round(good)), endorsed(forged)]
    )
    assert outcomes == [Outcome.DONE, Outcome.REFUSED]
    assert network.contracts.market.task(good).last_round == 1
    assert network.contracts.market.task(bad).last_round == 0


def test_slash__fault_can_still_be_appealed__waits_for_its_window(network: PotNetwork) -> None:
    task = post(network, window_s=600)
    sends = submitter(network, "validator-1")
    assert sends.certify([endorsed(network.signed_fault(task))]) == [Outcome.DONE]
    history = read_task(network.contracts, network.blobs, task)
    (fault,) = history.ledger.faults
    before = network.contracts.vault.stake_of(fault.miner)
    assert sends.slash(history, fault) is Outcome.EARLY
    assert network.contracts.vault.stake_of(fault.miner) == before
    network.pass_time(601)
    assert sends.slash(history, fault) is Outcome.DONE
    slashed = history.ledger.spec.money.slash_per_fault_wei
    assert network.contracts.vault.stake_of(fault.miner) == before - slashed


@pytest.mark.slow
def test_certify__ring_of_records_full__waits_for_a_window_and_may_cover_more_rounds(
    network: PotNetwork,
) -> None:
    task = post(network, window_s=600, rounds=67)
    for _ in range(63):
        network.certify_round(task)
    sends, signed = submitter(network, "validator-1"), network.signed_round(task, rounds=4)
    assert signed.certificate.last_round - signed.certificate.first_round == 3
    assert sends.certify([endorsed(signed)]) == [Outcome.REFUSED]
    network.pass_time(601)
    assert sends.certify([endorsed(signed)]) == [Outcome.DONE]
    assert network.contracts.market.task(task).last_round == 67
    assert read_task(network.contracts, network.blobs, task).ledger.finished
