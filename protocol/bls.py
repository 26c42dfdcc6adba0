"""BLS12-381 signatures that add up: many over one digest become one of 96 bytes (docs/adr/0014).

The minimal-signature variant: keys in G2, signatures in G1, ciphersuite
``BLS_SIG_BLS12381G1_XMD:SHA-256_SSWU_RO_POP_`` of draft-irtf-cfrg-bls-signature, hashing by RFC 9380. Points
travel as their coordinates, 48 bytes big-endian each: a signature is x, y; a key is x.c0, x.c1, y.c0, y.c1.
All zero is the point at infinity, which is nobody's key and nobody's signature.

Sums are safe only over keys whose holders proved that they know the secret: without such a proof, a key
chosen as a difference of other keys signs for them.
"""

import hashlib
import hmac
from collections.abc import Sequence
from functools import lru_cache
from typing import Final

from py_arkworks_bls12381 import GT, G1Point, G2Point, Scalar

from protocol.errors import PeerMisbehaved

SECRET_BYTES: Final = 32
SIGNATURE_BYTES: Final = 96
KEY_BYTES: Final = 192
SIGNATURE_TAG: Final = b"BLS_SIG_BLS12381G1_XMD:SHA-256_SSWU_RO_POP_"
POSSESSION_TAG: Final = b"BLS_POP_BLS12381G1_XMD:SHA-256_SSWU_RO_POP_"
ORDER: Final = 0x73EDA753299D7D483339D80809A1D80553BDA402FFFE5BFEFFFFFFFF00000001

_KEY_INFO: Final = b"proof-of-training validator"
_KEYGEN_SALT: Final = b"BLS-SIG-KEYGEN-SALT-"
_MATERIAL_BYTES: Final = 48
_KEY_CACHE: Final = 1024
_MINUS_GENERATOR: Final = -G2Point()


class PointMalformed(PeerMisbehaved):
    """The bytes are no key or no signature: ``detail`` says why."""


class BlsSecret:
    """Signs with a secret held in memory. The secret never shows in a representation.

    The arithmetic underneath is not constant-time: sign where nobody can measure single operations, as a
    validator does that signs once for each certificate.
    """

    __slots__ = ("_key", "_scalar")

    def __init__(self, secret: int) -> None:
        """``secret`` is in 1..ORDER-1. Raises ValueError otherwise."""
        if not 0 < secret < ORDER:
            raise ValueError("a BLS secret lies between 0 and the order of the curve")
        self._scalar = Scalar.from_be_bytes(secret.to_bytes(SECRET_BYTES, "big"))
        self._key: bytes = (G2Point() * self._scalar).to_xy_bytes_be()

    @classmethod
    def derived_from(cls, private_key: bytes) -> "BlsSecret":
        """The one secret that goes with an account's 32-byte private key: a keystore holds both."""
        return cls(generate_secret(private_key, _KEY_INFO))

    @property
    def key(self) -> bytes:
        """The public key, 192 bytes."""
        return self._key

    def sign(self, digest: bytes) -> bytes:
        """96 bytes over a digest of 32 bytes; always the same ones."""
        return self._sign(digest, SIGNATURE_TAG)

    def prove(self, statement: bytes) -> bytes:
        """Proof of possession, 96 bytes, over a statement of 32 bytes that names whose key this is."""
        return self._sign(statement, POSSESSION_TAG)

    def _sign(self, digest: bytes, tag: bytes) -> bytes:
        if len(digest) != 32:
            raise ValueError(f"a digest has 32 bytes, not {len(digest)}")
        signature: bytes = (G1Point.hash_to_curve(digest, tag) * self._scalar).to_xy_bytes_be()
        return signature

    def __repr__(self) -> str:
        return f"BlsSecret(key={self._key[:4].hex()}...)"


def generate_secret(material: bytes, info: bytes) -> int:
    """KeyGen of draft-irtf-cfrg-bls-signature: HKDF-SHA-256 until it is not zero.

    ``material`` has at least 32 secret bytes; raises ValueError otherwise.
    """
    if len(material) < 32:
        raise ValueError(f"a secret is made from at least 32 bytes, not {len(material)}")
    salt, secret = _KEYGEN_SALT, 0
    while secret == 0:
        salt = hashlib.sha256(salt).digest()
        pseudo_random = hmac.digest(salt, material + b"\0", "sha256")
        output, block = b"", b""
        for counter in (1, 2):
            label = block + info + _MATERIAL_BYTES.to_bytes(2, "big") + bytes((counter,))
            block = hmac.digest(pseudo_random, label, "sha256")
            output += block
        secret = int.from_bytes(output[:_MATERIAL_BYTES], "big") % ORDER
    return secret


def aggregate(signatures: Sequence[bytes]) -> bytes:
    """The sum of at least one signature. Raises PointMalformed, ValueError for an empty sequence."""
    if not signatures:
        raise ValueError("no signature adds up to none")
    total = G1Point.identity()
    for signature in signatures:
        total = total + _signature(signature)
    result: bytes = total.to_xy_bytes_be()
    return result


def is_signed_by(digest: bytes, signature: bytes, keys: Sequence[bytes]) -> bool:
    """True when ``signature`` over ``digest`` is the sum of one signature by each of ``keys``, whose
    possession was proven. Anything malformed is False."""
    return _holds(keys, digest, SIGNATURE_TAG, signature)


def is_possessed(key: bytes, statement: bytes, proof: bytes) -> bool:
    """True when ``proof`` shows that whoever speaks with ``statement`` knows the secret of ``key``."""
    return _holds([key], statement, POSSESSION_TAG, proof)


def _holds(keys: Sequence[bytes], message: bytes, tag: bytes, signature: bytes) -> bool:
    """e(signature, -generator) * e(hash, sum of keys) = 1."""
    if not keys:
        return False
    try:
        point = _signature(signature)
        total = G2Point.identity()
        for key in keys:
            total = total + _key(key)
    except PointMalformed:
        return False
    hashed = G1Point.hash_to_curve(message, tag)
    return bool(GT.pairing_check([point, hashed], [_MINUS_GENERATOR, total]))


def _signature(data: bytes) -> G1Point:
    if len(data) != SIGNATURE_BYTES or not any(data):
        raise PointMalformed("BLS signature", f"{SIGNATURE_BYTES} bytes of a point are needed")
    try:
        return G1Point.from_xy_bytes_be(data)
    except ValueError as error:
        raise PointMalformed("BLS signature", str(error)) from error


@lru_cache(maxsize=_KEY_CACHE)
def _key(data: bytes) -> G2Point:
    if len(data) != KEY_BYTES or not any(data):
        raise PointMalformed("BLS key", f"{KEY_BYTES} bytes of a point are needed")
    try:
        return G2Point.from_xy_bytes_be(data)
    except ValueError as error:
        raise PointMalformed("BLS key", str(error)) from error
