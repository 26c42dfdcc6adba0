"""A quorum of a fixed list of members over one digest, in the forms that the contracts take."""

from collections.abc import Callable, Sequence

from protocol import bls
from protocol.errors import PeerMisbehaved
from protocol.ids import Address
from protocol.members import quorum
from protocol.signing import recover_compact

KeyOf = Callable[[Address], bytes]
"""A member's registered BLS key; empty when it has none."""


def check_quorum(
    subject: str,
    digest: bytes,
    members: Sequence[Address],
    signers: int,
    signatures: bytes,
    key_of: KeyOf | None = None,
) -> list[Address]:
    """Who signed ``digest``.

    Bit i of ``signers`` is member i of the ascending ``members``; ``signatures`` are the 64-byte EIP-2098
    signatures in that order, joined, or the 96-byte BLS sum of theirs, which takes ``key_of``. Raises
    PeerMisbehaved, naming ``subject``, unless a quorum of distinct members signed.
    """
    if signers >> len(members):
        raise PeerMisbehaved(subject, f"its bitmap names members beyond the {len(members)} there are")
    names = [member for index, member in enumerate(members) if signers >> index & 1]
    if len(names) < quorum(len(members)):
        raise PeerMisbehaved(subject, f"{len(names)} signatures, {quorum(len(members))} are needed")
    if len(signatures) == bls.SIGNATURE_BYTES and key_of is not None:
        if not bls.is_signed_by(digest, signatures, [key_of(name) for name in names]):
            raise PeerMisbehaved(subject, f"its aggregate is not the sum of {len(names)} members' signatures")
        return names
    if len(signatures) != 64 * len(names):
        raise PeerMisbehaved(subject, f"{len(signatures)} bytes of signatures for {len(names)} signers")
    for index, name in enumerate(names):
        signer = recover_compact(digest, signatures[64 * index : 64 * index + 64])
        if signer != name:
            raise PeerMisbehaved(subject, f"signature {index} is by {signer}, not by the member {name}")
    return names
