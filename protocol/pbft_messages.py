"""What the replicas of a committee say to each other, byte for byte.

Every message is a frozen msgspec struct with one canonical MessagePack encoding (an array that starts with
the type's number). ``decode`` enforces every size; a message that decodes is well formed, not yet true.

A signature covers: a constant, the domain (chain and market), the instance (task), the phase, view, sequence
number, a digest, and the sender's address; so no signature means anything in another place than its own.
"""

import hashlib
import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Annotated, ClassVar, Self

import msgspec
from msgspec import Meta, Struct

from protocol.errors import PeerMisbehaved
from protocol.ids import ZERO32, Address
from protocol.members import MAX_MEMBERS, Members
from protocol.signing import Signer

MAX_VALUE_BYTES = 16 * 1024
MAX_MESSAGE_BYTES = 8 * 1024 * 1024
MAX_SLOTS = 64  # open sequence numbers that one message may speak about
MAX_CERTIFICATES = MAX_MEMBERS * MAX_SLOTS
MAX_VIEW = 1 << 40
MAX_SEQ = 1 << 40

Digest32 = Annotated[bytes, Meta(min_length=32, max_length=32)]
Signature65 = Annotated[bytes, Meta(min_length=65, max_length=65)]
Endorsement = Annotated[bytes, Meta(min_length=65, max_length=161)]
"""What leaves the committee: 65 bytes of ECDSA, or these and 96 of BLS (``protocol.endorsement``)."""
Value = Annotated[bytes, Meta(min_length=1, max_length=MAX_VALUE_BYTES)]
View = Annotated[int, Meta(ge=0, le=MAX_VIEW)]
Seq = Annotated[int, Meta(ge=1, le=MAX_SEQ)]
Height = Annotated[int, Meta(ge=0, le=MAX_SEQ)]
Task = Annotated[int, Meta(ge=0)]
Member = Annotated[int, Meta(ge=0, lt=MAX_MEMBERS)]
Signatures = Annotated[tuple[Signature65, ...], Meta(min_length=1, max_length=MAX_MEMBERS)]
Endorsements = Annotated[tuple[Endorsement, ...], Meta(min_length=1, max_length=MAX_MEMBERS)]
SignerSet = Annotated[tuple[Member, ...], Meta(min_length=1, max_length=MAX_MEMBERS)]

Verifier = Callable[[bytes, bytes, Address], bool]
"""(digest, 65-byte signature, address) -> was it made by that address? Never raises."""

_CONSTANT = b"ProofOfTraining/PBFT/1"
_FIELDS = struct.Struct(">BQQ")
_CLAIM = struct.Struct(">QQ32s")


class MessageMalformed(PeerMisbehaved):
    """The bytes are no message of this protocol."""

    def __init__(self, detail: str) -> None:
        super().__init__("message", detail)


class Phase(IntEnum):
    """What a signature is for."""

    PRE_PREPARE = 1
    PREPARE = 2
    COMMIT = 3
    REPLY = 4
    VIEW_CHANGE = 5
    NEW_VIEW = 6
    REJECT = 7
    CHECKING = 8
    FETCH = 9


@dataclass(frozen=True, slots=True, kw_only=True)
class Instance:
    """One agreement: the sequence of values of one task, among the members of one epoch.

    ``domain`` is 32 bytes that name the deployment (the EIP-712 domain separator of the market).
    """

    domain: bytes
    task: int
    members: Members
    _prefix: bytes = field(init=False, repr=False)

    def __post_init__(self) -> None:
        if len(self.domain) != 32:
            raise ValueError(f"a domain has 32 bytes, not {len(self.domain)}")
        object.__setattr__(self, "_prefix", _CONSTANT + self.domain + self.task.to_bytes(32, "big"))

    def signing_digest(self, phase: Phase, view: int, seq: int, digest: bytes, sender: int) -> bytes:
        """The 32 bytes that ``sender`` signs."""
        body = self._prefix + _FIELDS.pack(phase, view, seq) + digest + self.members.raw[sender]
        return hashlib.sha256(body).digest()


def value_digest(value: bytes) -> bytes:
    """The name of a value inside the agreement: its sha256."""
    return hashlib.sha256(value).digest()


class _Message(Struct, frozen=True, gc=False, array_like=True, kw_only=True, forbid_unknown_fields=True):
    task: Task


class _Vote(_Message, frozen=True, kw_only=True):
    """A signed statement of one member about one value at one (view, sequence number)."""

    phase: ClassVar[Phase]
    view: View
    seq: Seq
    digest: Digest32
    sender: Member
    signature: Signature65

    def signing_digest(self, instance: Instance) -> bytes:
        return instance.signing_digest(self.phase, self.view, self.seq, self.digest, self.sender)

    def verify(self, instance: Instance, verifier: Verifier) -> bool:
        """True when the named sender is a member and signed exactly this."""
        return verify_signature(instance, verifier, self)

    @classmethod
    def signed(
        cls, instance: Instance, signer: Signer, *, sender: int, view: int, seq: int, digest: bytes
    ) -> Self:
        signature = signer.sign(instance.signing_digest(cls.phase, view, seq, digest, sender))
        return cls(task=instance.task, view=view, seq=seq, digest=digest, sender=sender, signature=signature)


