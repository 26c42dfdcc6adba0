"""Signatures for simulations: unforgeable by construction, and quick. A scenario may use real ones
instead."""

import hashlib
from functools import lru_cache

from committee.errors import ValueUnusable
from committee.state import Crypto
from protocol.ids import Address
from protocol.members import Members
from protocol.pbft_messages import Instance, Verifier
from protocol.signing import KeySigner, Signer, is_signed_by

DOMAIN = hashlib.sha256(b"a simulated deployment").digest()
TASK = 1


class FakeSigner:
    """Signs by writing digest and address side by side. Only the holder of this object may call ``sign``."""

    def __init__(self, address: Address) -> None:
        self.address = address
        self._suffix = bytes.fromhex(address[2:]) + bytes(13)

    def sign(self, digest: bytes) -> bytes:
        return digest + self._suffix


def fake_verifier(digest: bytes, signature: bytes, address: Address) -> bool:
    return signature == digest + _raw(address) + bytes(13)


@lru_cache(maxsize=256)
def _raw(address: Address) -> bytes:
    return bytes.fromhex(address[2:])


def endorsement_digest(seq: int, value: bytes) -> bytes:
    """The simulated application's digest; values start with a letter, anything else is none. It does not name
    the sequence number: nothing in the agreement may rest on the application's digest doing so."""
    if not value[:1].isalpha():
        raise ValueUnusable(f"{value[:8]!r} is no value")
    return hashlib.sha256(b"endorse" + value).digest()


@lru_cache(maxsize=32)
def committee(n: int, *, real: bool = False) -> tuple[Instance, tuple[Crypto, ...]]:
    """An instance of ``n`` members and what each of them computes with."""
    signers: list[Signer]
    if real:
        signers = [KeySigner(hashlib.sha256(b"simulated %d" % i).digest()) for i in range(n)]
    else:
        signers = [FakeSigner(a) for a in Members.of(f"0x{i + 1:040x}" for i in range(n)).addresses]
    signers.sort(key=lambda signer: int(signer.address, 16))
    members = Members.of(signer.address for signer in signers)
    verifier: Verifier = is_signed_by if real else fake_verifier
    cryptos = tuple(
        Crypto(signer=signer, verifier=verifier, endorsement_digest=endorsement_digest) for signer in signers
    )
    return Instance(domain=DOMAIN, task=TASK, members=members), cryptos
