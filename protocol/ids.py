"""Names for numbers and byte strings that must not be confused, and their only parsers.

In Python objects a sha256 is 32 raw bytes; in JSON and in blob names it is 64 lowercase hex digits without
a prefix. Addresses are EIP-55 checksum strings. Money is an ``int`` in the token's smallest unit.
"""

import hashlib
import re
from typing import NewType

from eth_utils.address import is_address, to_checksum_address

import protocol.recursion  # noqa: F401 - for its effect, in every process that reads a stranger's words
from protocol.errors import InvalidInput

TaskId = NewType("TaskId", int)
RoundNo = NewType("RoundNo", int)
ShardNo = NewType("ShardNo", int)
EpochNo = NewType("EpochNo", int)
Address = NewType("Address", str)
Sha256 = NewType("Sha256", bytes)
Digest = NewType("Digest", bytes)
Wei = NewType("Wei", int)

ZERO32 = bytes(32)
_HEX64 = re.compile(r"[0-9a-f]{64}")


def sha256(data: bytes) -> Sha256:
    """The 32-byte sha256 of ``data``: the name of a blob."""
    return Sha256(hashlib.sha256(data).digest())


def parse_sha256(text: str) -> Sha256:
    """Parse 64 lowercase hex digits. Raises InvalidInput for anything else (also paths, prefixes,
    newlines)."""
    if not _HEX64.fullmatch(text):
        raise InvalidInput(f"{text[:80]!r} is not a sha256: 64 lowercase hex digits are needed.")
    return Sha256(bytes.fromhex(text))


def parse_address(text: str) -> Address:
    """Parse an Ethereum address in any case. Raises InvalidInput when it is not one."""
    if not is_address(text):
        raise InvalidInput(f"{text[:80]!r} is not an Ethereum address.")
    return Address(to_checksum_address(text))


def parse_hex_bytes(text: str, length: int) -> bytes:
    """Parse 0x-prefixed hex of exactly ``length`` bytes. Raises InvalidInput otherwise."""
    if not re.fullmatch("0x[0-9a-fA-F]{" + str(2 * length) + "}", text):
        raise InvalidInput(f"{text[:80]!r} is not {length} bytes of 0x-prefixed hex.")
    return bytes.fromhex(text[2:])
