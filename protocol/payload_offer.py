"""What users and validators say to each other about payloads, as application messages of a client's link.

A user offers a payload and is told whether the validator keeps it; or asks which payloads wait. Nothing of an
answer is believed: payloads carry their authors' signatures, and what counts is the chain.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Self

from protocol.canonical import canonical_json
from protocol.frames import MAX_APP_BYTES
from protocol.ids import Address, parse_address
from protocol.learning_payload import SignedPayload
from protocol.parsing import peer_value

OFFER_KIND: Final = "payload-offer"
WAITING_KIND: Final = "payloads-waiting"
MAX_WHY: Final = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class OfferAnswer:
    """``kept`` by the validator for a block, or ``why`` not."""

    digest: bytes
    kept: bool
    why: str = ""

    def encode(self) -> bytes:
        return canonical_json({"digest": self.digest.hex(), "kept": self.kept, "why": self.why[:MAX_WHY]})

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Raises PeerMisbehaved."""
        with peer_value("answer to a payload"):
            value = json.loads(data)
            if not isinstance(value["kept"], bool):
                raise ValueError("kept is no truth value")
            return cls(
                digest=bytes.fromhex(value["digest"]),
                kept=value["kept"],
                why=str(value["why"])[:MAX_WHY],
            )


def encode_offer(payload: SignedPayload) -> bytes:
    return canonical_json(payload.to_json())


def decode_offer(data: bytes) -> SignedPayload:
    """Raises PeerMisbehaved."""
    with peer_value("payload"):
        return SignedPayload.from_json(json.loads(data))


def encode_wanted(author: Address | None) -> bytes:
    """Ask what waits: of one author, or in all."""
    return (author or "").encode()


def decode_wanted(data: bytes) -> Address | None:
    """Raises PeerMisbehaved."""
    with peer_value("author"):
        return parse_address(data.decode()) if data else None


def encode_waiting(payloads: Sequence[SignedPayload]) -> bytes:
    """As many of the first ones as fit into a message."""
    parts, size = [], 2
    for payload in payloads:
        part = encode_offer(payload)
        size += len(part) + 1
        if size > MAX_APP_BYTES:
            break
        parts.append(part)
    return b"[" + b",".join(parts) + b"]"


def decode_waiting(data: bytes) -> list[SignedPayload]:
    """Raises PeerMisbehaved."""
    with peer_value("waiting payloads"):
        value = json.loads(data)
        if not isinstance(value, list):
            raise ValueError("it is no list")
        return [SignedPayload.from_json(item) for item in value]
