"""Signatures for simulations: unforgeable by construction, and quick. A scenario may use real ones
instead."""

import hashlib
from functools import lru_cache

from committee.errors import ValueUnusable
from committee.state import Crypto
from protocol.ids import Address
from protocol.members import Members
from protocol.pbft_messages import Instance, Phase, Verifier
from protocol.signing import KeySigner, Signer, is_signed_by

DOMAIN = hashlib.sha256(b"a simulated deployment").digest()
TASK = 1
REMEMBERED = 50_000


class FakeSigner:
    """Signs by writing digest and address side by side. Only the holder of this object may call ``sign``."""

    def __init__(self, address: Address) -> None:
        self.address = address
        self._suffix = _suffix(address)

    def sign(self, digest: bytes) -> bytes:
        return digest + self._suffix


def fake_verifier(digest: bytes, signature: bytes, address: Address) -> bool:
    return signature == digest + _suffix(address)


@lru_cache(maxsize=256)
def _suffix(address: Address) -> bytes:
    return bytes.fromhex(address[2:]) + bytes(13)


class RememberingInstance(Instance):
    """Computes what is to be signed once: all receivers of a message ask for the same digest."""

    def __init__(self, *, domain: bytes, task: int, members: Members) -> None:
        super().__init__(domain=domain, task=task, members=members)
        object.__setattr__(self, "_known", tuple({} for _ in range(len(Phase) + 1)))

    def signing_digest(self, phase: Phase, view: int, seq: int, digest: bytes, sender: int) -> bytes:
        known: dict[tuple[int, int, bytes, int], bytes] = self._known[phase]  # type: ignore[attr-defined]
        key = (view, seq, digest, sender)
        signed = known.get(key)
        if signed is None:
            if len(known) >= REMEMBERED:
                known.clear()
            signed = known[key] = super().signing_digest(phase, view, seq, digest, sender)
        return signed


def endorsement_digest(seq: int, value: bytes) -> bytes:
    """The simulated application's digest; values start with a letter, anything else is none. It does not name
    the sequence number: nothing in the agreement may rest on the application's digest doing so."""
    if not value[:1].isalpha():
        raise ValueUnusable(f"{value[:8]!r} is no value")
    return endorsed(value)


@lru_cache(maxsize=4096)
def endorsed(value: bytes) -> bytes:
    """The digest of an endorsement."""
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
    kind = Instance if real else RememberingInstance
    return kind(domain=DOMAIN, task=TASK, members=members), cryptos
