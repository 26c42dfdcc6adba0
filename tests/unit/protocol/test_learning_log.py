"""The learning chain from events alone: what does not hash to its name or follow its parent is refused."""

import dataclasses
from functools import cache
from typing import Any, cast

import pytest
from eth_abi.abi import encode as abi_encode

from protocol.blobs import open_blob_store
from protocol.chain.client import BlockRef, ChainClient
from protocol.chain.learning_log import BLOCK_APPENDED, PAYLOADS_SHOWN, LearningLog, order_payloads
from protocol.errors import PeerMisbehaved
from protocol.hash_work import PUZZLE_TARGET
from protocol.ids import Address, sha256
from protocol.learning_block import Block, Kind, genesis
from protocol.learning_payload import list_root, payload_list, payloads_root, sign_payload
from protocol.signing import KeySigner
from protocol.typed_data import Domain
from worker.hash_miner import solve

CONTEST = Address("0x" + "22" * 20)
DOMAIN = Domain(chain_id=31337, market=CONTEST)
ALICE = KeySigner(sha256(b"alice"))
PAYLOADS = (sign_payload(ALICE, DOMAIN, 0, b"one"), sign_payload(ALICE, DOMAIN, 1, b"two"))


class Node:
    """Answers as a chain whose contract logged ``blocks`` under ``names`` and has ``head``."""

    def __init__(self, blocks: list[Block]) -> None:
        self.blocks = blocks
        self.names = [block.hash for block in blocks]
        self.head: bytes = blocks[-1].hash if blocks else genesis(DOMAIN.separator).hash
        self.separator = DOMAIN.separator
        self.shown: list[bytes] = []
        self.asked_from: list[int] = []
        self.ahead: list[bytes] = []

    def block(self) -> BlockRef:
        return BlockRef(number=9, hash=bytes(32), parent_hash=bytes(32), timestamp=9, base_fee=1)

    def logs(self, addresses: list[Address], first: int, last: int) -> list[dict[str, Any]]:
        self.asked_from.append(first)
        shown = [
            {"topics": [PAYLOADS_SHOWN, sha256(s)], "data": abi_encode(["bytes"], [s])} for s in self.shown
        ]
        appended = [
            {"topics": [BLOCK_APPENDED, name], "data": block.header}
            for name, block in zip(self.names, self.blocks, strict=True)
        ]
        return [{"topics": [bytes(32)], "data": b""}, *shown, *appended]

    def rpc(self, method: str, call: dict[str, str], block: str) -> str:
        if call["data"] == "0xf698da25":
            return "0x" + self.separator.hex()
        return "0x" + (self.ahead.pop() if self.ahead else self.head).hex()

    def log(self) -> LearningLog:
        return LearningLog(client=cast(ChainClient, self), contest=CONTEST, domain=DOMAIN, first_block=0)

    def read(self) -> list[Block]:
        log = self.log()
        log.read()
        return log.blocks


def chain(count: int = 3) -> list[Block]:
    blocks: list[Block] = []
    parent = genesis(DOMAIN.separator)
    for number in range(1, count + 1):
        parent = Block(
            kind=Kind.CONTEST, parent=parent.hash, height=number, winner=ALICE.address, task=number,
            model=sha256(b"%d" % number), correct=9, answers=10, time=100 * number,
            transactions=payloads_root(PAYLOADS) if number == 2 else bytes(32),
        )  # fmt: skip
        blocks.append(parent)
    return blocks


def test_read__honest_events__lead_from_the_genesis_to_the_head() -> None:
    found = Node(chain()).read()
    assert [block.height for block in found] == [0, 1, 2, 3]
    assert Node([]).read() == [genesis(DOMAIN.separator)]


@pytest.mark.parametrize(
    "change",
    [
        {"winner": CONTEST}, {"model": sha256(b"x")}, {"correct": 8}, {"time": 201}, {"task": 7},
        {"transactions": sha256(b"y")}, {"height": 5}, {"parent": sha256(b"p")},
    ],
)  # fmt: skip
@pytest.mark.parametrize("renamed", [False, True])
def test_read__one_block_altered__is_refused(change: dict[str, Any], renamed: bool) -> None:
    node = Node(chain())
    node.blocks[1] = dataclasses.replace(node.blocks[1], **change)
    if renamed:
        node.names[1] = node.blocks[1].hash
    with pytest.raises(PeerMisbehaved):
        node.read()


