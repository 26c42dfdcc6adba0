"""Pages whose content comes from a real chain: explanations, blocks, transactions."""

import html
from collections.abc import Iterator

import pytest
from starlette.testclient import TestClient

from anvil.chain import AnvilOptions, AnvilProcess, fresh_chain_id
from pot.explaining import explain
from protocol.chain.client import ChainClient
from protocol.chain.sender import Sender
from protocol.errors import Refused
from tests.integration.test_pot_on_chain import SPEC
from tests.support.page_network import PageNetwork, page_network, write_draft
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
