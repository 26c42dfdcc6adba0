"""Whole contests on a real chain with real validators: post, train, commit, release, reveal, score, pay."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from eth_account.signers.local import LocalAccount

from anvil.chain import AnvilOptions, AnvilProcess, fresh_chain_id
from anvil.deploy import deploy
from anvil.network import COIN_WEI, free_ports, stake_everybody
from committee.config import ValidatorConfig
from protocol.blobs import BlobStore, open_blob_store
from protocol.chain.client import ChainClient
from protocol.chain.contest import ContestParams, ContestStatus, OnchainContest, Outcome
from protocol.chain.contest_log import accepted_scores, contest_events, read_contest, release_of
from protocol.chain.contract import Call
from protocol.chain.contracts import Contracts
from protocol.chain.sender import Receipt, Sender
from protocol.contest import NO_SCORE, Commitment
from protocol.contest_spec import ContestSpec
from protocol.errors import Refused
from protocol.ids import ZERO32, Address, Sha256, parse_address, sha256
from protocol.keystore import LIGHT_ITERATIONS, create_keystore
from protocol.learning_block import Block, Kind, genesis
from protocol.score_record import ScoreRecord, Standing
from protocol.sealed import key_hash, seal
from tests.support.contests import KEY, contest_spec, public_and_secret, publish
from tests.support.court_nodes import Nodes
from tests.support.miner_network import eventually
from worker.contest_journal import ContestJournal
from worker.contestant import Contestant
from worker.training.data import DatasetCache

pytestmark = pytest.mark.timeout(400)
VALIDATORS = tuple(f"validator-{number}" for number in range(1, 5))
MINERS = ("miner-1", "miner-2", "miner-3")
PATIENCE_S = 120.0


@dataclass(kw_only=True)
class ContestWorld:
    """One deployment, everybody's keys, and four validator nodes that run."""

    folder: Path
    contracts: Contracts
    accounts: dict[str, LocalAccount]
    blobs: BlobStore
    nodes: Nodes = field(default_factory=Nodes)

    def address(self, name: str) -> Address:
        return parse_address(self.accounts[name].address)

    def send(self, name: str, call: Call) -> Receipt:
        return Sender(self.contracts.client, self.accounts[name]).send(call)

    def travel_to(self, second: int) -> None:
        """The next block, mined at once, is of Unix second ``second`` or later."""
        ahead = second - self.contracts.client.block().timestamp
        if ahead > 0:
            self.contracts.client.rpc("evm_increaseTime", ahead)
        self.contracts.client.rpc("anvil_mine", "0x1")

    def state(self, contest_id: int) -> OnchainContest:
        return self.contracts.contest.contest(contest_id)

    def contestant(self, name: str) -> Contestant:
        private = self.folder / "private" / name
        private.mkdir(parents=True, exist_ok=True)
        return Contestant(
            miner=self.address(name),
            contracts=self.contracts,
            sender=Sender(self.contracts.client, self.accounts[name]),
            blobs=self.blobs,
            private=open_blob_store(private.as_uri()),
            datasets=DatasetCache(),
            journal=ContestJournal(self.folder / "private" / f"{name}.sqlite"),
            max_blob_bytes=1 << 30,
        )

    def post(self, spec: ContestSpec, key: bytes = KEY) -> int:
        publish(spec, self.blobs)
        contest = self.contracts.contest
        params = ContestParams.of(spec, key_hash(key), self.contracts.client.block().timestamp)
        self.send("poster", self.contracts.token.approve(contest.address, params.escrow))
        self.send("poster", contest.post(params))
        return contest.count()

    def commit_by_hand(self, name: str, contest_id: int, model: Sha256) -> Commitment:
        made = Commitment(
            contest_id=contest_id, miner=self.address(name), model=model, trace=ZERO32, salt=sha256(b"salt")
        )
        digest = made.digest(self.contracts.deployment.contest_domain)
        self.send(name, self.contracts.contest.commit(contest_id, digest))
        return made

    def reveal_by_hand(self, name: str, made: Commitment) -> None:
        self.send(name, self.contracts.contest.reveal(made.contest_id, made.model, made.trace, made.salt))

    def release(self, contest_id: int, key: bytes = KEY) -> None:
        self.travel_to(self.contracts.contest.params(contest_id).commit_deadline + 1)
        self.send("poster", self.contracts.contest.release(contest_id, key))

    def until(self, contest_id: int, status: ContestStatus) -> OnchainContest:
        """Wait for a status, while blocks are mined as on a live chain."""

        def reached() -> bool:
            self.contracts.client.rpc("anvil_mine", "0x1")
            return self.state(contest_id).status is status

        eventually(reached, f"contest {contest_id} to become {status.name}", PATIENCE_S)
        return self.state(contest_id)

    def record_of(self, contest_id: int) -> ScoreRecord:
        """The score record behind the last certificate, whose signatures are checked."""
        signed = accepted_scores(self.contracts, contest_id)[-1]
        panel = self.contracts.contest.panels().members(contest_id, signed.certificate.instance)
        signed.verify(self.contracts.deployment.contest_domain, panel)
        return ScoreRecord.parse(self.blobs.get(signed.certificate.record))


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
                    view_timeout_ticks=100,
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


def test_contest__another_test_set_under_the_key__miners_are_made_whole(world: ContestWorld) -> None:
    """The sealed blob opens to something else than the poster promised: nobody shows a model for it."""
    public, _ = public_and_secret()
    other = seal(public, KEY)
    spec = contest_spec(
        test_set={"sealed": sha256(other).hex()}, recipe={"trace": None}, limits={"reveal_s": 10}
    )
    world.blobs.put(other)
    contest_id = world.post(spec)
    miner = world.contestant("miner-1")
    miner.enter(contest_id)
    curious = world.commit_by_hand("miner-2", contest_id, world.blobs.put(b"shown all the same"))
    world.release(contest_id)
    assert miner.reveal_due() == []
    before = world.contracts.contest.owed(world.address("miner-1"))
    world.reveal_by_hand("miner-2", curious)
    world.travel_to(world.state(contest_id).ends_at + 1)
    state = world.until(contest_id, ContestStatus.CLOSED)
    assert state.outcome is Outcome.BAD_TEST_SET
    assert world.contracts.contest.owed(world.address("miner-1")) - before == 5
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
    scores = accepted_scores(world.contracts, contest_id)[-1].certificate.scores
    assert scores != (NO_SCORE,)
    assert json.loads(world.record_of(contest_id).blob)["contest_id"] == str(contest_id)
