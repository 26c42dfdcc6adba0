"""Puzzles on a real chain: what the contract takes is what everybody else takes, and what it refuses."""

import dataclasses
import time
from collections.abc import Iterator
from typing import Any

import pytest

from anvil.chain import AnvilOptions, AnvilProcess, fresh_chain_id
from anvil.deploy import deploy
from anvil.network import COIN_WEI
from pot.learning import EARLY_S, append_puzzle, next_puzzle, read_blocks
from protocol.chain.client import ChainClient
from protocol.chain.contracts import Contracts
from protocol.chain.sender import Sender
from protocol.errors import Refused
from protocol.ids import sha256
from protocol.keystore import LIGHT_ITERATIONS, create_keystore
from protocol.learning_block import Block, Kind
from worker.hash_miner import solve


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Contracts, Sender]]:
    folder = tmp_path_factory.mktemp("puzzles")
    with AnvilProcess(AnvilOptions(chain_id=fresh_chain_id()), log=folder / "anvil.log") as chain:
        client = ChainClient(chain.rpc_url)
        account = create_keystore(folder / "key.json", "secret", LIGHT_ITERATIONS)
        client.rpc("anvil_setBalance", account.address, hex(COIN_WEI))
        contracts = Contracts.at(client, deploy(client, account))
        # The first puzzle's time is a second after the deployment's; before that it would be of the future.
        while time.time() <= contracts.contest.head_time(client.block().number) + 1:
            time.sleep(0.1)
        yield contracts, Sender(client, account)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"parent": sha256(b"other")}, "StaleParent"),
        ({"height": 7}, "HeightOutOfOrder"),
        ({"time": 0}, "BlockTimeOutOfRange"),
        ({"time": 1 << 40}, "BlockTimeOutOfRange"),
        ({"kind": Kind.CONTEST}, "NotAPuzzle"),
        ({"task": 1}, "NotAPuzzle"),
        ({"model": sha256(b"model")}, "NotAPuzzle"),
        ({"correct": 1}, "NotAPuzzle"),
        ({"answers": 1}, "NotAPuzzle"),
        ({"next_task": 1}, "NotAPuzzle"),
        ({"target": (1 << 256) - 1}, "NotAPuzzle"),
        ({"nonce": 1 << 255}, "PuzzleUnsolved"),
    ],
)
def test_puzzle__one_field_altered__is_refused(
    world: tuple[Contracts, Sender], change: dict[str, Any], reason: str
) -> None:
    contracts, sender = world
    block = dataclasses.replace(next_puzzle(contracts, sender.address, b""), **change)
    with pytest.raises(Refused) as refused:
        sender.send(contracts.contest.append_puzzle(block, b""))
    assert refused.value.reason == reason


def test_puzzle__solved_in_python__is_taken_and_read_back_and_its_list_must_be_shown(
    world: tuple[Contracts, Sender],
) -> None:
    contracts, sender = world
    blocks: list[Block] = []
    for listed in (b"", b"whatever"):
        block = solve(next_puzzle(contracts, sender.address, listed))
        for other in {b"", b"whatever", b"else"} - {listed}:
            with pytest.raises(Refused) as refused:
                append_puzzle(contracts, sender, block, other)
            assert refused.value.reason == "PayloadsMismatch"
        append_puzzle(contracts, sender, block, listed)
        blocks.append(block)
    log = read_blocks(contracts)
    assert log.blocks[1:] == blocks
    assert log.shown == {blocks[1].transactions: b"whatever"}


def test_puzzles__found_faster_than_the_clock_ticks__wait_and_are_all_taken(
    world: tuple[Contracts, Sender],
) -> None:
    contracts, sender = world
    waits: list[float] = []

    def sleep(seconds: float) -> None:
        waits.append(seconds)
        time.sleep(seconds)

    height = contracts.contest.height(contracts.client.block().number)
    for _ in range(4):
        block = next_puzzle(contracts, sender.address, b"")
        # Found in a moment, as the fastest miners do; it is dated a second from now.
        early = solve(dataclasses.replace(block, time=int(time.time() + 1.5)))
        while early.time - time.time() < 0.5:
            early = solve(dataclasses.replace(block, time=int(time.time() + 1.5)))
        append_puzzle(contracts, sender, early, b"", sleep=sleep)
    assert contracts.contest.height(contracts.client.block().number) == height + 4
    assert waits


def test_puzzle__of_the_far_future__is_refused_after_the_longest_wait(
    world: tuple[Contracts, Sender],
) -> None:
    contracts, sender = world
    solved = solve(dataclasses.replace(next_puzzle(contracts, sender.address, b""), time=1 << 40))
    waits: list[float] = []
    with pytest.raises(Refused, match="time"):
        append_puzzle(contracts, sender, solved, b"", sleep=waits.append)
    assert sum(waits) == EARLY_S
