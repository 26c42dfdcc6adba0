"""The learning chain as a contest contract tells it: its events carry whole headers.

The data of ``BlockAppended(bytes32 indexed blockHash, LearningBlock added)`` is the header itself, so what
was logged is hashed as it is; nothing of an event is believed that does not hash to its name and follow its
parent.
"""

from collections.abc import Sequence
from typing import Final

from eth_hash.auto import keccak

from protocol.blobs import BlobStore
from protocol.chain.client import ChainClient
from protocol.errors import PeerMisbehaved
from protocol.ids import ZERO32, Address, Sha256
from protocol.learning_block import Block, Kind, genesis, require_hash
from protocol.learning_payload import MAX_LIST_BYTES, SignedPayload, follow, parse_payloads
from protocol.typed_data import Domain

_HEADER_TYPES: Final = (
    "uint8,bytes32,uint64,address,uint256,bytes32,uint32,uint32,bytes32,uint64,uint256,uint256,uint256"
)
BLOCK_APPENDED: Final = keccak(f"BlockAppended(bytes32,({_HEADER_TYPES}))".encode())
_HEAD: Final = keccak(b"head()")[:4]
_SEPARATOR: Final = keccak(b"domainSeparator()")[:4]


def read_chain(client: ChainClient, contest: Address, domain: Domain, first_block: int) -> list[Block]:
    """Every block from the genesis on, linked. Raises PeerMisbehaved when events, hashes and the contract's
    head do not tell one chain, ServiceUnreachable or Refused as the client does."""
    last = client.block()
    separator = _word(client, contest, _SEPARATOR, last.number)
    if separator != domain.separator:
        raise PeerMisbehaved("learning chain", f"{contest} has another domain: it is no contest contract")
    chain = [genesis(separator)]
    for log in client.logs([contest], first_block, last.number):
        topics = [bytes(topic) for topic in log["topics"]]
        if topics[:1] != [BLOCK_APPENDED]:
            continue
        block = Block.parse(bytes(log["data"]))
        require_hash(block, topics[1])
        link(chain, block)
    head = _word(client, contest, _HEAD, last.number)
    if head != chain[-1].hash:
        raise PeerMisbehaved(
            "learning chain", f"its head is {head.hex()}, the events lead to {chain[-1].hash.hex()}"
        )
    return chain


def link(chain: list[Block], block: Block) -> None:
    """Append one block. Raises PeerMisbehaved, and nothing changed, unless it follows the last one as the
    contract appends them: by height, later, for a task without a block, by a contest."""
    parent = chain[-1]
    require_hash(parent, block.parent)
    if block.height != parent.height + 1 or block.time <= parent.time or block.kind is not Kind.CONTEST:
        raise PeerMisbehaved("learning chain", f"block {block.height} does not follow {parent.height}")
    if block.correct > block.answers or any(known.task == block.task for known in chain[1:]):
        raise PeerMisbehaved("learning chain", f"block {block.height} claims what cannot be")
    chain.append(block)


def check_payloads(chain: Sequence[Block], blobs: BlobStore, domain: Domain) -> list[list[SignedPayload]]:
    """The payloads of each block after the genesis, signed and in their authors' order. Raises
    PeerMisbehaved, BlobMissing, BlobCorrupt."""
    sequences: dict[Address, int] = {}
    found: list[list[SignedPayload]] = []
    for block in chain[1:]:
        payloads: list[SignedPayload] = []
        if block.transactions != ZERO32:
            payloads = parse_payloads(blobs.get(Sha256(block.transactions), MAX_LIST_BYTES))
        sequences = follow(sequences, payloads, domain)
        found.append(payloads)
    return found


def _word(client: ChainClient, contract: Address, selector: bytes, block: int) -> bytes:
    answer = client.rpc("eth_call", {"to": contract, "data": "0x" + selector.hex()}, hex(block))
    word = bytes.fromhex(str(answer)[2:])
    if len(word) != 32:
        raise PeerMisbehaved("learning chain", f"{contract} does not answer like a contest contract")
    return word
