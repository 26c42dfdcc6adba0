"""Contests of a real chain in the index: read whole where they were touched, put back with undone blocks."""

from collections.abc import Iterator

import pytest

from anvil.chain import AnvilOptions, AnvilProcess, fresh_chain_id
from protocol.chain.client import ChainClient
from protocol.ids import parse_address
from protocol.learning_block import Block
from tests.support.contests import KEY
from tests.support.page_contests import ByHand
from tests.support.page_network import PageNetwork, page_network
from tests.support.pot_network import PotNetwork

pytestmark = pytest.mark.timeout(300)
REWARD = 1000


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PageNetwork]:
    log = tmp_path_factory.mktemp("chain") / "anvil.log"
    with AnvilProcess(AnvilOptions(chain_id=fresh_chain_id()), log=log) as chain:
        network = PotNetwork.build(tmp_path_factory.mktemp("network"), ChainClient(chain.rpc_url))
        with page_network(network) as built:
            yield built


def test_index__a_contest_from_post_to_prize__is_as_the_contracts_say_and_undone_with_its_blocks(
    made: PageNetwork,
) -> None:
    hands, contest = ByHand(network=made.network), made.network.contracts.contest
    winner = parse_address(made.network.accounts["miner-2"].address)
    number, entries = hands.enter("indexed", 0)
    hands.end_commitments(number)
    hands.send("poster", contest.release(number, KEY))
    hands.reveal(entries)
    hands.score(number)
    made.index()
    with made.store.read() as tx:
        row = tx.contests.get(number)
        assert row is not None
        assert (row.status, row.state["contest"]["winner"]) == ("scored", 1)
        assert row.state["held"] == str(contest.held(number))
        told = tx.contests.events(number)
        assert (told[-1].kind, told[-1].account) == ("ScoresAccepted", None)
        assert told[0].account == made.network.accounts["poster"].address
    snapshot = made.network.contracts.client.rpc("evm_snapshot")
    hands.send("validator-1", contest.close(number))
    made.index()
    _is_won(made, number, winner, owed=REWARD)
    hands.send("poster", contest.collect(winner))
    made.index()
    _is_won(made, number, winner, owed=0)
    assert made.network.contracts.client.rpc("evm_revert", snapshot)
    made.network.mine(3)
    made.index()
    with made.store.read() as tx:
        row = tx.contests.get(number)
        assert row is not None
        assert row.status == "scored"
        assert tx.contests.height() == 0
        assert tx.contests.money(winner) == (0, 0)
    hands.send("validator-1", contest.close(number))
    made.index()
    _is_won(made, number, winner, owed=REWARD)


def _is_won(made: PageNetwork, number: int, winner: str, *, owed: int) -> None:
    with made.store.read() as tx:
        row = tx.contests.get(number)
        assert row is not None
        assert (row.status, row.outcome, row.state["held"]) == ("closed", "won", "0")
        block = tx.contests.block_of(number)
        assert block is not None
        assert Block.parse(block.header).hash == made.network.contracts.contest.head()
        assert tx.contests.height() == 1
        assert tx.contests.money(winner) == (owed, REWARD - owed)
