"""A quorum of a fixed list of members over one digest, in the form that the contracts take."""

from collections.abc import Sequence

from protocol.errors import PeerMisbehaved
from protocol.ids import Address
from protocol.members import quorum
from protocol.signing import recover_compact


def check_quorum(
    subject: str, digest: bytes, members: Sequence[Address], signers: int, signatures: bytes
) -> list[Address]:
    """Who signed ``digest``.

    Bit i of ``signers`` is member i of the ascending ``members``; ``signatures`` are the 64-byte EIP-2098
    signatures in that order, joined. Raises PeerMisbehaved, naming ``subject``, unless a quorum of distinct
    members signed.
    """
    if signers >> len(members):
        raise PeerMisbehaved(subject, f"its bitmap names members beyond the {len(members)} there are")
    names = [member for index, member in enumerate(members) if signers >> index & 1]
    if len(names) < quorum(len(members)):
        raise PeerMisbehaved(subject, f"{len(names)} signatures, {quorum(len(members))} are needed")
    if len(signatures) != 64 * len(names):
        raise PeerMisbehaved(subject, f"{len(signatures)} bytes of signatures for {len(names)} signers")
    for index, name in enumerate(names):
        signer = recover_compact(digest, signatures[64 * index : 64 * index + 64])
        if signer != name:
            raise PeerMisbehaved(subject, f"signature {index} is by {signer}, not by the member {name}")
    return names
