"""Pages whose content comes from a real chain: explanations, blocks, transactions."""

import html
from collections.abc import Iterator

import pytest
from starlette.testclient import TestClient

from anvil.chain import AnvilOptions, AnvilProcess, fresh_chain_id
from pot.client import Client
from pot.doctor import _page
from pot.explaining import explain
from protocol.chain.client import ChainClient
from protocol.chain.sender import Sender
from protocol.errors import ConfigurationError, Refused, ServiceUnreachable
from tests.integration.test_pot_on_chain import SPEC
from tests.support.page_network import PageNetwork, page_network, write_draft
from tests.support.pages import listening
from tests.support.pot_network import PotNetwork


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PageNetwork]:
    """A task with one certified round of two."""
    log = tmp_path_factory.mktemp("chain") / "anvil.log"
    with AnvilProcess(AnvilOptions(chain_id=fresh_chain_id()), log=log) as chain:
        network = PotNetwork.build(tmp_path_factory.mktemp("network"), ChainClient(chain.rpc_url))
        with page_network(network) as built:
            poster = built.client("poster")
            draft = poster.draft(write_draft(network.folder, SPEC))
            network.certify_round(poster.post(draft).task_id)
            built.index()
            yield built


@pytest.fixture(scope="module")
def browser(made: PageNetwork) -> Iterator[TestClient]:
    with TestClient(made.app, headers={"Accept": "text/html"}) as opened:
        yield opened


def test_why__on_the_page__says_what_the_command_says(made: PageNetwork, browser: TestClient) -> None:
    miner = made.network.accounts["miner-1"].address
    said = explain(made.client("poster"), 1, account=miner, round_number=None, tx=None)
    text = html.unescape(browser.get("/task/1/why", params={"account": miner}).text)
    lines = [line for line in said.text if isinstance(line, str)]
    assert len(lines) >= 2
    for line in lines:
        assert f"<li>{line}</li>" in text
    by_round = html.unescape(browser.get("/task/1/why", params={"round": 1}).text)
    assert by_round.count(" earned 1 POT for shard ") == 2
    assert browser.get("/task/1/why", params={"round": 9}).status_code == 400
    assert browser.get("/task/5/why", params={"round": 1}).status_code == 404


def test_transaction_page__a_certificate__is_decoded_with_its_event(
    made: PageNetwork, browser: TestClient
) -> None:
    with made.store.read() as tx:
        row = tx.chain.of_task(1, "CertificateAccepted")[0]
    text = browser.get(f"/tx/0x{row.tx_hash.hex()}").text
    assert '<span class="pill mined">' in text
    assert "TrainingMarket.certify" in text
    assert "TrainingMarket.CertificateAccepted" in text
    block = browser.get(f"/block/{row.block_number}").text
    assert f'href="/tx/0x{row.tx_hash.hex()}"' in block
    assert f'href="/block/{row.block_number}"' in browser.get("/block").text


def test_transaction_page__one_that_reverted__says_why_in_the_words_of_the_command(
    made: PageNetwork, browser: TestClient
) -> None:
    contracts, miner = made.network.contracts, made.network.accounts["miner-1"]
    call = contracts.market.cancel(1)  # type: ignore[arg-type]
    with pytest.raises(Refused) as refused:
        Sender(contracts.client, miner).send(call)
    request = {"from": miner.address, "to": call.to, "data": "0x" + call.data.hex(), "gas": hex(200_000)}
    contracts.client.rpc("anvil_impersonateAccount", miner.address)
    tx_hash = contracts.client.rpc("eth_sendTransaction", request)
    contracts.client.rpc("anvil_stopImpersonatingAccount", miner.address)
    while contracts.client.receipt(bytes.fromhex(tx_hash[2:])) is None:
        contracts.client.rpc("evm_mine")
    text = html.unescape(browser.get(f"/tx/{tx_hash}").text)
    assert '<span class="pill reverted">' in text
    assert str(refused.value) in text


def test_explorer__what_is_not_there_or_no_hash__is_said(browser: TestClient) -> None:
    assert "does not exist" in browser.get("/tx/0x" + "ab" * 32).text
    assert browser.get("/tx/0x12").status_code == 400
    assert browser.get("/block/99999999").status_code == 404


JSON = {"Accept": "application/json"}
DRAFT = {
    "title": "drafted",
    "model": {"arch": "mlp", "params": {"hidden": 8, "layers": 1}},
    "dataset": {"source": "digits"},
    "recipe": {"optimizer": {"kind": "sgd", "lr": "0.5"}, "rounds": 2, "shards": 2, "global_batch": 64},
    "verification": {"sample_ppm": 250_000},
    "money": {
        "reward_per_shard": "1 POT",
        "fee_per_round": "0.5 POT",
        "miner_stake": "100 POT",
        "slash_per_fault": "50 POT",
    },
    "limits": {"task_life_s": 3600, "round_deadline_s": 20},
}


def test_quote__on_the_page__is_the_one_of_the_command(made: PageNetwork, browser: TestClient) -> None:
    client = made.client("poster")
    quote = client.quote(client.draft(write_draft(made.network.folder, SPEC.replace("small", "drafted"))))
    told = browser.post("/wallet/quotes", json={"draft": DRAFT}, headers=JSON).json()
    own = {**quote.to_json(), "seconds": None, "gas": None}
    assert {**told["data"], "seconds": None, "gas": None} == own
    lines = [line for line in quote.text() if isinstance(line, str) and not line.startswith(("time", "gas"))]
    assert set(lines) <= set(told["lines"])
    asked = browser.post("/wallet/quotes", json={"draft": DRAFT, "detect": "95%"}, headers=JSON).json()
    assert asked["data"]["detection_per_shard"] >= 0.95
    assert asked["data"]["wish"]["sample_ppm"] > 250_000


