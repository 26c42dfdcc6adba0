"""What travels on a validator's websockets: the handshake, bundles of agreement messages, application
messages.

The handshake proves to both ends who the other is: each signs both nonces and the other's address. It
serves routing and fair use, not trust: every message of the agreement carries its own signature, and so
must whatever an application sends. Use ``wss`` endpoints where eavesdropping or cutting in matters.
"""

import hashlib
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from protocol.errors import PeerMisbehaved
from protocol.ids import Address
from protocol.pbft_messages import MAX_MESSAGE_BYTES, Digest32, Request, Signature65

MAX_FRAME_BYTES = MAX_MESSAGE_BYTES + 64 * 1024
MAX_BUNDLE = 256
MAX_APP_BYTES = 256 * 1024
FAULT_KIND = "fault"
ATTESTATION_KIND = "attestation"
"""The application messages that validators send to everybody."""
_HANDSHAKE = b"ProofOfTraining/transport/1"

Name = Annotated[str, Meta(max_length=64)]
Body = Annotated[bytes, Meta(min_length=1, max_length=MAX_MESSAGE_BYTES)]
Bodies = Annotated[tuple[Body, ...], Meta(min_length=1, max_length=MAX_BUNDLE)]


class FrameMalformed(PeerMisbehaved):
    """The bytes are no frame, or one that has no place here."""

    def __init__(self, detail: str) -> None:
        super().__init__("frame", detail)


class _Frame(Struct, frozen=True, gc=False, array_like=True, kw_only=True, forbid_unknown_fields=True):
    pass


class Hello(_Frame, frozen=True, tag=1, kw_only=True):
    """The dialler's first frame; an empty ``address`` makes it a client."""

    domain: Digest32
    address: Annotated[str, Meta(max_length=42)]
    nonce: Digest32


class Welcome(_Frame, frozen=True, tag=2, kw_only=True):
    """The answer: who listens here, and its proof."""

    address: Annotated[str, Meta(max_length=42)]
    nonce: Digest32
    signature: Signature65


class Proof(_Frame, frozen=True, tag=3, kw_only=True):
    """The dialler's proof; a client sends none."""

    signature: Signature65


class Bundle(_Frame, frozen=True, tag=4, kw_only=True):
    """Encoded agreement messages. ``relayed``: the sender passes them on for somebody else."""

    bodies: Bodies
    relayed: bool = False


class Forward(_Frame, frozen=True, tag=5, kw_only=True):
    """Please pass these messages on to ``to``, whom the sender cannot reach; one hop, no more."""

    to: Annotated[str, Meta(max_length=42)]
    bodies: Bodies


class App(_Frame, frozen=True, tag=6, kw_only=True):
    """An application's own message, opaque here."""

    kind: Name
    body: Annotated[bytes, Meta(max_length=MAX_APP_BYTES)]


class Ask(_Frame, frozen=True, tag=7, kw_only=True):
    """A client asks for a value."""

    request: Request


class Status(_Frame, frozen=True, tag=8, kw_only=True):
    """Told to clients: what became of a value. ``status`` is a RequestStatus, "rejected" or "decided"."""

    task: Annotated[int, Meta(ge=0)]
    seq: Annotated[int, Meta(ge=0)]
    digest: Digest32
    status: Name
    detail: Annotated[str, Meta(max_length=1024)] = ""


Frame = Hello | Welcome | Proof | Bundle | Forward | App | Ask | Status
_encoder = msgspec.msgpack.Encoder()
_decoder: msgspec.msgpack.Decoder[Frame] = msgspec.msgpack.Decoder(Frame)


def encode_frame(frame: Frame) -> bytes:
    return _encoder.encode(frame)


def decode_frame(data: bytes | str) -> Frame:
    """Raises FrameMalformed."""
    if isinstance(data, str):
        raise FrameMalformed("text, binary is needed")
    try:
        return _decoder.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise FrameMalformed(str(error)) from error


def handshake_digest(domain: bytes, signer: Address, other: str, own: bytes, theirs: bytes) -> bytes:
    """What ``signer`` signs for ``other`` (an address, or empty for a client): both nonces, its own first."""
    text = f"{signer}>{other or 'client'}".encode()
    return hashlib.sha256(_HANDSHAKE + domain + own + theirs + text).digest()


class Bucket:
    """A token bucket: ``rate`` units a second, ``burst`` at once. Time is an argument."""

    __slots__ = ("_at", "_burst", "_level", "_rate")

    def __init__(self, rate: float, burst: float, now: float) -> None:
        self._rate, self._burst, self._level, self._at = rate, burst, burst, now

    def take(self, amount: float, now: float) -> bool:
        """Whether ``amount`` may pass now."""
        self._level = min(self._burst, self._level + (now - self._at) * self._rate)
        self._at = now
        if amount > self._level:
            return False
        self._level -= amount
        return True
