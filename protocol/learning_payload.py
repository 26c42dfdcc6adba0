"""What users put on the learning chain: signed payloads in an order, found in a blob store under their root.

The root is the sha256 of the list's canonical JSON, so whoever holds a block finds its list without being
told where, and whoever shows the list has shown that each payload is in it. Each author numbers its payloads
0, 1, 2, ...: none is ever taken twice, or out of order; what a list holds besides is void.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
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
    """The blob of an ordered list; no bytes at all for no payloads."""
    return canonical_json([payload.to_json() for payload in payloads]) if payloads else b""


def list_root(listed: bytes) -> bytes:
    """What a block carries: the sha256 of its list's blob, or zero where there is none."""
    return sha256(listed) if listed else ZERO32


def payloads_root(payloads: Sequence[SignedPayload]) -> bytes:
    """The root of an ordered list."""
    return list_root(payload_list(payloads))


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Ordered:
    """What a block's list comes to: the payloads that count, why each other one is void, and each author's
    next number afterwards."""

    taken: tuple[SignedPayload, ...] = ()
    void: tuple[str, ...] = ()
    sequences: Mapping[Address, int] = field(default_factory=lambda: MappingProxyType({}))


def check_next(sequences: Mapping[Address, int], payload: SignedPayload, domain: Domain) -> None:
    """Raises PeerMisbehaved unless its author signed it, as the next one of its payloads."""
    expected = sequences.get(payload.author, 0)
    if payload.sequence != expected:
        raise PeerMisbehaved(
            "payload", f"{payload.author} is at number {expected}, this one is {payload.sequence}"
        )
    payload.verify(domain)


def follow(sequences: Mapping[Address, int], payloads: Sequence[SignedPayload], domain: Domain) -> Ordered:
    """Take ``payloads`` one after another. One that is not signed, or not its author's next at that place, is
    void, as a transaction with a used nonce is: a list is fixed before the block that it ends up in."""
    after = dict(sequences)
    taken: list[SignedPayload] = []
    void: list[str] = []
    for place, payload in enumerate(payloads):
        try:
            check_next(after, payload, domain)
        except PeerMisbehaved as error:
            void.append(f"payload {place}: {error}")
            continue
        after[payload.author] = payload.sequence + 1
        taken.append(payload)
    return Ordered(taken=tuple(taken), void=tuple(void), sequences=MappingProxyType(after))


def order_list(sequences: Mapping[Address, int], listed: bytes, domain: Domain) -> Ordered:
    """The same for the bytes that a block's root names; bytes that are no list are void as a whole."""
    if not listed:
        return Ordered(sequences=sequences)
    try:
        payloads = parse_payloads(listed)
    except PeerMisbehaved as error:
        return Ordered(void=(str(error),), sequences=sequences)
    return follow(sequences, payloads, domain)


def may_carry(sequences: Mapping[Address, int], listed: bytes, domain: Domain) -> bool | None:
    """Whether a member of a committee accepts another's list, given each author's next number at the head it
    knows. True once is true for ever: numbers only rise, and what was used meanwhile is void in the block.
    None: it begins beyond that head, which may be an old one."""
    try:
        payloads = parse_payloads(listed)
    except PeerMisbehaved:
        return False
    first: dict[Address, int] = {}
    for payload in payloads:
        first.setdefault(payload.author, payload.sequence)
    if follow(first, payloads, domain).void:
        return False
    ahead = any(number > sequences.get(author, 0) for author, number in first.items())
    return None if ahead else True


def blob_name(root: bytes) -> Sha256 | None:
    """Where the list of a block is; None for an empty one."""
    return None if root == ZERO32 else Sha256(root)
