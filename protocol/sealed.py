"""Sealing a test set: everybody can hold it, nobody can read it before the key is released.

AES-256 in counter mode under a key of 32 bytes that is used once, so the counter starts at zero. What it
opens to is named by the sha256 in the spec; that, and not the cipher, tells whether it is the promised one.
"""

import secrets
from typing import Final

from Crypto.Cipher import AES
from eth_hash.auto import keccak

KEY_BYTES: Final = 32


def new_key() -> bytes:
    """A fresh key; whoever uses one twice gives both test sets away."""
    return secrets.token_bytes(KEY_BYTES)


def key_hash(key: bytes) -> bytes:
    """What the contract stores until the key is released: its keccak256."""
    return keccak(key)


def seal(plain: bytes, key: bytes) -> bytes:
    """The bytes that can be shown to everybody."""
    return _stream(plain, key)


def unseal(sealed: bytes, key: bytes) -> bytes:
    """What they open to; with another key, noise. The caller compares its sha256."""
    return _stream(sealed, key)


def _stream(data: bytes, key: bytes) -> bytes:
    if len(key) != KEY_BYTES:
        raise ValueError(f"a key has {KEY_BYTES} bytes, not {len(key)}")
    return bytes(AES.new(key, AES.MODE_CTR, nonce=bytes(8)).encrypt(data))