@pytest.mark.parametrize(
    ("section", "value", "sentence"),
    [
        ("dataset", {"file": "/etc/passwd"}, "dataset.file names a file of your machine"),
        ("verification", {"sample_ppm": 1, "policy": "/etc/passwd"}, "verification.policy names a file"),
        ("model", {"arch": "mlp", "params": {"hidden": 10**9, "layers": 1}}, "too large for this page"),
        ("recipe", {"rounds": 0}, "needs a section 'optimizer'"),
        ("dataset", {"sha256": "ab" * 32, "kind": "text"}, "not in the blob store"),
    ],
)
def test_draft__that_a_stranger_may_not_ask_for__is_answered_with_a_sentence(
    browser: TestClient, section: str, value: object, sentence: str
) -> None:
    for where in ("/wallet/quotes", "/wallet/drafts"):
        told = browser.post(where, json={"draft": {**DRAFT, section: value}}, headers=JSON).json()
        assert (told["ok"], told["data"]) == (False, None)
        assert sentence in told["lines"][0]


def test_dataset__uploaded__is_drafted_by_its_hash(made: PageNetwork, browser: TestClient) -> None:
    rows = "\n".join(f"{i % 7},{i % 5},{i % 2}" for i in range(200))
    body = f"a,b,label\n{rows}\n".encode()
    told = browser.put("/wallet/datasets/mine.csv?label=label", content=body, headers=JSON).json()
    assert told["ok"], told
    drafted = {**DRAFT, "dataset": told["data"]}
    prepared = browser.post("/wallet/drafts", json={"draft": drafted}, headers=JSON).json()
    assert prepared["ok"], prepared
    assert prepared["data"]["params"][0] == "0x" + prepared["data"]["spec_hash"]
    stored = made.network.blobs.get(bytes.fromhex(prepared["data"]["spec_hash"]))  # type: ignore[arg-type]
    assert stored.decode() == prepared["data"]["spec"]
    bad = browser.put("/wallet/datasets/mine.csv?label=nothere", content=body, headers=JSON).json()
    assert bad["ok"] is False


def test_wallet__dry_run_fate_and_reverts__are_told_in_sentences(
    made: PageNetwork, browser: TestClient
) -> None:
    contracts, poster = made.network.contracts, made.network.accounts["poster"]
    call = contracts.market.cancel(1)  # type: ignore[arg-type]
    request = {"sender": poster.address, "to": call.to, "data": "0x" + call.data.hex()}
    told = browser.post("/wallet/dry-runs", json=request, headers=JSON).json()
    assert "it cannot be cancelled" in told["refused"] or "only be cancelled before" in told["refused"]
    fine = contracts.token.approve(contracts.market.address, 1)
    request = {"sender": poster.address, "to": fine.to, "data": "0x" + fine.data.hex()}
    assert browser.post("/wallet/dry-runs", json=request, headers=JSON).json()["gas"] > 20_000
    state = browser.get(f"/wallet/accounts/{poster.address}", headers=JSON).json()
    assert state["nonce"] > 0
    first = browser.get(f"/wallet/accounts/{poster.address}/nonces/0", headers=JSON).json()
    assert first["status"] in ("mined", "replaced")
    free = browser.get(f"/wallet/accounts/{poster.address}/nonces/{state['nonce']}", headers=JSON).json()
    assert free["status"] == "unknown"
    gone = "0x" + "ab" * 32
    fate = browser.get(f"/wallet/transactions/{gone}?sender={poster.address}&nonce=0", headers=JSON).json()
    assert fate["status"] == "replaced"
    revert = browser.get("/wallet/reverts/0x1f2a2005", headers=JSON).json()
    assert revert["message"].startswith("The amount is zero")


def test_actions__of_a_miner__are_calls_that_work(made: PageNetwork, browser: TestClient) -> None:
    miner = made.network.accounts["miner-1"]
    told = browser.get(f"/wallet/accounts/{miner.address}/actions", headers=JSON).json()
    (claim,) = told["data"]["claims"]
    assert (claim["contract"], claim["function"]) == ("market", "claim")
    assert claim["label"] == "Claim 1 POT of task 1"
    evidence = browser.get("/evidence/1", headers=JSON).json()
    assert evidence["quorum"] == 3
    assert len(evidence["signatures"]) == 2 + 2 * 64 * 3
    assert browser.get("/evidence/1?round=7", headers=JSON).status_code == 409


def test_doctor__a_page_for_this_chain_or_another__is_told_apart(made: PageNetwork) -> None:
    with listening(made.app) as url:
        client = Client(made.settings.model_copy(update={"api_url": url}))
        chain_id = client.deployment.chain_id
        assert f"on chain {chain_id} ({chain_id:#x})" in _page(client)
        other = Client(made.settings.model_copy(update={"api_url": url, "chain_id": chain_id + 1}))
        with pytest.raises(ConfigurationError, match=f"leads wallets to chain {chain_id}, but"):
            _page(other)
    with pytest.raises(ServiceUnreachable, match="the page"):
        _page(client)
