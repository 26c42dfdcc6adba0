"""Transactions on a real chain that drops them, stops mining, raises its fees, or says no."""

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from eth_account import Account
from eth_account.signers.local import LocalAccount

from anvil.chain import AnvilOptions, AnvilProcess, fresh_chain_id
from protocol.chain.client import ChainClient
from protocol.chain.contract import Call
from protocol.chain.sender import Receipt, Sender
from protocol.errors import Refused, ServiceUnreachable
from protocol.ids import Address, TaskId, parse_address
from tests.support.miner_network import eventually
from tests.support.pot_network import PotNetwork

SOON_S = 0.4


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PotNetwork]:
    log: Path = tmp_path_factory.mktemp("chain") / "anvil.log"
    with AnvilProcess(AnvilOptions(chain_id=fresh_chain_id()), log=log) as chain:
        yield PotNetwork.build(tmp_path_factory.mktemp("network"), ChainClient(chain.rpc_url))


@pytest.fixture
def client(network: PotNetwork) -> Iterator[ChainClient]:
    client = network.contracts.client
    client.rpc("evm_setAutomine", True)
    yield client
    client.rpc("anvil_dropAllTransactions")
    client.rpc("evm_setAutomine", True)
    client.rpc("anvil_setNextBlockBaseFeePerGas", hex(10**9))
    client.rpc("anvil_mine", "0x1")


def funded(network: PotNetwork) -> LocalAccount:
    account: LocalAccount = Account.create()
    network.contracts.client.rpc("anvil_setBalance", account.address, hex(10**20))
    return account


def call(network: PotNetwork) -> Call:
    return network.contracts.token.approve(network.contracts.market.address, 7)


class Background:
    """A send on another thread."""

    def __init__(self, sender: Sender, what: Call) -> None:
        self.receipt: Receipt | None = None
        self.error: Exception | None = None
        self._thread = threading.Thread(target=self._run, args=(sender, what), daemon=True)
        self._thread.start()

    def _run(self, sender: Sender, what: Call) -> None:
        try:
            self.receipt = sender.send(what)
        except Exception as error:  # noqa: BLE001 - handed to the test
            self.error = error

    def result(self, timeout_s: float = 20) -> Receipt:
        self._thread.join(timeout_s)
        if self.error is not None:
            raise self.error
        assert self.receipt is not None, "the send has not ended"
        return self.receipt


def pooled(client: ChainClient, account: Address) -> dict[int, dict[str, str]]:
    """The account's pending transactions by nonce."""
    content = client.rpc("txpool_content")
    found = {name.lower(): txs for part in ("pending", "queued") for name, txs in content[part].items()}
    return {int(nonce): tx for nonce, tx in found.get(account.lower(), {}).items()}


def wait_for_pool(client: ChainClient, account: Address) -> dict[str, str]:
    for _ in range(200):
        found = pooled(client, account)
        if found:
            return next(iter(found.values()))
        threading.Event().wait(0.02)
    raise AssertionError("nothing was sent")


def test_send__dropped_from_the_pool__is_sent_again_and_mined(
    network: PotNetwork, client: ChainClient
) -> None:
    account = funded(network)
    client.rpc("evm_setAutomine", False)
    sending = Background(Sender(client, account, bump_after_s=SOON_S), call(network))
    first = wait_for_pool(client, parse_address(account.address))
    client.rpc("anvil_dropTransaction", first["hash"])
    second = wait_for_pool(client, parse_address(account.address))
    client.rpc("evm_setAutomine", True)
    client.rpc("anvil_mine", "0x1")
    assert sending.result().tx_hash.hex() != first["hash"][2:]
    assert second["nonce"] == first["nonce"]


def test_send__stays_unmined__both_fees_rise_by_an_eighth(network: PotNetwork, client: ChainClient) -> None:
    account = funded(network)
    client.rpc("evm_setAutomine", False)
    sending = Background(Sender(client, account, bump_after_s=SOON_S), call(network))
    address = parse_address(account.address)
    first = wait_for_pool(client, address)

    def replaced() -> Any:
        pooled = wait_for_pool(client, address)
        return pooled if pooled["hash"] != first["hash"] else None

    later = eventually(replaced, "a dearer transaction")
    for name in ("maxFeePerGas", "maxPriorityFeePerGas"):
        assert int(later[name], 16) * 8 >= int(first[name], 16) * 9
    client.rpc("anvil_mine", "0x1")
    sending.result()


def test_stop__a_send_waits__it_ends_at_once_and_no_other_begins(
    network: PotNetwork, client: ChainClient
) -> None:
    account = funded(network)
    client.rpc("evm_setAutomine", False)
    sender = Sender(client, account)
    sending = Background(sender, call(network))
    wait_for_pool(client, parse_address(account.address))
    sender.stop()
    with pytest.raises(ServiceUnreachable, match="is ending"):
        sending.result(timeout_s=10)
    with pytest.raises(ServiceUnreachable, match="is ending"):
        sender.send(call(network))


def test_send__base_fee_times_ten__is_mined(network: PotNetwork, client: ChainClient) -> None:
    account = funded(network)
    client.rpc("evm_setAutomine", False)
    sending = Background(Sender(client, account, bump_after_s=SOON_S), call(network))
    wait_for_pool(client, parse_address(account.address))
    client.rpc("anvil_setNextBlockBaseFeePerGas", hex(10 * client.block().base_fee + 10**10))
    client.rpc("anvil_mine", "0x1")
    threading.Event().wait(2 * SOON_S)
    client.rpc("evm_setAutomine", True)
    client.rpc("anvil_mine", "0x1")
    assert sending.result().gas_used > 0


