"""One block of the learning chain: a header of fixed length whose sha256 is the block's name.

The header is ``abi.encode`` of thirteen static words, so a contract hashes it with one call of its sha256
precompile, a miner varies its last word alone, and the header itself is a blob under the block's hash.
"""

from dataclasses import dataclass
from enum import IntEnum
from functools import cached_property
from typing import Any, Final, Self

from protocol.errors import PeerMisbehaved
from protocol.ids import ZERO32, Address, Sha256, parse_address, sha256
from protocol.parsing import peer_value, uint

ZERO_ADDRESS: Final = Address("0x" + "0" * 40)
HEADER_BYTES: Final = 13 * 32
MAX_TARGET: Final = (1 << 256) - 1


class Kind(IntEnum):
    """What bought the right to append a block."""

    GENESIS = 0
    CONTEST = 1
    PUZZLE = 2
    WORK = 3


_WORDS: Final = (
    ("kind", "uint8"),
    ("parent", "bytes32"),
    ("height", "uint64"),
    ("winner", "address"),
    ("task", "uint256"),
    ("model", "bytes32"),
    ("correct", "uint32"),
    ("answers", "uint32"),
    ("transactions", "bytes32"),
    ("time", "uint64"),
    ("next_task", "uint256"),
    ("target", "uint256"),
    ("nonce", "uint256"),
)


@dataclass(frozen=True, kw_only=True)
class Block:
    """``parent``, ``model`` and ``transactions`` are 32 bytes, zero where there is none; ``correct`` of
    ``answers`` test answers were right; ``time`` in Unix seconds; ``next_task`` 0: none is open. ``target``
    and ``nonce`` are zero but for puzzles and proof of work, whose hash, as a number, is at most the
    target."""

    kind: Kind
    parent: bytes
    height: int
    winner: Address = ZERO_ADDRESS
    task: int = 0
    model: bytes = ZERO32
    correct: int = 0
    answers: int = 0
    transactions: bytes = ZERO32
    time: int
    next_task: int = 0
    target: int = 0
    nonce: int = 0

    @cached_property
    def header(self) -> bytes:
        """The bytes that are hashed. Raises ValueError where a field does not fit its word."""
        return b"".join(_word(kind, value) for (_, kind), value in zip(_WORDS, self._fields(), strict=True))

    def argument(self) -> tuple[Any, ...]:
        """The header's fields as a contract takes them."""
        return tuple(int(value) if isinstance(value, int) else value for value in self._fields())

    @cached_property
    def hash(self) -> Sha256:
        return sha256(self.header)

    def _fields(self) -> tuple[Any, ...]:
        return tuple(getattr(self, name) for name, _ in _WORDS)

    @property
    def work(self) -> int:
        """Hashes that a block of this target takes on average; 0 where nothing was searched for."""
        return (1 << 256) // (self.target + 1) if self.target else 0

    @property
    def meets_target(self) -> bool:
        return int.from_bytes(self.hash, "big") <= self.target

    @classmethod
    def parse(cls, header: bytes) -> Self:
        """The block of a header; the only bytes that lead to it. Raises PeerMisbehaved for any others."""
        with peer_value("block"):
            if len(header) != HEADER_BYTES:
                raise ValueError(f"it has {len(header)} bytes of {HEADER_BYTES}")
            words = [header[place : place + 32] for place in range(0, HEADER_BYTES, 32)]
            values = {name: _value(kind, word) for (name, kind), word in zip(_WORDS, words, strict=True)}
            block = cls(**{**values, "kind": Kind(values["kind"])})
            if block.header != header:
                raise ValueError("it is not the canonical encoding")
        return block


def genesis(domain_separator: bytes) -> Block:
    """The first block of a deployment's chain: no other deployment has it."""
    return Block(kind=Kind.GENESIS, parent=domain_separator, height=0, time=0)


def require_hash(block: Block, expected: bytes) -> None:
    """Raises PeerMisbehaved when a block is another one than was asked for."""
    if block.hash != expected:
        raise PeerMisbehaved("block", f"its hash is {block.hash.hex()}, not {expected.hex()}")


def _word(kind: str, value: "int | str | bytes") -> bytes:
    match value:
        case bytes():
            if len(value) != 32:
                raise ValueError(f"{value!r} is not 32 bytes")
            return value
        case str():
            return bytes.fromhex(value[2:]).rjust(32, b"\0")
        case _:
            return uint(int(value), int(kind[4:])).to_bytes(32, "big")


def _value(kind: str, word: bytes) -> Any:
    match kind:
        case "bytes32":
            return word
        case "address":
            return parse_address("0x" + word[12:].hex())
        case _:
            return int.from_bytes(word, "big")
