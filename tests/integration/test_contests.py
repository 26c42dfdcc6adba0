"""Whole contests on a real chain with real validators: post, train, commit, release, reveal, score, pay."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from anvil.chain import AnvilOptions, AnvilProcess, fresh_chain_id
from anvil.deploy import deploy
from anvil.network import COIN_WEI, free_ports, stake_everybody
from committee.config import ValidatorConfig
from protocol.blobs import open_blob_store
from protocol.chain.client import ChainClient
from protocol.chain.contest import ContestStatus, Outcome
from protocol.chain.contest_log import accepted_certificates, contest_events, read_contest, release_of
from protocol.chain.contracts import Contracts
from protocol.contest import NO_SCORE
from protocol.errors import Refused
from protocol.ids import sha256
from protocol.keystore import LIGHT_ITERATIONS, create_keystore
from protocol.learning_block import Block, Kind, genesis
from protocol.score_record import Standing
from protocol.sealed import seal
from tests.support.contest_world import ContestWorld
from tests.support.contests import KEY, contest_spec, public_and_secret

pytestmark = pytest.mark.timeout(400)
VALIDATORS = tuple(f"validator-{number}" for number in range(1, 5))
MINERS = ("miner-1", "miner-2", "miner-3")


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ContestWorld]:
    with contest_world(tmp_path_factory.mktemp("contests")) as made:
        yield made


@contextmanager
def contest_world(folder: Path) -> Iterator[ContestWorld]:
    """A world in ``folder``; all of it ends with the block."""
    with AnvilProcess(AnvilOptions(chain_id=fresh_chain_id()), log=folder / "anvil.log") as chain:
        client = ChainClient(chain.rpc_url)
        accounts = {
            name: create_keystore(folder / "keys" / f"{name}.json", "secret", LIGHT_ITERATIONS)
            for name in ("deployer", "poster", "challenger", *MINERS, *VALIDATORS)
        }
        for account in accounts.values():
            client.rpc("anvil_setBalance", account.address, hex(COIN_WEI))
        contracts = Contracts.at(client, deploy(client, accounts["deployer"]))
        ports = dict(zip(VALIDATORS, free_ports(len(VALIDATORS)), strict=True))
        stake_everybody(contracts, accounts, {name: f"ws://127.0.0.1:{port}" for name, port in ports.items()})
        (folder / "blobs").mkdir()
        made = ContestWorld(
            folder=folder,
            contracts=contracts,
            accounts=accounts,
            blobs=open_blob_store((folder / "blobs").as_uri()),
        )
        try:
            for name, port in ports.items():
                config = ValidatorConfig(
                    rpc_url=chain.rpc_url,
                    deployment=contracts.deployment,
                    blob_url=(folder / "blobs").as_uri(),
                    state_dir=folder / "state" / name,
                    port=port,
                    view_timeout_ticks=50,
                )
                made.nodes.start(config, accounts[name])
            yield made
        finally:
            made.nodes.close()


def test_contest__whole_life__best_honest_miner_is_paid_and_appends_a_block(world: ContestWorld) -> None:
    contest_id = world.post(contest_spec())
    miners = {name: world.contestant(name) for name in MINERS}
    for miner in miners.values():
        miner.enter(contest_id)
        assert miner.reveal_due() == []  # the key is not out
    world.release(contest_id)
    for miner in miners.values():
        assert miner.reveal_due() == [contest_id]
    state = world.until(contest_id, ContestStatus.CLOSED)
    assert state.outcome is Outcome.WON
    assert state.winner is not None
    record = world.record_of(contest_id)
    assert [entry.standing for entry in record.entries] == [Standing.SCORED] * 3
    best = max(entry.correct for entry in record.entries)
    assert record.entries[state.winner].correct == best == state.winner_correct
    assert best > 0.7 * contest_spec().test_set.answers
    winner = record.entries[state.winner].miner
    assert world.contracts.contest.owed(winner) == 1000
    world.send("poster", world.contracts.contest.collect(winner))
    block = Block(
        kind=Kind.CONTEST,
        parent=genesis(world.contracts.contest.domain_separator()).hash,
        height=1,
        winner=winner,
        task=contest_id,
        model=record.entries[state.winner].model,
        correct=best,
        answers=contest_spec().test_set.answers,
        time=_block_time(world),
    )
    assert world.contracts.contest.head() == block.hash


def _block_time(world: ContestWorld) -> int:
    return int(world.contracts.contest.view("headTime"))


def test_contest__bad_entries__are_not_scored_and_the_honest_one_wins(world: ContestWorld) -> None:
    """A model with another miner's Z, one that is no model, one that was announced and is not there."""
    spec = contest_spec(recipe={"trace": None}, limits={"score_s": 60})
    contest_id = world.post(spec)
    honest = world.contestant("miner-1")
    model = honest.enter(contest_id).commitment.model
    stolen = world.commit_by_hand("miner-2", contest_id, model)
    garbage = world.blobs.put(b"no model at all")
    useless = world.commit_by_hand("miner-3", contest_id, garbage)
    world.release(contest_id)
    assert honest.reveal_due() == [contest_id]
    world.reveal_by_hand("miner-2", stolen)
    world.reveal_by_hand("miner-3", useless)
    state = world.until(contest_id, ContestStatus.CLOSED)
    standings = [entry.standing for entry in world.record_of(contest_id).entries]
    assert standings == [Standing.SCORED, Standing.UNUSABLE, Standing.UNUSABLE]
    assert (state.outcome, state.winner) == (Outcome.WON, 0)


