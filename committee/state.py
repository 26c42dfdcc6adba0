"""What goes into a replica besides messages, what comes out of it, and what it must find again after a
crash."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

from msgspec import Struct

from protocol.bls import BlsSecret
from protocol.endorsement import endorse
from protocol.members import Members
from protocol.pbft_messages import (
    MAX_SLOTS,
    Checking,
    Commit,
    Committed,
    Decision,
    Digest32,
    Evidence,
    Height,
    Instance,
    Message,
    NewView,
    Prepare,
    PreparedCertificate,
    PrePrepare,
    Reject,
    Reply,
    Value,
    Verifier,
    ViewChange,
)
from protocol.signing import Signer

WINDOW = MAX_SLOTS // 2
"""How many sequence numbers above the low watermark a primary proposes. Replicas accept twice as many: their
watermarks move at different moments, and a proposal just above one's own must not be lost."""
ARCHIVE = WINDOW
"""Decisions that are kept after they are final, for members that are a little behind."""
MAX_CANDIDATES = 8
"""Values that one sequence number may have waiting."""
MAX_BUFFERED = 32
"""Messages of later views that are kept per member."""
MAX_EVIDENCE = 32
"""Pieces of evidence about votes and proposals that are kept per instance; the first ones stay."""
MAX_REPLY_EVIDENCE = 8
"""Pieces of evidence about the replies of one member that are kept per instance; the first ones stay."""

InView = PrePrepare | Prepare | Commit | Reject | Checking
"""Messages that mean something in one view only."""

EndorsementDigest = Callable[[int, bytes], bytes]
"""(seq, value) -> the 32 bytes that a replica signs for the outside world. Pure.
Raises ValueUnusable when the bytes are no value."""


class Mode(Enum):
    """Taking part in a view, or waiting for the next one to be opened."""

    ACTIVE = "active"
    CHANGING = "changing"


class RequestStatus(Enum):
    """The answer to a request."""

    CHECKING = "checking"
    KNOWN = "known"
    REJECTED = "rejected"
    DECIDED = "decided"
    FULL = "full"
    OUTSIDE_WINDOW = "outside window"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplicaConfig:
    """One replica of one instance. Times are in ticks; ``max_check_ticks`` bounds how long a slow check of
    a value may keep a view alive, ``retransmit_ticks`` is the first interval between repetitions;
    ``window`` is how far proposals run ahead of finality, the same for all members."""

    instance: Instance
    me: int
    view_timeout_ticks: int = 20
    max_check_ticks: int = 600
    retransmit_ticks: int = 4
    window: int = WINDOW

    def __post_init__(self) -> None:
        if not 0 <= self.me < self.instance.members.n:
            raise ValueError(f"member {self.me} of {self.instance.members.n} does not exist")
        if not 0 < self.retransmit_ticks < self.view_timeout_ticks <= self.max_check_ticks:
            raise ValueError("0 < retransmit_ticks < view_timeout_ticks <= max_check_ticks must hold")
        if not 1 <= self.window <= WINDOW:
            raise ValueError(f"a window has 1 to {WINDOW} sequence numbers, not {self.window}")

    @property
    def members(self) -> Members:
        return self.instance.members


@dataclass(frozen=True, slots=True, kw_only=True)
class Crypto:
    """The signing key, the signature checks, and the application's digest: everything a core cannot
    compute.

    ``verifier`` checks endorsements, which contracts read; ``statement_verifier`` what members say to each
    other, which no contract sees (None: the same check). With a BLS ``secret``, endorsements are given in
    both ways."""

    signer: Signer
    verifier: Verifier
    endorsement_digest: EndorsementDigest
    statement_verifier: Verifier | None = None
    secret: BlsSecret | None = None

    def endorse(self, digest: bytes) -> bytes:
        """What goes into the certificate over ``digest``."""
        return endorse(digest, self.signer, self.secret)

    @property
    def statements(self) -> Verifier:
        """The check of everything but endorsements."""
        return self.statement_verifier or self.verifier


class Sent(Struct, frozen=True, gc=False, array_like=True, tag=1, kw_only=True):
    """A promise: this was signed by us and may have been seen by anybody."""

    message: PrePrepare | Prepare | Commit | Reply | ViewChange


class Locked(Struct, frozen=True, gc=False, array_like=True, tag=2, kw_only=True):
    """What a Commit of ours rests on; every later view change must claim it."""

    certificate: PreparedCertificate
    value: Value


class Learned(Struct, frozen=True, gc=False, array_like=True, tag=3, kw_only=True):
    """Something that proves itself."""

    message: Committed | Decision | NewView


