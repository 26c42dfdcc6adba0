"""The local chain's clock: a transaction is followed by a few empty blocks, and then nothing."""

from anvil.chain import AnvilProcess
from anvil.clock import QUIET_BLOCKS, Chain, Clock
from protocol.chain.client import ChainClient
from tests.support.miner_network import eventually


def pay_itself(client: ChainClient) -> int:
    """Send one transaction; the number of its block. Anvil answers before it has mined."""
    account = client.rpc("eth_accounts")[0]
    number = client.block().number + 1
    client.rpc("eth_sendTransaction", {"from": account, "to": account, "value": "0x1"})
    eventually(lambda: client.block().number >= number, "the block of the transaction")
    return number


def test_tick__chain_stands_still__a_few_empty_blocks_follow_and_no_more(anvil_chain: AnvilProcess) -> None:
    client, clock = ChainClient(anvil_chain.rpc_url), Clock(Chain(anvil_chain.rpc_url))
    for _ in range(2):
        number = pay_itself(client)
        mined = [clock.tick() for _ in range(QUIET_BLOCKS + 3)]
        assert mined[0] is False  # it has just moved by itself
        assert sum(mined) == QUIET_BLOCKS
        assert client.block().number == number + QUIET_BLOCKS


def test_tick__chain_is_away__is_no_error() -> None:
    assert Clock(Chain("http://127.0.0.1:1")).tick() is False