def test_read__fork_left_out_or_repeated_blocks__are_refused() -> None:
    whole = chain()
    fork = dataclasses.replace(whole[2], winner=CONTEST)
    for blocks in ([whole[0], whole[2]], whole[1:], [*whole, fork], [*whole, whole[2]]):
        with pytest.raises(PeerMisbehaved):
            Node(blocks).read()


def test_read__head_of_another_chain_or_foreign_contract__is_refused() -> None:
    node = Node(chain())
    node.head = sha256(b"head")
    with pytest.raises(PeerMisbehaved, match="the events lead to"):
        node.read()
    node.separator = sha256(b"separator")
    with pytest.raises(PeerMisbehaved, match="another domain"):
        node.read()


def test_read__node_mined_when_asked_for_its_head__asks_again() -> None:
    node = Node(chain())
    node.ahead = [sha256(b"the block to come")]
    assert [block.height for block in node.read()] == [0, 1, 2, 3]


@pytest.mark.parametrize(
    ("place", "change"),
    [(2, {"time": 200}), (2, {"kind": Kind.PUZZLE}), (2, {"correct": 11}), (2, {"task": 1})],
)
def test_read__last_block_that_no_contract_appends__is_refused(place: int, change: dict[str, Any]) -> None:
    blocks = chain()
    blocks[place] = dataclasses.replace(blocks[place], **change)
    with pytest.raises(PeerMisbehaved):
        Node(blocks).read()


def test_read__again__goes_on_from_the_last_block_or_begins_anew_after_a_reorganisation() -> None:
    whole = chain()
    node = Node(whole[:2])
    log = node.log()
    log.read()
    log.read()
    assert node.asked_from == [0]  # the head had not moved
    node.blocks, node.names, node.head = whole[2:], [whole[2].hash], whole[2].hash
    log.read()
    assert [block.height for block in log.blocks] == [0, 1, 2, 3]
    other = dataclasses.replace(whole[1], winner=CONTEST)
    node.blocks, node.names, node.head = [whole[0], other], [whole[0].hash, other.hash], other.hash
    log.read()
    assert log.blocks[1:] == [whole[0], other]


@cache
def puzzle(listed: bytes = b"") -> Block:
    parent = chain()[-1]
    return solve(
        Block(
            kind=Kind.PUZZLE,
            parent=parent.hash,
            height=4,
            winner=CONTEST,
            time=parent.time + 1,
            target=PUZZLE_TARGET,
            transactions=list_root(listed),
        )
    )


def test_read__solved_puzzle__stands_and_any_other_does_not() -> None:
    assert Node([*chain(), puzzle()]).read()[-1] == puzzle()
    changes: list[dict[str, Any]] = [
        {"target": PUZZLE_TARGET * 2}, {"nonce": 1 << 200}, {"task": 9}, {"correct": 1},
    ]  # fmt: skip
    for change in changes:
        wrong = dataclasses.replace(puzzle(), **change)
        with pytest.raises(PeerMisbehaved):
            Node([*chain(), wrong]).read()


def test_payloads__stored_list__is_found_under_its_root_and_a_missing_one_names_its_block() -> None:
    blobs = open_blob_store("memory://learning-log")
    blocks = [genesis(DOMAIN.separator), *chain()]
    with pytest.raises(PeerMisbehaved, match="block 2: its list of payloads"):
        order_payloads(blocks, {}, open_blob_store("memory://empty"), DOMAIN)
    blobs.put(payload_list(PAYLOADS))
    assert [len(each.taken) for each in order_payloads(blocks, {}, blobs, DOMAIN)] == [0, 2, 0]


@pytest.mark.parametrize("junk", [False, True])
def test_payloads__of_a_puzzle__are_read_from_its_event_and_no_blob(junk: bool) -> None:
    listed = b"junk" if junk else payload_list((*PAYLOADS, sign_payload(ALICE, DOMAIN, 2, b"three")))
    node = Node([*chain(), puzzle(listed)])
    node.shown = [listed]
    log = node.log()
    log.read()
    blobs = open_blob_store("memory://learning-log-shown")
    blobs.put(payload_list(PAYLOADS))
    last = order_payloads(log.blocks, log.shown, blobs, DOMAIN)[-1]
    assert [payload.data for payload in last.taken] == ([] if junk else [b"three"])
    assert len(last.void) == (1 if junk else 2)