class Finalized(Struct, frozen=True, gc=False, array_like=True, tag=4, kw_only=True):
    """Everything up to ``seq`` is final on the chain."""

    seq: Height


class Kept(Struct, frozen=True, gc=False, array_like=True, tag=5, kw_only=True):
    """Evidence against a member."""

    evidence: Evidence


Record = Sent | Locked | Learned | Finalized | Kept
"""What the write-ahead log holds."""


class Send(Struct, frozen=True, gc=False, array_like=True):
    """A message for member ``to``, or for every other member when ``to`` is None."""

    message: Message
    to: int | None = None


class Verify(Struct, frozen=True, gc=False, array_like=True):
    """Please check ``value``; answer with ``Replica.verdict(seq, digest, ok)``, in any order, at any time."""

    seq: int
    digest: Digest32
    value: bytes


class Decided(Struct, frozen=True, gc=False, array_like=True):
    """``value`` is decided at ``seq``. ``signers`` are ascending member indexes, ``endorsements`` what they
    gave over the endorsement digest; a quorum. Handed out in order of ``seq``, once per run
    of the process: after a restart, what is not yet final is handed out again."""

    seq: int
    value: bytes
    signers: tuple[int, ...]
    endorsements: tuple[bytes, ...]

    @classmethod
    def of(cls, decision: Decision) -> "Decided":
        return cls(decision.seq, decision.value, decision.signers, decision.endorsements)


class Rejected(Struct, frozen=True, gc=False, array_like=True):
    """``members`` have signed that the proposed value is false (this replica among them, if it did)."""

    seq: int
    digest: Digest32
    members: tuple[int, ...]


class Output(Struct, frozen=True, gc=False, kw_only=True):
    """What to do after an input, **in this order**: persist and flush all of ``persist``; only then ``send``;
    then the rest. ``view`` is set when a view was entered. ``behind`` names a sequence number whose decision
    members may no longer hold: read it from the chain and call ``Replica.finalized``."""

    persist: tuple[Record, ...] = ()
    send: tuple[Send, ...] = ()
    verify: tuple[Verify, ...] = ()
    decided: tuple[Decided, ...] = ()
    rejected: tuple[Rejected, ...] = ()
    evidence: tuple[Evidence, ...] = ()
    status: RequestStatus | None = None
    view: int | None = None
    behind: int | None = None


NOTHING = Output()


class Effects:
    """Collects one input's outputs; ``take`` hands them over and starts afresh. Most inputs have none:
    then ``some`` is False."""

    __slots__ = (
        "behind",
        "decided",
        "evidence",
        "persisted",
        "rejected",
        "sent",
        "some",
        "status",
        "verified",
        "view",
    )

    def __init__(self) -> None:
        self._clear()

    def _clear(self) -> None:
        self.some = False
        self.persisted: list[Record] = []
        self.sent: list[Send] = []
        self.verified: list[Verify] = []
        self.decided: list[Decided] = []
        self.rejected: list[Rejected] = []
        self.evidence: list[Evidence] = []
        self.status: RequestStatus | None = None
        self.view: int | None = None
        self.behind: int | None = None

    def persist(self, record: Record) -> None:
        self.some = True
        self.persisted.append(record)

    def send(self, message: Message, to: int | None = None) -> None:
        self.some = True
        self.sent.append(Send(message, to))

    def verify(self, seq: int, digest: bytes, value: bytes) -> None:
        self.some = True
        self.verified.append(Verify(seq, digest, value))

    def decide(self, decision: Decision) -> None:
        self.some = True
        self.decided.append(Decided.of(decision))

    def reject(self, seq: int, digest: bytes, members: tuple[int, ...]) -> None:
        self.some = True
        self.rejected.append(Rejected(seq, digest, members))

    def accuse(self, evidence: Evidence) -> None:
        self.some = True
        self.evidence.append(evidence)

    def answer(self, status: RequestStatus) -> None:
        self.some = True
        self.status = status

    def enter(self, view: int) -> None:
        self.some = True
        self.view = view

    def fall_behind(self, seq: int) -> None:
        self.some = True
        self.behind = seq

    def take(self) -> Output:
        if not self.some:
            return NOTHING
        output = Output(
            persist=tuple(self.persisted),
            send=tuple(self.sent),
            verify=tuple(self.verified),
            decided=tuple(self.decided),
            rejected=tuple(self.rejected),
            evidence=tuple(self.evidence),
            status=self.status,
            view=self.view,
            behind=self.behind,
        )
        self._clear()
        return output
