"""The disputes of one task as its events tell them, and the signatures behind a verdict."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from protocol.chain.appeals import CaseKind
from protocol.chain.contracts import Contracts
from protocol.chain.dispute_events import (
    CaseBrought,
    CaseSettled,
    CourtDrawn,
    CourtSummoned,
    DisputeLapsed,
    DisputeOpened,
    MinerConvicted,
    SignerPunished,
    VerdictAccepted,
)
from protocol.chain.event_base import Event
from protocol.errors import VerificationFailed
from protocol.verdict import SignedVerdict, Verdict

MAX_EMBEDDED_CALLS = 256
"""Places in one transaction's calldata that are tried as a verdict."""


@dataclass(slots=True, kw_only=True)
class DisputeLog:
    """Everything that happened in one dispute, in chain order."""

    opened: DisputeOpened
    cases: list[CaseBrought] = field(default_factory=list)
    summoned: CourtSummoned | None = None
    drawn: CourtDrawn | None = None
    verdict: VerdictAccepted | None = None
    lapsed: DisputeLapsed | None = None
    settled: list[CaseSettled] = field(default_factory=list)
    convicted: list[MinerConvicted] = field(default_factory=list)
    punished: list[SignerPunished] = field(default_factory=list)

    @property
    def number(self) -> int:
        return self.opened.dispute

    @property
    def first(self) -> int:
        """The lowest index of a challenged certificate, which the verdict names."""
        return min(case.index for case in self.cases)

    def is_upheld(self, case: CaseBrought) -> bool:
        return self.verdict is not None and bool(self.verdict.upheld >> case.number & 1)

    @property
    def falls_from(self) -> int | None:
        """Index of the first certificate that the verdict made void; None when none was."""
        wrong = [c.index for c in self.cases if c.kind is CaseKind.CONTRIBUTION and self.is_upheld(c)]
        return min(wrong, default=None)

    @property
    def voids(self) -> frozenset[bytes]:
        """Leaf hashes of the faults that the verdict found wrong."""
        return frozenset(c.leaf for c in self.cases if c.kind is CaseKind.FAULT and self.is_upheld(c))


def read_logs(events: Iterable[Event]) -> list[DisputeLog]:
    """The disputes among the ``events`` of one task, the oldest first. Raises VerificationFailed when an
    event speaks of a dispute, or of a case, that never began."""
    logs: dict[int, DisputeLog] = {}
    for event in events:
        if isinstance(event, DisputeOpened):
            logs[event.dispute] = DisputeLog(opened=event)
        elif (number := getattr(event, "dispute", None)) is not None:
            if number not in logs:
                raise VerificationFailed(f"dispute {number}", "there are events of it, but not its beginning")
            _add(logs[number], event)
    return list(logs.values())


def _add(log: DisputeLog, event: Event) -> None:
    match event:
        case CaseBrought():
            if event.number != len(log.cases):
                raise VerificationFailed(
                    f"dispute {log.number}", f"case {event.number} follows {len(log.cases)} cases"
                )
            log.cases.append(event)
        case CourtSummoned():
            log.summoned = event
        case CourtDrawn():
            log.drawn = event
        case VerdictAccepted():
            log.verdict = event
        case DisputeLapsed():
            log.lapsed = event
        case CaseSettled():
            log.settled.append(event)
        case MinerConvicted():
            log.convicted.append(event)
        case SignerPunished():
            log.punished.append(event)


def verdict_behind(contracts: Contracts, log: DisputeLog) -> SignedVerdict:
    """The verdict of a decided dispute with its signatures, from the calldata of its transaction. Anybody may
    post one, also through a contract. Raises VerificationFailed when it is not there, Refused when the
    endpoint gives no traces."""
    event = log.verdict
    assert event is not None
    client, tx_hash = contracts.client, event.where.tx_hash
    signed = _verdict_in(contracts, log, client.transaction_input(tx_hash))
    if signed is not None:
        return signed
    for data in client.calls_to(contracts.appeals.address, tx_hash):
        signed = _verdict_in(contracts, log, data)
        if signed is not None:
            return signed
    raise VerificationFailed(
        f"transaction 0x{tx_hash.hex()}",
        f"it holds no `decide` call with the verdict of dispute {log.number}",
    )


def _verdict_in(contracts: Contracts, log: DisputeLog, data: bytes) -> SignedVerdict | None:
    """The verdict with signatures, from wherever in ``data`` it is passed to ``decide``."""
    event = log.verdict
    assert event is not None
    selector = contracts.appeals.selector("decide")
    place, tries = data.find(selector), 0
    while place >= 0 and tries < MAX_EMBEDDED_CALLS:
        try:
            task_id, upheld, signers, signatures = contracts.appeals.decide_arguments(data[place:])
        except ValueError:
            task_id, upheld, signers, signatures = event.task_id, -1, -1, b""
        if (task_id, upheld, signers) == (event.task_id, event.upheld, event.signers):
            verdict = Verdict(task_id=task_id, certificate_index=log.first, dispute=log.number, upheld=upheld)
            return SignedVerdict(verdict=verdict, signers=signers, signatures=signatures)
        place, tries = data.find(selector, place + 1), tries + 1
    return None