class Prepare(_Vote, frozen=True, tag=2, kw_only=True):
    """The sender has found the proposal true and accepts it in this view."""

    phase: ClassVar[Phase] = Phase.PREPARE


class Commit(_Vote, frozen=True, tag=3, kw_only=True):
    """The sender holds a quorum of Prepares for it and will say so in every later view."""

    phase: ClassVar[Phase] = Phase.COMMIT


class Reject(_Vote, frozen=True, tag=4, kw_only=True):
    """The sender has found the proposal false."""

    phase: ClassVar[Phase] = Phase.REJECT


class Checking(_Vote, frozen=True, tag=5, kw_only=True):
    """The sender is still checking the value: slow, not dead."""

    phase: ClassVar[Phase] = Phase.CHECKING


class Fetch(_Vote, frozen=True, tag=6, kw_only=True):
    """The sender is in ``view`` and lacks what was decided at ``seq``. ``digest`` is zero."""

    phase: ClassVar[Phase] = Phase.FETCH


class PrePrepare(_Message, frozen=True, tag=1, kw_only=True):
    """The primary of ``view`` proposes ``value`` for ``seq``. Not a vote: the primary prepares as well."""

    view: View
    seq: Seq
    digest: Digest32
    sender: Member
    signature: Signature65
    value: Value

    phase: ClassVar[Phase] = Phase.PRE_PREPARE

    def signing_digest(self, instance: Instance) -> bytes:
        return instance.signing_digest(Phase.PRE_PREPARE, self.view, self.seq, self.digest, self.sender)

    def verify(self, instance: Instance, verifier: Verifier) -> bool:
        """True when the value has the stated digest and the named sender signed it."""
        return self.digest == value_digest(self.value) and verify_signature(instance, verifier, self)


class Request(_Message, frozen=True, tag=7, kw_only=True):
    """Anybody asks for ``value`` at ``seq``. Unsigned: the value itself must convince the application."""

    seq: Seq
    value: Value


class Reply(_Message, frozen=True, tag=8, kw_only=True):
    """The sender knows ``digest`` to be agreed on, and gives the application's signature over the value.

    ``signature`` binds value, sequence number and sender (no view: a replica replies once per ``seq``, ever);
    ``endorsement`` is made over the application's own digest and is what leaves the committee.
    """

    seq: Seq
    digest: Digest32
    sender: Member
    signature: Signature65
    endorsement: Endorsement

    phase: ClassVar[Phase] = Phase.REPLY

    def signing_digest(self, instance: Instance) -> bytes:
        return instance.signing_digest(Phase.REPLY, 0, self.seq, self.digest, self.sender)

    def verify(self, instance: Instance, verifier: Verifier) -> bool:
        """True when the sender signed the statement; the endorsement is the application's to check."""
        return verify_signature(instance, verifier, self)


class Decision(_Message, frozen=True, tag=9, kw_only=True):
    """A quorum's replies: by itself it proves, to whoever knows the members, that ``seq`` holds ``value``."""

    seq: Seq
    value: Value
    signers: SignerSet
    signatures: Signatures
    endorsements: Endorsements


class Committed(_Message, frozen=True, tag=10, kw_only=True):
    """A quorum's Commits of one view: proves that no other value can ever be decided at ``seq``."""

    view: View
    seq: Seq
    value: Value
    signers: SignerSet
    signatures: Signatures


class Claim(Struct, frozen=True, gc=False, array_like=True, kw_only=True, forbid_unknown_fields=True):
    """ "My last Commit at ``seq`` was for ``digest``, in ``view``.\""""

    seq: Seq
    view: View
    digest: Digest32


class PreparedCertificate(
    Struct, frozen=True, gc=False, array_like=True, kw_only=True, forbid_unknown_fields=True
):
    """The proposal's signature and a quorum of Prepares: ``digest`` was prepared at (view, seq)."""

    seq: Seq
    view: View
    digest: Digest32
    proposal: Signature65
    signers: SignerSet
    signatures: Signatures

    @property
    def claim(self) -> Claim:
        return Claim(seq=self.seq, view=self.view, digest=self.digest)


Claims = Annotated[tuple[Claim, ...], Meta(max_length=MAX_SLOTS)]
Certificates = Annotated[tuple[PreparedCertificate, ...], Meta(max_length=MAX_CERTIFICATES)]
Values = Annotated[tuple[Value, ...], Meta(max_length=MAX_CERTIFICATES)]


