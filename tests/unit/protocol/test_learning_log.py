"""The learning chain from events alone: what does not hash to its name or follow its parent is refused."""

import dataclasses
from typing import Any, cast

import pytest

from protocol.blobs import BlobMissing, open_blob_store
from protocol.chain.client import BlockRef, ChainClient
from protocol.chain.learning_log import BLOCK_APPENDED, check_payloads, read_chain
from protocol.errors import PeerMisbehaved
from protocol.ids import Address, sha256
from protocol.learning_block import Block, Kind, genesis
from protocol.learning_payload import payload_list, payloads_root, sign_payload
from protocol.signing import KeySigner
from protocol.typed_data import Domain

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

    def block(self) -> BlockRef:
        return BlockRef(number=9, hash=bytes(32), parent_hash=bytes(32), timestamp=9, base_fee=1)

    def logs(self, addresses: list[Address], first: int, last: int) -> list[dict[str, Any]]:
        return [{"topics": [bytes(32)], "data": b""}] + [
            {"topics": [BLOCK_APPENDED, name], "data": block.header}
            for name, block in zip(self.names, self.blocks, strict=True)
        ]

    def rpc(self, method: str, call: dict[str, str], block: str) -> str:
        word = self.separator if call["data"] == "0xf698da25" else self.head
        return "0x" + word.hex()

    def read(self) -> list[Block]:
        return read_chain(cast(ChainClient, self), CONTEST, DOMAIN, 0)


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


@pytest.mark.parametrize(
    ("place", "change"),
    [(2, {"time": 200}), (2, {"kind": Kind.PUZZLE}), (2, {"correct": 11}), (2, {"task": 1})],
)
def test_read__last_block_that_no_contract_appends__is_refused(place: int, change: dict[str, Any]) -> None:
    blocks = chain()
    blocks[place] = dataclasses.replace(blocks[place], **change)
    with pytest.raises(PeerMisbehaved):
        Node(blocks).read()


def test_payloads__stored_list__is_found_under_its_root() -> None:
    blobs = open_blob_store("memory://learning-log")
    with pytest.raises(BlobMissing):
        check_payloads([genesis(DOMAIN.separator), *chain(2)], open_blob_store("memory://empty"), DOMAIN)
    blobs.put(payload_list(PAYLOADS))
    found = check_payloads([genesis(DOMAIN.separator), *chain()], blobs, DOMAIN)
    assert [len(each) for each in found] == [0, 2, 0]
