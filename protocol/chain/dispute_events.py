"""Events about disputes: challenges, courts, verdicts, and what they cost whom."""

from dataclasses import dataclass

from protocol.chain.appeals import CaseKind
from protocol.chain.event_base import Builder, Event, event, events
from protocol.ids import Address, TaskId, Wei


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultVoided(Event):
    """The fault with this 32-byte leaf hash can never be slashed."""

    task_id: TaskId
    leaf: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class CourtDrawn(Event):
    task_id: TaskId
    dispute: int
    members: tuple[Address, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class DisputeOpened(Event):
    """Unix seconds: cases join until ``join_ends``, a verdict is accepted until ``verdict_ends``."""

    task_id: TaskId
    dispute: int
    join_ends: int
    verdict_ends: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseBrought(Event):
    """``leaf`` is the 32-byte hash of what certificate number ``index`` is said to be wrong about, ``batch``
    where that shows (``protocol.batches``), which may be any 32-bit number."""

    task_id: TaskId
    dispute: int
    number: int
    challenger: Address
    kind: CaseKind
    index: int
    miner: Address
    leaf: bytes
    batch: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CourtSummoned(Event):
    """Joining has ended, and the court was assigned."""

    task_id: TaskId
    dispute: int


@dataclass(frozen=True, slots=True, kw_only=True)
class VerdictAccepted(Event):
    """Bit i of ``upheld`` is case i, of ``signers`` member i of the court."""

    task_id: TaskId
    dispute: int
    upheld: int
    signers: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DisputeLapsed(Event):
    task_id: TaskId
    dispute: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseSettled(Event):
    """Of the bond, ``returned`` went to the challenger and ``compensation`` to the wronged side; the rest to
    the treasury."""

    task_id: TaskId
    dispute: int
    number: int
    returned: Wei
    compensation: Wei


@dataclass(frozen=True, slots=True, kw_only=True)
class MinerConvicted(Event):
    task_id: TaskId
    dispute: int
    number: int
    miner: Address
    amount: Wei


@dataclass(frozen=True, slots=True, kw_only=True)
class SignerPunished(Event):
    task_id: TaskId
    dispute: int
    number: int
    signer: Address
    amount: Wei


COURT_EVENTS: dict[str, Builder] = events(CourtDrawn)
"""Those of the Committee contract."""

APPEALS_EVENTS: dict[str, Builder] = {
    "CaseBrought": event(CaseBrought, kind=CaseKind),
    **events(
        DisputeOpened,
        CourtSummoned,
        VerdictAccepted,
        DisputeLapsed,
        CaseSettled,
        MinerConvicted,
        SignerPunished,
    ),
}