def test_contest__copied_mismatched_or_late_reveal__is_refused(
    world: ContestWorld,
) -> None:
    """A commitment is its author's, shows one model, and only while models are revealed."""
    contest_id = world.post(contest_spec(recipe={"trace": None, "steps": 1}))
    model, other = world.blobs.put(b"a model"), world.blobs.put(b"another model")
    made = world.commit_by_hand("miner-1", contest_id, model)
    digest = made.digest(world.contracts.deployment.contest_domain)
    world.send("miner-2", world.contracts.contest.commit(contest_id, digest))
    late = world.commit_by_hand("miner-3", contest_id, model)
    world.release(contest_id)
    with pytest.raises(Refused) as copied:
        world.reveal_by_hand("miner-2", made)
    with pytest.raises(Refused) as mismatched:
        world.reveal_by_hand("miner-1", replace(made, model=other))
    world.reveal_by_hand("miner-1", made)
    world.travel_to(world.state(contest_id).ends_at + 1)
    with pytest.raises(Refused) as too_late:
        world.reveal_by_hand("miner-3", late)
    reasons = [error.value.reason for error in (copied, mismatched, too_late)]
    assert reasons[:2] == ["CommitmentMismatch", "CommitmentMismatch"]
    assert reasons[2] in ("TooLate", "ContestIs")  # by then the validators may have closed it
    assert world.state(contest_id).revealed == 0b001


def test_contest__another_test_set_under_the_key__miners_are_made_whole(world: ContestWorld) -> None:
    """The sealed blob opens to something else than the poster promised: models are shown all the same, so
    that a committee can say so, and everybody who entered is compensated."""
    public, _ = public_and_secret()
    other = seal(public, KEY)
    spec = contest_spec(
        test_set={"sealed": sha256(other).hex()}, recipe={"trace": None}, limits={"reveal_s": 60}
    )
    world.blobs.put(other)
    contest_id = world.post(spec)
    miner = world.contestant("miner-1")
    miner.enter(contest_id)
    world.commit_by_hand("miner-2", contest_id, world.blobs.put(b"never shown"))
    world.release(contest_id)
    names = ("miner-1", "miner-2")
    before = [world.contracts.contest.owed(world.address(name)) for name in names]
    assert miner.reveal_due() == [contest_id]
    world.travel_to(world.state(contest_id).ends_at + 1)
    state = world.until(contest_id, ContestStatus.CLOSED)
    assert state.outcome is Outcome.BAD_TEST_SET
    after = [world.contracts.contest.owed(world.address(name)) for name in names]
    assert [now - then for now, then in zip(after, before, strict=True)] == [5, 5]
    assert world.record_of(contest_id).bad_test_set


def test_contest__key_withheld__validators_end_it_and_miners_are_made_whole(world: ContestWorld) -> None:
    contest_id = world.post(contest_spec(recipe={"trace": None, "steps": 1}))
    world.contestant("miner-3").enter(contest_id)
    with pytest.raises(Refused, match="key"):
        world.release(contest_id, bytes(32))
    before = world.contracts.contest.owed(world.address("miner-3"))
    params = world.contracts.contest.params(contest_id)
    world.travel_to(params.commit_deadline + params.release_s + 1)
    assert world.until(contest_id, ContestStatus.CLOSED).outcome is Outcome.NOT_RELEASED
    assert world.contracts.contest.owed(world.address("miner-3")) - before == 5


def test_contestant__killed_after_the_commitment__reveals_from_its_journal(world: ContestWorld) -> None:
    contest_id = world.post(contest_spec(recipe={"trace": None, "steps": 2}))
    world.contestant("miner-2").enter(contest_id)
    again = world.contestant("miner-2")  # another process with the same folder
    first = again.enter(contest_id)
    assert len(contest_events(world.contracts, "EntryCommitted", contest_id)) == 1
    world.release(contest_id)
    assert again.reveal_due() == [contest_id]
    view = read_contest(world.contracts, contest_id, release_of(world.contracts, contest_id))
    assert view.entries[0].model == first.commitment.model
    assert world.until(contest_id, ContestStatus.CLOSED).outcome in (Outcome.WON, Outcome.NO_WINNER)
    scores = accepted_certificates(world.contracts, contest_id)[-1].certificate.scores
    assert scores != (NO_SCORE,)
    assert json.loads(world.record_of(contest_id).blob)["contest_id"] == str(contest_id)
