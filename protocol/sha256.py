"""SHA-256 (FIPS 180-4) whose inner state can be seen: hashlib shows only the end. Slow; for proofs."""

import struct
from typing import Final

BLOCK_BYTES: Final = 64
_MASK: Final = 0xFFFFFFFF


def _primes(count: int) -> list[int]:
    found: list[int] = []
    number = 2
    while len(found) < count:
        if all(number % prime for prime in found):
            found.append(number)
        number += 1
    return found


def _root_bits(number: int, power: int) -> int:
    """The first 32 bits of the fraction of a square or cube root."""
    wanted, low, high = number << (32 * power), 0, 1 << 40
    while low < high - 1:
        middle = (low + high) // 2
        if middle**power <= wanted:
            low = middle
        else:
            high = middle
    return low & _MASK


_K: Final = tuple(_root_bits(prime, 3) for prime in _primes(64))
INITIAL_STATE: Final = struct.pack(">8I", *(_root_bits(prime, 2) for prime in _primes(8)))


def absorb(state: bytes, data: bytes) -> bytes:
    """The state (32 bytes) after whole blocks of ``data``. Raises ValueError for a part of a block."""
    if len(data) % BLOCK_BYTES:
        raise ValueError(f"{len(data)} bytes are not whole blocks of {BLOCK_BYTES}")
    words = struct.unpack(">8I", state)
    for at in range(0, len(data), BLOCK_BYTES):
        words = _compress(words, struct.unpack_from(">16I", data, at))
    return struct.pack(">8I", *words)


def finish(state: bytes, skipped: int, rest: bytes) -> bytes:
    """The hash of a message that led to ``state`` after ``skipped`` bytes and ends with ``rest``."""
    zeros = (119 - len(rest)) % BLOCK_BYTES
    length = (skipped + len(rest)) * 8
    return absorb(state, rest + b"\x80" + bytes(zeros) + length.to_bytes(8, "big"))


def _rotated(word: int, by: int) -> int:
    return (word >> by | word << (32 - by)) & _MASK


def _compress(state: tuple[int, ...], block: tuple[int, ...]) -> tuple[int, ...]:
    w = list(block)
    for i in range(16, 64):
        x, y = w[i - 15], w[i - 2]
        s0 = _rotated(x, 7) ^ _rotated(x, 18) ^ x >> 3
        s1 = _rotated(y, 17) ^ _rotated(y, 19) ^ y >> 10
        w.append((w[i - 16] + s0 + w[i - 7] + s1) & _MASK)
    a, b, c, d, e, f, g, h = state
    for k, word in zip(_K, w, strict=True):
        t = h + (_rotated(e, 6) ^ _rotated(e, 11) ^ _rotated(e, 25)) + (e & f ^ ~e & g) + k + word
        u = (_rotated(a, 2) ^ _rotated(a, 13) ^ _rotated(a, 22)) + (a & b ^ a & c ^ b & c)
        a, b, c, d, e, f, g, h = (t + u) & _MASK, a, b, c, (d + t) & _MASK, e, f, g
    return tuple((old + new) & _MASK for old, new in zip(state, (a, b, c, d, e, f, g, h), strict=True))