class ViewVote(Struct, frozen=True, gc=False, array_like=True, kw_only=True, forbid_unknown_fields=True):
    """The signed part of a view change: "I have left every view below ``view``; a decision exists at
    ``decided`` (0: none); above it these are all the values that I have sent a Commit for". Certificates
    travel beside it: they prove themselves, whoever carries them."""

    view: Annotated[int, Meta(ge=1, le=MAX_VIEW)]
    decided: Height
    claims: Claims
    sender: Member
    signature: Signature65

    phase: ClassVar[Phase] = Phase.VIEW_CHANGE

    @staticmethod
    def body(claims: tuple[Claim, ...]) -> bytes:
        return hashlib.sha256(b"".join(_CLAIM.pack(c.seq, c.view, c.digest) for c in claims)).digest()

    def signing_digest(self, instance: Instance) -> bytes:
        body = self.body(self.claims)
        return instance.signing_digest(Phase.VIEW_CHANGE, self.view, self.decided, body, self.sender)


class ViewChange(_Message, frozen=True, tag=11, kw_only=True):
    """A view vote with what proves it: the decision it names, and certificate and value of each claim."""

    vote: ViewVote
    decision: Decision | None
    certificates: Certificates
    values: Values


class Proposal(Struct, frozen=True, gc=False, array_like=True, kw_only=True, forbid_unknown_fields=True):
    """A proposal that a new view inherits; ``signature`` is that of a PrePrepare in the new view."""

    seq: Seq
    digest: Digest32
    signature: Signature65


class NewView(_Message, frozen=True, tag=12, kw_only=True):
    """The new primary shows a quorum of view votes and what follows from them; receivers compute it again."""

    view: Annotated[int, Meta(ge=1, le=MAX_VIEW)]
    votes: Annotated[tuple[ViewVote, ...], Meta(min_length=1, max_length=MAX_MEMBERS)]
    decision: Decision | None
    certificates: Certificates
    values: Values
    proposals: Annotated[tuple[Proposal, ...], Meta(max_length=MAX_SLOTS)]
    sender: Member
    signature: Signature65

    phase: ClassVar[Phase] = Phase.NEW_VIEW

    @staticmethod
    def body(instance: Instance, votes: tuple[ViewVote, ...]) -> bytes:
        """The votes determine the proposals, so it is they that are signed."""
        return hashlib.sha256(b"".join(vote.signing_digest(instance) for vote in votes)).digest()

    def signing_digest(self, instance: Instance) -> bytes:
        body = self.body(instance, self.votes)
        return instance.signing_digest(Phase.NEW_VIEW, self.view, 0, body, self.sender)


SignedMessage = PrePrepare | Prepare | Commit | Reject | Checking | Fetch | Reply | ViewVote | NewView
Vote = Prepare | Commit
Message = (
    PrePrepare
    | Prepare
    | Commit
    | Reject
    | Checking
    | Fetch
    | Request
    | Reply
    | Decision
    | Committed
    | ViewChange
    | NewView
)


def verify_signature(
    instance: Instance, verifier: Verifier, message: "_Vote | PrePrepare | Reply | ViewVote | NewView"
) -> bool:
    """True when the named sender is a member of ``instance`` and signed ``message``."""
    members, sender = instance.members, message.sender
    return sender < members.n and verifier(
        message.signing_digest(instance), message.signature, members.addresses[sender]
    )


class Evidence(Struct, frozen=True, gc=False, array_like=True, kw_only=True, forbid_unknown_fields=True):
    """Two signed statements of one member that no honest member makes together."""

    first: PrePrepare | Prepare | Commit | Reply
    second: PrePrepare | Prepare | Commit | Reply

    def verify(self, instance: Instance, verifier: Verifier) -> bool:
        """True when both are signed by the same member, for one phase, view and seq, over two values."""
        a, b = self.first, self.second
        same_place = a.phase is b.phase and a.seq == b.seq and a.sender == b.sender
        same_view = getattr(a, "view", 0) == getattr(b, "view", 0)
        if not (same_place and same_view and a.digest != b.digest):
            return False
        return a.verify(instance, verifier) and b.verify(instance, verifier)


_encoder = msgspec.msgpack.Encoder()
_decoder: msgspec.msgpack.Decoder[Message] = msgspec.msgpack.Decoder(Message)


def encode(message: Message) -> bytes:
    """The canonical bytes of a message."""
    return _encoder.encode(message)


def decode(data: bytes) -> Message:
    """A well-formed message. Raises MessageMalformed for all else, also for a second encoding of one."""
    if len(data) > MAX_MESSAGE_BYTES:
        raise MessageMalformed(f"{len(data)} bytes, at most {MAX_MESSAGE_BYTES} are read")
    try:
        message = _decoder.decode(data)
    except (msgspec.DecodeError, RecursionError) as error:
        raise MessageMalformed(str(error)) from error
    if _encoder.encode(message) != data:
        raise MessageMalformed("not the canonical encoding")
    return message


ZERO_DIGEST = ZERO32
