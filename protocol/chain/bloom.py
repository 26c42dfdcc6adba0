"""A block header's filter of whose logs it may hold (yellow paper, 4.3.1): what is not in it is certain."""

from collections.abc import Iterable
from functools import lru_cache
from typing import Final

from eth_hash.auto import keccak

from protocol.ids import Address

BLOOM_BYTES: Final = 256


def may_hold(bloom: bytes, addresses: Iterable[Address]) -> bool:
    """Whether the block may hold a log of one of ``addresses``; False is certain. A filter of another length
    than BLOOM_BYTES, as of an endpoint that tells none, says nothing."""
    if len(bloom) != BLOOM_BYTES:
        return True
    bits = int.from_bytes(bloom, "big")
    return any(bits & mask == mask for mask in map(_mask, addresses))


@lru_cache(maxsize=1024)
def _mask(address: Address) -> int:
    digest = keccak(bytes.fromhex(address[2:]))
    return sum({1 << (int.from_bytes(digest[i : i + 2], "big") % 2048) for i in (0, 2, 4)})
