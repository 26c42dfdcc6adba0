"""The learning chain on a real chain with real validators: users' payloads, contests and puzzles."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from eth_account.signers.local import LocalAccount

from committee.config import ValidatorConfig
from committee.node import ValidatorNode
from pot.cli import main
from pot.payload_client import PayloadClient
from protocol.blobs import DEFAULT_MAX_BYTES, BlobStore
from protocol.chain.contest import ContestStatus, Outcome
from protocol.chain.contest_log import accepted_certificates
from protocol.errors import ServiceUnreachable
from protocol.ids import Sha256, sha256
from protocol.learning_payload import SignedPayload, payload_list, payloads_root, sign_payload
from protocol.payload_offer import OfferAnswer
from protocol.signing import KeySigner
from tests.integration.test_contests import VALIDATORS, contest_world
from tests.support.contest_world import ContestWorld
from tests.support.contests import contest_spec
from tests.support.court_world import write_network_file
from tests.support.miner_network import eventually

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]
Pot = Callable[..., tuple[int, Any]]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ContestWorld]:
    with contest_world(tmp_path_factory.mktemp("learning")) as made:
        write_network_file(made.folder, made.contracts, list(made.accounts))
        eventually(lambda: every_pool_answers(made), "all validators to have read the learning chain")
        yield made


def every_pool_answers(world: ContestWorld) -> bool:
    """Each refuses a payload for what is wrong with it, and no more because it has not looked yet."""
    signer = KeySigner(bytes(world.accounts["deployer"].key))
    gap = sign_payload(signer, world.contracts.deployment.contest_domain, 9, b"")
    try:
        answers = [said for _, said in PayloadClient(world.contracts).offer([gap])]
    except ServiceUnreachable:
        return False
    return all(isinstance(said, OfferAnswer) and "leaves a gap" in said.why for said in answers)


@pytest.fixture
def pot(world: ContestWorld, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Pot:
    monkeypatch.chdir(world.folder)

    def run(*words: str) -> tuple[int, Any]:
        capsys.readouterr()
        status = main([*words, "--json"])
        return status, json.loads(capsys.readouterr().out)

    return run


def win(world: ContestWorld, pot: Pot) -> int:
    """A contest that one miner enters and wins; nobody hashes past it meanwhile."""
    contest_id = world.post(contest_spec(recipe={"trace": None, "steps": 30}))
    miner = world.contestant("miner-1")
    miner.enter(contest_id)
    status, refused = pot("chain", "mine", "--keystore", "challenger", "--no-payloads")
    assert status == 1
    assert "to be won by training" in json.dumps(refused)
    world.release(contest_id)
    assert miner.reveal_due() == [contest_id]
    assert world.until(contest_id, ContestStatus.CLOSED).outcome is Outcome.WON
    return contest_id


def stored(world: ContestWorld, root: str) -> Path:
    return world.folder / "blobs" / root[:2] / root


def test_chain__payloads_contest_puzzles__are_ordered_and_every_alteration_is_found(
    world: ContestWorld, pot: Pot
) -> None:
    for number, (name, words) in enumerate(
        [("poster", "first"), ("poster", "second"), ("challenger", "a third")]
    ):
        status, said = pot("chain", "submit", "--keystore", name, "--text", words)
        assert (status, said.get("kept_by")) == (0, len(VALIDATORS)), said
        assert said["sequence"] == (number if name == "poster" else 0)
    contest_id = win(world, pot)
    status, chain = pot("chain", "verify")
    assert status == 0
    block = chain["blocks"][1]
    assert (block["kind"], block["task"], block["void"]) == ("contest", str(contest_id), [])
    said = [bytes.fromhex(each["data"][2:]).decode() for each in block["payloads"]]
    assert said == ["first", "second", "a third"]

    file = stored(world, block["transactions"])
    listed = file.read_bytes()
    file.write_bytes(listed.replace(b'"sequence":1', b'"sequence":7'))
    status, altered = pot("chain", "verify")
    assert (status, altered["ok"]) == (1, False)
    assert altered["problem"].startswith("block 1: its list of payloads")
    file.write_bytes(listed)

    status, said = pot("chain", "submit", "--keystore", "poster", "--data", "0x00ff")
    assert (status, said["sequence"], said["kept_by"]) == (0, 2, len(VALIDATORS))
    status, mined = pot("chain", "mine", "--keystore", "challenger", "--blocks", "2", "--processes", "2")
    assert (status, [one["payloads"] for one in mined["blocks"]]) == (0, [1, 0])
    assert all(int(one["hash"], 16) < 1 << 238 for one in mined["blocks"])
    assert not stored(world, mined["blocks"][0]["transactions"]).exists()  # the contract told it
    status, chain = pot("chain", "verify")
    assert (status, [one["kind"] for one in chain["blocks"]]) == (
        0,
        ["genesis", "contest", "puzzle", "puzzle"],
    )
    assert [one["sequence"] for one in chain["blocks"][2]["payloads"]] == [2]

    model = stored(world, block["model"])
    weights = model.read_bytes()
    model.write_bytes(weights[:-1] + bytes([weights[-1] ^ 1]))
    status, altered = pot("chain", "verify")
    assert status == 1
    assert altered["problem"].startswith("block 1: its model")
    model.write_bytes(weights)


def test_chain__every_validator_knows_other_payloads__they_agree_on_the_proposers_list(
    world: ContestWorld, pot: Pot
) -> None:
    """Four pools with four different lists: all members sign one of them."""
    domain = world.contracts.deployment.contest_domain
    lists: list[tuple[SignedPayload, ...]] = []
    for place, name in enumerate(VALIDATORS):
        author = KeySigner(bytes(world.accounts[f"miner-{place % 3 + 1}"].key))
        payload = sign_payload(author, domain, 0, f"only {name} heard this".encode())
        client = PayloadClient(world.contracts)
        validator = world.address(name)
        client.endpoints = {validator: client.endpoints[validator]}
        ((_, answer),) = client.offer([payload])
        assert isinstance(answer, OfferAnswer)
        assert answer.kept
        lists.append((payload,))
    contest_id = win(world, pot)
    root = accepted_certificates(world.contracts, contest_id)[-1].certificate.transactions
    assert root in [payloads_root(each) for each in lists]
    assert world.blobs.get(Sha256(root)) in [payload_list(each) for each in lists]
    status, chain = pot("chain", "verify")
    assert (status, len(chain["blocks"][-1]["payloads"])) == (0, 1)


class Hiding:
    """A store that everybody shares, but for the lists of payloads: they are named and kept back."""

    def __init__(self, shared: BlobStore) -> None:
        self._shared = shared

    def put(self, data: bytes) -> Sha256:
        return sha256(data) if data.startswith(b"[") else self._shared.put(data)

    def get(self, name: Sha256, max_bytes: int = DEFAULT_MAX_BYTES) -> bytes:
        return self._shared.get(name, max_bytes)

    def has(self, name: Sha256) -> bool:
        return self._shared.has(name)


class HidingNode(ValidatorNode):
    """A validator whose lists nobody can have."""

    def __init__(self, config: ValidatorConfig, account: LocalAccount) -> None:
        super().__init__(config, account)
        self._blobs = Hiding(self._blobs)


def test_chain__primary_hides_its_list__the_view_changes_and_the_contest_is_won(
    world: ContestWorld, pot: Pot
) -> None:
    name = min(VALIDATORS, key=lambda each: int(world.address(each), 16))  # the first primary
    primary = world.address(name)
    world.nodes.stop(primary)
    world.nodes.start(
        ValidatorConfig(
            rpc_url=world.contracts.client.rpc_url,
            deployment=world.contracts.deployment,
            blob_url=(world.folder / "blobs").as_uri(),
            state_dir=world.folder / "state" / name,
            port=int(world.contracts.committee.endpoint_of(primary).rpartition(":")[2]),
            view_timeout_ticks=10,
        ),
        world.accounts[name],
        HidingNode,
    )
    eventually(lambda: every_pool_answers(world), "the primary to listen again")
    author = KeySigner(bytes(world.accounts["deployer"].key))
    hidden = sign_payload(author, world.contracts.deployment.contest_domain, 0, b"hidden")
    client = PayloadClient(world.contracts)
    client.endpoints = {primary: client.endpoints[primary]}
    client.offer([hidden])
    contest_id = win(world, pot)
    root = accepted_certificates(world.contracts, contest_id)[-1].certificate.transactions
    assert root != payloads_root((hidden,))
    assert pot("chain", "verify")[0] == 0
    assert client.waiting(author.address) == [hidden]
