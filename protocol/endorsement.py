"""What a committee member gives for the contract, beside what it says to the others (docs/adr/0007, 0014).

65 bytes of ECDSA, which any certificate can be made of; behind them, in committees large enough for it to
pay, 96 bytes of BLS over the same digest, which add up. Only the first part is ever relied on to reach a
decision: the second one is checked where the sum is used, and a false one makes nobody stop.
"""

from collections.abc import Sequence
from typing import Final

from protocol import bls
from protocol.bls import BlsSecret
from protocol.ids import Address
from protocol.signing import SIGNATURE_BYTES, Signer, is_signed_by

JOINT_BYTES: Final = SIGNATURE_BYTES + bls.SIGNATURE_BYTES


def endorse(digest: bytes, signer: Signer, secret: BlsSecret | None) -> bytes:
    """65 bytes, or 161 with a BLS secret, over a 32-byte digest."""
    own = signer.sign(digest)
    return own if secret is None else own + secret.sign(digest)


def is_endorsed_by(digest: bytes, endorsement: bytes, address: Address) -> bool:
    """True when the ECDSA part is made by ``address``; a BLS part may follow and is not looked at."""
    if len(endorsement) not in (SIGNATURE_BYTES, JOINT_BYTES):
        return False
    return is_signed_by(digest, own_part(endorsement), address)


def own_part(endorsement: bytes) -> bytes:
    """The 65 bytes of ECDSA."""
    return endorsement[:SIGNATURE_BYTES]


def joint_part(endorsements: Sequence[bytes]) -> bytes | None:
    """The sum of the BLS parts, unchecked; None when one of them is missing or no point of the group."""
    parts = [endorsement[SIGNATURE_BYTES:] for endorsement in endorsements]
    try:
        return bls.aggregate(parts) if parts and all(parts) else None
    except bls.PointMalformed:
        return None
