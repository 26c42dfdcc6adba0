"""What users put on the learning chain: signed payloads in an order, found in a blob store under their root.

The root is the sha256 of the list's canonical JSON, so whoever holds a block finds its list without being
told where, and whoever shows the list has shown that each payload is in it. Each author numbers its payloads
0, 1, 2, ...: none is ever taken twice, or out of order.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Self

from protocol.canonical import canonical_json, is_canonical
from protocol.errors import PeerMisbehaved
from protocol.ids import ZERO32, Address, Digest, Sha256, parse_address, parse_hex_bytes, sha256
from protocol.parsing import peer_value, uint
from protocol.signing import SIGNATURE_BYTES, Signer, is_signed_by
from protocol.typed_data import Domain, StructType

PAYLOAD_TYPE: Final = StructType(
    name="Payload", fields=(("author", "address"), ("sequence", "uint64"), ("data", "bytes"))
)
MAX_DATA_BYTES: Final = 1_024
MAX_PAYLOADS: Final = 1_024
MAX_LIST_BYTES: Final = MAX_PAYLOADS * (2 * MAX_DATA_BYTES + 512) + 64


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedPayload:
    """``data``: up to MAX_DATA_BYTES bytes that mean what their users agreed on; ``signature``: 65 bytes."""

    author: Address
    sequence: int
    data: bytes
    signature: bytes

    def digest(self, domain: Domain) -> Digest:
        """What the author signs."""
        return domain.digest(
            PAYLOAD_TYPE, {"author": self.author, "sequence": self.sequence, "data": self.data}
        )

    def verify(self, domain: Domain) -> None:
        """Raises PeerMisbehaved unless the author signed it for this deployment."""
        if not is_signed_by(self.digest(domain), self.signature, self.author):
            raise PeerMisbehaved("payload", f"it is not signed by {self.author}")

    def to_json(self) -> dict[str, Any]:
        return {
            "author": self.author,
            "sequence": self.sequence,
            "data": "0x" + self.data.hex(),
            "signature": "0x" + self.signature.hex(),
        }

    @classmethod
    def from_json(cls, value: Any) -> Self:
        """Raises PeerMisbehaved when a field is missing, malformed or too long."""
        with peer_value("payload"):
            data = value["data"]
            if len(data) > 2 + 2 * MAX_DATA_BYTES or len(data) % 2:
                raise ValueError(f"data of {len(data)} digits")
            return cls(
                author=parse_address(value["author"]),
                sequence=uint(value["sequence"], 64),
                data=parse_hex_bytes(data, len(data) // 2 - 1),
                signature=parse_hex_bytes(value["signature"], SIGNATURE_BYTES),
            )


def sign_payload(signer: Signer, domain: Domain, sequence: int, data: bytes) -> SignedPayload:
    """A payload by the account of ``signer``. Raises ValueError for more than MAX_DATA_BYTES."""
    if len(data) > MAX_DATA_BYTES:
        raise ValueError(f"{len(data)} bytes, at most {MAX_DATA_BYTES} are allowed")
    bare = SignedPayload(author=signer.address, sequence=sequence, data=data, signature=b"")
    signature = signer.sign(bare.digest(domain))
    return SignedPayload(author=bare.author, sequence=sequence, data=data, signature=signature)


def payload_list(payloads: Sequence[SignedPayload]) -> bytes:
    """The blob of an ordered list."""
    return canonical_json([payload.to_json() for payload in payloads])


def payloads_root(payloads: Sequence[SignedPayload]) -> bytes:
    """What a block carries: the sha256 of the blob, or zero for no payloads at all."""
    return sha256(payload_list(payloads)) if payloads else ZERO32


def parse_payloads(data: bytes) -> list[SignedPayload]:
    """The list of a blob. Raises PeerMisbehaved for anything that is not the canonical form of 1 to
    MAX_PAYLOADS payloads."""
    with peer_value("payloads"):
        if len(data) > MAX_LIST_BYTES:
            raise ValueError(f"{len(data)} bytes")
        value = json.loads(data)
        if not isinstance(value, list) or not 0 < len(value) <= MAX_PAYLOADS:
            raise ValueError("it is not a list of so many")
        payloads = [SignedPayload.from_json(item) for item in value]
        if not is_canonical(data, [payload.to_json() for payload in payloads]):
            raise ValueError("it is not canonical")
    return payloads


def follow(
    sequences: Mapping[Address, int], payloads: Sequence[SignedPayload], domain: Domain
) -> dict[Address, int]:
    """The next number of each author after ``payloads``. Raises PeerMisbehaved when one is not signed or
    not its author's next."""
    after = dict(sequences)
    for payload in payloads:
        payload.verify(domain)
        expected = after.get(payload.author, 0)
        if payload.sequence != expected:
            raise PeerMisbehaved(
                "payload", f"{payload.author} is at number {expected}, this one is {payload.sequence}"
            )
        after[payload.author] = expected + 1
    return after


def admissible(
    sequences: Mapping[Address, int], payloads: Sequence[SignedPayload], domain: Domain
) -> list[SignedPayload]:
    """Those that a block may carry, in their order: as many as follow from one another."""
    chosen: list[SignedPayload] = []
    after = dict(sequences)
    for payload in payloads:
        try:
            after = follow(after, [payload], domain)
        except PeerMisbehaved:
            continue
        chosen.append(payload)
        if len(chosen) == MAX_PAYLOADS:
            break
    return chosen


def blob_name(root: bytes) -> Sha256 | None:
    """Where the list of a block is; None for an empty one."""
    return None if root == ZERO32 else Sha256(root)
