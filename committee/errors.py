"""What goes wrong inside the agreement: a peer breaks the rules (drop, count, go on), or we did (stop)."""

from protocol.errors import PeerMisbehaved, PotError


class MessageRefused(PeerMisbehaved):
    """A message that no correct member sends to us here and now. The replica's state is unchanged."""

    def __init__(self, kind: str, sender: int | None, detail: str) -> None:
        super().__init__(f"{kind} of member {sender}" if sender is not None else kind, detail)
        self.kind = kind
        self.sender = sender


class BadSignature(MessageRefused):
    """The signature is not the named sender's over this content."""


class WrongInstance(MessageRefused):
    """The message speaks of another task."""


class NotPrimary(MessageRefused):
    """Only the primary of a view proposes in it."""


class OutsideWindow(MessageRefused):
    """The sequence number is beyond what a correct member can be working on."""


class BadProof(MessageRefused):
    """A certificate, decision or new view does not prove what it is shown for."""


class ValueUnusable(PotError):
    """The application cannot give a digest for these bytes: they are no value at this sequence number."""


class SafetyViolated(PotError):
    """Two different values are agreed on for one sequence number: more members are faulty than the committee
    survives, or this program is wrong. Nothing more may be signed."""

    def __init__(self, seq: int, first: bytes, second: bytes) -> None:
        super().__init__(
            f"sequence number {seq} is decided twice, for {first.hex()} and for {second.hex()}; "
            "this validator stops signing. Keep its log and the evidence, and stop the process."
        )
        self.seq = seq
        self.first = first
        self.second = second


class LogCorrupt(PotError):
    """The write-ahead log is damaged before its end: what was signed is no longer known, so nothing is
    signed."""


class LogLocked(PotError):
    """Another process uses this write-ahead log: two processes with one key are a Byzantine validator."""
