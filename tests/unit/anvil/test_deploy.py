"""Deployment on a real local chain: contracts that name each other, and refusals in words."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from eth_account import Account
from eth_account.signers.local import LocalAccount

from anvil.chain import AnvilOptions, AnvilProcess, fresh_chain_id
from anvil.deploy import DeploySettings, deploy
from anvil.transactions import Pipeline, settle
from protocol.chain.client import ChainClient
from protocol.chain.contracts import Contracts
from protocol.errors import Refused
from protocol.ids import Address, Wei


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ChainClient]:
    options = AnvilOptions(chain_id=fresh_chain_id())
    log: Path = tmp_path_factory.mktemp("chain") / "anvil.log"
    with AnvilProcess(options, log=log) as chain:
        yield ChainClient(chain.rpc_url)


def rich_account(client: ChainClient) -> LocalAccount:
    account: LocalAccount = Account.create()
    client.rpc("anvil_setBalance", account.address, hex(10**20))
    return account


def test_deploy__fresh_chain__contracts_know_each_other(client: ChainClient) -> None:
    account = rich_account(client)
    settings = DeploySettings(validator_stake=Wei(7), epoch_length_blocks=3)
    deployment = deploy(client, account, settings)
    contracts = Contracts.connect(client.rpc_url, deployment)
    assert contracts.market.view("TOKEN") == deployment.token
    assert contracts.market.view("VAULT") == deployment.vault
    assert contracts.committee.view("MARKET") == deployment.market
    assert contracts.vault.view("isSlasher", deployment.committee)
    assert contracts.market.view("APPEALS") == deployment.appeals
    assert contracts.vault.view("isSlasher", deployment.appeals)
    assert contracts.vault.view("TREASURY") == account.address
    assert contracts.committee.validator_stake() == 7
    assert contracts.market.domain_separator() == deployment.domain.separator


def test_deploy__an_existing_token__is_used(client: ChainClient) -> None:
    account = rich_account(client)
    first = deploy(client, account)
    second = deploy(client, account, DeploySettings(token=first.token))
    assert second.token == first.token
    assert second.market != first.market
    assert Contracts.connect(client.rpc_url, second).vault.view("TOKEN") == first.token


def test_deploy__a_delay_that_stake_could_outrun__is_refused_in_words(client: ChainClient) -> None:
    with pytest.raises(Refused, match="Unbonding too short"):
        deploy(client, rich_account(client), DeploySettings(unbonding_delay_s=3600))


def test_deploy__an_account_without_coin__is_refused_in_words(client: ChainClient) -> None:
    with pytest.raises(Refused, match=r"too little of the chain.s coin"):
        deploy(client, Account.create())


def test_pipeline__many_calls_at_once__all_settle_in_order(client: ChainClient) -> None:
    account = rich_account(client)
    contracts = Contracts.connect(client.rpc_url, deploy(client, account))
    receivers = [Address(Account.create().address) for _ in range(20)]
    pipeline = Pipeline(client, account, client.chain_id())
    receipts = settle(client, [pipeline.send(contracts.token.faucet(receiver)) for receiver in receivers])
    assert [int(receipt["status"], 16) for receipt in receipts] == [1] * 20
    assert all(contracts.token.balance_of(receiver) > 0 for receiver in receivers)


def test_pipeline__a_call_that_reverts__is_named_by_its_reason(client: ChainClient) -> None:
    account = rich_account(client)
    contracts = Contracts.connect(client.rpc_url, deploy(client, account))
    pipeline = Pipeline(client, account, client.chain_id())
    with pytest.raises(Refused, match=r"stake") as refused:
        settle(client, [pipeline.send(contracts.committee.join("ws://127.0.0.1:1"))])
    assert refused.value.reason == "StakeTooSmall"
