"""The learning chain as a contest contract tells it: its events carry whole headers.

The data of ``BlockAppended(bytes32 indexed blockHash, LearningBlock added)`` is the header itself, so what
was logged is hashed as it is; nothing of an event is believed that does not hash to its name and follow its
parent. Lists of payloads are blobs, but for those of puzzles, which no committee vouches for: the contract
shows them by ``PayloadsShown(bytes32 indexed root, bytes payloads)``.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from eth_abi.abi import decode as abi_decode
from eth_abi.exceptions import DecodingError
from eth_hash.auto import keccak

from protocol.blobs import BlobCorrupt, BlobMissing, BlobStore, BlobTooLarge
from protocol.chain.client import ChainClient
from protocol.errors import PeerMisbehaved
from protocol.ids import Address
from protocol.learning_block import Block, Kind, genesis, require_hash
from protocol.learning_chain import check_puzzle
from protocol.learning_payload import MAX_LIST_BYTES, Ordered, blob_name, list_root, order_list
from protocol.typed_data import Domain

_HEADER_TYPES: Final = (
    "uint8,bytes32,uint64,address,uint256,bytes32,uint32,uint32,bytes32,uint64,uint256,uint256,uint256"
)
BLOCK_APPENDED: Final = keccak(f"BlockAppended(bytes32,({_HEADER_TYPES}))".encode())
PAYLOADS_SHOWN: Final = keccak(b"PayloadsShown(bytes32,bytes)")
_HEAD: Final = keccak(b"head()")[:4]
_SEPARATOR: Final = keccak(b"domainSeparator()")[:4]


@dataclass(kw_only=True)
class LearningLog:
    """The chain from its genesis up to the newest block that ``read`` found; ``shown`` are the lists that the
    contract itself tells, by root."""

    client: ChainClient
    contest: Address
    domain: Domain
    first_block: int
    blocks: list[Block] = field(default_factory=list)
    shown: dict[bytes, bytes] = field(default_factory=dict)
    _next_block: int = 0

    def read(self) -> None:
        """Read on from where the last reading ended; from the genesis when that was undone. Raises
        PeerMisbehaved when events, hashes and the contract's head do not tell one chain, ServiceUnreachable
        or Refused as the client does."""
        last = self.client.block().number
        head = _word(self.client, self.contest, _HEAD, last)
        if self.blocks and head == self.blocks[-1].hash:
            return
        if self.blocks:
            try:
                self._read_to(last, head)
            except PeerMisbehaved:
                self.blocks = []
        if not self.blocks:
            self._begin(last)
            try:
                self._read_to(last, head)
            except PeerMisbehaved:
                self.blocks = []
                raise

    def _begin(self, last: int) -> None:
        separator = _word(self.client, self.contest, _SEPARATOR, last)
        if separator != self.domain.separator:
            raise PeerMisbehaved(
                "learning chain", f"{self.contest} has another domain: it is no contest contract"
            )
        self.blocks, self.shown = [genesis(separator)], {}
        self._next_block = self.first_block

    def _read_to(self, last: int, head: bytes) -> None:
        for log in self.client.logs([self.contest], self._next_block, last):
            topics = [bytes(topic) for topic in log["topics"]]
            if topics[:1] == [PAYLOADS_SHOWN]:
                listed = _bytes_of(log["data"])
                self.shown[list_root(listed)] = listed
            elif topics[:1] == [BLOCK_APPENDED]:
                block = Block.parse(bytes(log["data"]))
                require_hash(block, topics[1])
                link(self.blocks, block)
        if head != self.blocks[-1].hash:
            # While it mines, Anvil answers from the block to come, whichever is named.
            head = _word(self.client, self.contest, _HEAD, last)
        if head != self.blocks[-1].hash:
            raise PeerMisbehaved(
                "learning chain",
                f"its head is {head.hex()}, the events lead to {self.blocks[-1].hash.hex()}",
            )
        self._next_block = last + 1


def link(chain: list[Block], block: Block) -> None:
    """Append one block. Raises PeerMisbehaved, and nothing changed, unless it follows the last one as the
    contract appends them: by height, later, by a contest that has no block or by a solved puzzle."""
    parent = chain[-1]
    require_hash(parent, block.parent)
    if block.height != parent.height + 1 or block.time <= parent.time:
        raise PeerMisbehaved("learning chain", f"block {block.height} does not follow {parent.height}")
    if block.kind is Kind.PUZZLE:
        check_puzzle(block)
    elif block.kind is not Kind.CONTEST or block.target or block.nonce:
        raise PeerMisbehaved("learning chain", f"block {block.height} is no contest's and no puzzle")
    elif block.correct > block.answers or any(known.task == block.task for known in chain[1:]):
        raise PeerMisbehaved("learning chain", f"block {block.height} claims what cannot be")
    chain.append(block)


def list_of(block: Block, shown: Mapping[bytes, bytes], blobs: BlobStore) -> bytes:
    """The list that a block names. Raises PeerMisbehaved, naming the block, when nobody has it under its
    hash, and ServiceUnreachable."""
    name = blob_name(block.transactions)
    if name is None:
        return b""
    known = shown.get(block.transactions)
    if known is not None:
        return known
    try:
        return blobs.get(name, MAX_LIST_BYTES)
    except (BlobMissing, BlobCorrupt, BlobTooLarge) as error:
        raise PeerMisbehaved(f"block {block.height}", f"its list of payloads: {error}") from error


def order_payloads(
    chain: Sequence[Block], shown: Mapping[bytes, bytes], blobs: BlobStore, domain: Domain
) -> list[Ordered]:
    """What the list of each block after the genesis comes to. Raises as ``list_of``."""
    found: list[Ordered] = []
    before = Ordered()
    for block in chain[1:]:
        before = order_list(before.sequences, list_of(block, shown, blobs), domain)
        found.append(before)
    return found


def _bytes_of(data: Any) -> bytes:
    try:
        (listed,) = abi_decode(["bytes"], bytes(data))
    except DecodingError as error:
        raise PeerMisbehaved("learning chain", f"an event that is none: {error}") from error
    return bytes(listed)


def _word(client: ChainClient, contract: Address, selector: bytes, block: int) -> bytes:
    answer = client.rpc("eth_call", {"to": contract, "data": "0x" + selector.hex()}, hex(block))
    word = bytes.fromhex(str(answer)[2:])
    if len(word) != 32:
        raise PeerMisbehaved("learning chain", f"{contract} does not answer like a contest contract")
    return word