def test_send__next_block_is_dearer_than_the_last__is_accepted_in_the_end(
    network: PotNetwork, client: ChainClient
) -> None:
    """A node may refuse fees below the next block's; that is a reason to raise them, not to give up."""
    client.rpc("anvil_setNextBlockBaseFeePerGas", hex(100 * client.block().base_fee + 10**11))
    receipt = Sender(client, funded(network), bump_after_s=SOON_S).send(call(network))
    assert receipt.gas_used > 0


def test_send__earlier_one_given_up__the_next_takes_its_place_instead_of_waiting_behind_it(
    network: PotNetwork, client: ChainClient
) -> None:
    account = funded(network)
    sender = Sender(client, account, bump_after_s=0.05)
    client.rpc("evm_setAutomine", False)
    with pytest.raises(ServiceUnreachable, match="not mined"):
        sender.send(call(network))
    stuck = wait_for_pool(client, parse_address(account.address))
    client.rpc("anvil_dropTransaction", stuck["hash"])
    other = network.contracts.token.approve(network.contracts.vault.address, 9)
    assert list(pooled(client, parse_address(account.address))) == []
    client.rpc("evm_setAutomine", True)
    assert sender.send(other).gas_used > 0


def test_send__earlier_one_still_pooled__is_replaced(network: PotNetwork, client: ChainClient) -> None:
    account = funded(network)
    sender = Sender(client, account, bump_after_s=0.05)
    client.rpc("evm_setAutomine", False)
    with pytest.raises(ServiceUnreachable, match="not mined"):
        sender.send(call(network))
    slow = Background(Sender(client, account, bump_after_s=SOON_S), call(network))
    threading.Event().wait(2 * SOON_S)
    assert len(pooled(client, parse_address(account.address))) == 1
    client.rpc("evm_setAutomine", True)
    client.rpc("anvil_mine", "0x1")
    slow.result()


def test_send__somebody_else_used_the_nonce__takes_the_next_one(
    network: PotNetwork, client: ChainClient
) -> None:
    account = funded(network)
    address = parse_address(account.address)
    client.rpc("evm_setAutomine", False)
    sending = Background(Sender(client, account, bump_after_s=SOON_S), call(network))
    first = wait_for_pool(client, address)
    client.rpc("anvil_dropTransaction", first["hash"])
    client.rpc("anvil_setNonce", address, hex(int(first["nonce"], 16) + 1))
    client.rpc("evm_setAutomine", True)
    client.rpc("anvil_mine", "0x1")
    assert sending.result().gas_used > 0


def test_send__endpoint_fails_while_waiting__the_receipt_still_arrives(
    network: PotNetwork, client: ChainClient
) -> None:
    """The transaction is out: giving up now would make the caller send it twice."""

    class Flaky(ChainClient):
        failures = 3

        def receipt(self, tx_hash: bytes) -> dict[str, object] | None:
            if self.failures:
                self.failures -= 1
                raise ServiceUnreachable("the chain", self.rpc_url, "no answer in time")
            return super().receipt(tx_hash)

    flaky = Flaky(client.rpc_url)
    assert Sender(flaky, funded(network)).send(call(network)).gas_used > 0
    assert flaky.failures == 0


def test_send__mined_before_its_receipt_is_told__is_not_sent_again(
    network: PotNetwork, client: ChainClient
) -> None:
    """The state may count a transaction before its receipt is there: what was asked for once happens once."""

    class Lagging(ChainClient):
        silent_until = 0.0

        def receipt(self, tx_hash: bytes) -> dict[str, object] | None:
            self.silent_until = self.silent_until or time.monotonic() + 3 * SOON_S
            return super().receipt(tx_hash) if time.monotonic() >= self.silent_until else None

    account = funded(network)
    lagging = Lagging(client.rpc_url)
    assert Sender(lagging, account, bump_after_s=SOON_S).send(call(network)).gas_used > 0
    assert client.quantity("eth_getTransactionCount", account.address, "latest") == 1


def test_send__account_without_coin__is_told_so(network: PotNetwork, client: ChainClient) -> None:
    poor: LocalAccount = Account.create()
    with pytest.raises(Refused, match=r"coin|gas") as caught:
        Sender(client, poor).send(call(network))
    assert caught.value.reason == "InsufficientFunds"


def test_send__contract_says_no__is_a_sentence_and_nothing_is_sent(
    network: PotNetwork, client: ChainClient
) -> None:
    account = funded(network)
    with pytest.raises(Refused) as caught:
        Sender(client, account).send(network.contracts.market.close(TaskId(999)))
    assert caught.value.reason == "TaskUnknown"
    assert "task 999" in str(caught.value)
    assert "0x" not in str(caught.value)
    assert int(client.rpc("eth_getTransactionCount", account.address, "pending"), 16) == 0


def test_send__chain_is_down__is_unreachable(network: PotNetwork) -> None:
    with pytest.raises(ServiceUnreachable, match="the chain"):
        Sender(ChainClient("http://127.0.0.1:9", timeout_s=1), Account.create()).send(call(network))
