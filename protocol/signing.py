"""secp256k1 signatures in the two forms that the contracts accept, and in no other.

65 bytes ``r || s || v`` with v in {27, 28} (0 and 1 are understood as well), and the 64-byte form of
EIP-2098 ``r || yParity << 255 | s``. Only low s (EIP-2): every signature has a high-s twin that common
libraries accept, and a certificate must not have two encodings. Digests are 32 bytes and are signed as they
are.
"""

from functools import lru_cache
from typing import TYPE_CHECKING, Protocol

from coincurve import PrivateKey, PublicKey
from eth_hash.auto import keccak

from protocol.errors import PeerMisbehaved
from protocol.ids import Address, parse_address

if TYPE_CHECKING:
    from eth_account.signers.local import LocalAccount

SIGNATURE_BYTES = 65
COMPACT_BYTES = 64
CURVE_ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
HALF_ORDER = CURVE_ORDER // 2
_RECOVERY_CACHE = 8192
_KEY_CACHE = 4096
_PARITY = {0: 0, 1: 1, 27: 0, 28: 1}


class SignatureMalformed(PeerMisbehaved):
    """The bytes are no signature: ``detail`` says which rule (length, v, range, low s, recovery) broke."""

    def __init__(self, detail: str) -> None:
        super().__init__("signature", detail)


class Signer(Protocol):
    """Whatever can sign for one account."""

    @property
    def address(self) -> Address: ...

    def sign(self, digest: bytes) -> bytes:
        """65 bytes over a 32-byte digest."""


class KeySigner:
    """Signs with a private key held in memory. The key never shows in a representation."""

    __slots__ = ("_address", "_key")

    def __init__(self, private_key: bytes) -> None:
        """``private_key`` is 32 bytes. Raises ValueError when it is not a key of the curve."""
        self._key = PrivateKey(private_key)
        self._address = _address_of(self._key.public_key.format(compressed=False))

    @property
    def address(self) -> Address:
        return self._address

    def sign(self, digest: bytes) -> bytes:
        """65 bytes, low s, deterministic (RFC 6979). Raises ValueError unless ``digest`` has 32 bytes."""
        if len(digest) != 32:
            raise ValueError(f"a digest has 32 bytes, not {len(digest)}")
        signature = self._key.sign_recoverable(digest, hasher=None)
        return signature[:64] + bytes((signature[64] + 27,))

    def __repr__(self) -> str:
        return f"KeySigner({self._address})"


def sign(digest: bytes, account: "LocalAccount") -> bytes:
    """65 bytes by an eth-account account over a 32-byte digest."""
    return KeySigner(bytes(account.key)).sign(digest)


def _address_of(public_key: bytes) -> Address:
    return parse_address("0x" + keccak(public_key[1:])[-20:].hex())


@lru_cache(maxsize=4096)
def _cached_address_of(public_key: bytes) -> Address:
    return _address_of(public_key)


def _checked(signature: bytes) -> bytes:
    """``r || s || parity``. Raises SignatureMalformed in the order length, v, r and s in range, low s."""
    if len(signature) != SIGNATURE_BYTES:
        raise SignatureMalformed(f"{len(signature)} bytes, 65 are needed")
    parity = _PARITY.get(signature[64])
    if parity is None:
        raise SignatureMalformed(f"v is {signature[64]}, 27 or 28 is needed")
    r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:64], "big")
    if not 0 < r < CURVE_ORDER or s == 0:
        raise SignatureMalformed("r or s is out of range")
    if s > HALF_ORDER:
        raise SignatureMalformed("s is in the upper half of the order")
    return signature[:64] + bytes((parity,))


@lru_cache(maxsize=_RECOVERY_CACHE)
def recover(digest: bytes, signature: bytes) -> Address:
    """Who signed ``digest`` (32 bytes) with the 65-byte ``signature``. Raises SignatureMalformed."""
    checked = _checked(signature)
    try:
        key = PublicKey.from_signature_and_message(checked, digest, hasher=None)
    except ValueError as error:
        raise SignatureMalformed("no public key fits it") from error
    return _cached_address_of(key.format(compressed=False))


def recover_compact(digest: bytes, signature: bytes) -> Address:
    """Who signed ``digest`` with the 64-byte EIP-2098 ``signature``. Raises SignatureMalformed."""
    return recover(digest, from_compact(signature))


def is_signed_by(digest: bytes, signature: bytes, address: Address) -> bool:
    """True when ``signature`` (65 bytes) over ``digest`` is well formed and made by ``address``."""
    try:
        return recover(digest, signature) == address
    except SignatureMalformed:
        return False


def is_statement_of(digest: bytes, signature: bytes, address: Address) -> bool:
    """True when the account ``address`` signed ``digest``: any valid low-s signature, whatever its v.

    For statements that no contract sees. A contract recovers the signer, so what is sent there needs the
    right v (``is_signed_by``); only recovery shows it, and plain verification with the known key is a quarter
    cheaper. The answer does not depend on what was asked before.
    """
    if len(signature) != SIGNATURE_BYTES or signature[64] not in _PARITY:
        return False
    key = _keys.get(address) or _find_key(digest, signature, address)
    if key is None:
        return False
    try:
        return key.verify(_to_der(signature), digest, hasher=None)
    except ValueError:
        return False


_keys: dict[Address, PublicKey] = {}


def _find_key(digest: bytes, signature: bytes, address: Address) -> PublicKey | None:
    """The public key behind ``address``, from a signature of it; remembered."""
    for recovery in range(4):
        try:
            key = PublicKey.from_signature_and_message(
                signature[:64] + bytes((recovery,)), digest, hasher=None
            )
        except ValueError:
            continue
        if _cached_address_of(key.format(compressed=False)) == address:
            if len(_keys) >= _KEY_CACHE:
                _keys.clear()
            _keys[address] = key
            return key
    return None


def _to_der(signature: bytes) -> bytes:
    r, s = signature[:32].lstrip(b"\0"), signature[32:64].lstrip(b"\0")
    if r[:1] >= b"\x80":
        r = b"\0" + r
    if s[:1] >= b"\x80":
        s = b"\0" + s
    return b"0%c\x02%c%b\x02%c%b" % (len(r) + len(s) + 4, len(r), r, len(s), s)


def to_compact(signature: bytes) -> bytes:
    """The 64-byte EIP-2098 form of a 65-byte signature. Raises SignatureMalformed."""
    checked = _checked(signature)
    return checked[:32] + bytes((checked[32] | checked[64] << 7,)) + checked[33:64]


def from_compact(signature: bytes) -> bytes:
    """The 65-byte form of a 64-byte EIP-2098 signature. Raises SignatureMalformed when it is not 64 bytes."""
    if len(signature) != COMPACT_BYTES:
        raise SignatureMalformed(f"{len(signature)} bytes, 64 are needed")
    return (
        signature[:32] + bytes((signature[32] & 0x7F,)) + signature[33:] + bytes((27 + (signature[32] >> 7),))
    )
