"""A dispute as the chain has it at one block, and what anybody may do about it then."""

from dataclasses import dataclass

from protocol.chain.appeals import CaseKind, DisputeStatus, OnchainCase, OnchainDispute
from protocol.chain.contract import Call
from protocol.chain.contracts import Contracts
from protocol.errors import Refused
from protocol.ids import Address, TaskId


@dataclass(frozen=True, slots=True, kw_only=True)
class Docket:
    """One dispute with its cases. ``court`` is empty until it is drawn, from ``candidates``, by the hash of
    ``draw_block``; ``punished`` are bitmaps over the task's committee, by kind of case; ``block`` and
    ``time_s`` (Unix seconds) say when all this was so."""

    dispute: OnchainDispute
    cases: tuple[OnchainCase, ...]
    candidates: tuple[Address, ...]
    draw_block: int
    court: tuple[Address, ...]
    punished: tuple[int, ...]
    block: int
    time_s: int

    @property
    def task_id(self) -> TaskId:
        return self.dispute.task_id

    @property
    def number(self) -> int:
        return self.dispute.number

    @property
    def open(self) -> bool:
        """No verdict came and it has not lapsed."""
        return self.dispute.status is DisputeStatus.OPEN

    @property
    def finished(self) -> bool:
        """Nothing is left to do, ever."""
        return not self.open and not steps(self, self.block, self.time_s)

    def is_upheld(self, case: OnchainCase) -> bool:
        return bool(self.dispute.upheld >> case.number & 1)

    @property
    def falls_from(self) -> int | None:
        """Index of the first certificate that the verdict made void; None when none was."""
        return falls_from(self.cases, self.dispute.upheld)


@dataclass(frozen=True, slots=True)
class DrawCourt:
    """Draw the court; its block is known."""


@dataclass(frozen=True, slots=True)
class Lapse:
    """End the dispute without a verdict; the certificates stand."""


@dataclass(frozen=True, slots=True)
class Settle:
    """Pay the bond of a case out."""

    case: int


@dataclass(frozen=True, slots=True)
class Punish:
    """Slash those who signed for what case ``case`` was upheld against: a bitmap over the committee."""

    case: int
    members: int


Step = DrawCourt | Lapse | Settle | Punish


def falls_from(cases: tuple[OnchainCase, ...], upheld: int) -> int | None:
    """Index of the first certificate that falls when the cases of this bitmap are upheld."""
    wrong = [c.index for c in cases if c.kind is CaseKind.CONTRIBUTION and upheld >> c.number & 1]
    return min(wrong, default=None)


def steps(docket: Docket, block: int, now_s: int) -> tuple[Step, ...]:
    """What anybody may do, at block number ``block`` and Unix second ``now_s``, in the order to do it in. A
    verdict is not among it: only the court can give one."""
    if docket.open:
        if now_s >= docket.dispute.verdict_ends:
            return (Lapse(),)
        return (DrawCourt(),) if not docket.court and block > docket.draw_block else ()
    found: list[Step] = [Settle(case.number) for case in docket.cases if not case.settled]
    punished = list(docket.punished)
    for case in docket.cases:
        due = case.signers & ~punished[case.kind]
        if docket.is_upheld(case) and due:
            punished[case.kind] |= due
            found.append(Punish(case.number, due))
    return tuple(found)


def call_of(contracts: Contracts, docket: Docket, step: Step) -> Call:
    """The transaction that does a step."""
    task, number = docket.task_id, docket.number
    match step:
        case DrawCourt():
            return contracts.committee.draw_court(task, number)
        case Lapse():
            return contracts.appeals.lapse(task)
        case Settle(case=case):
            return contracts.appeals.settle(task, number, case)
        case Punish(case=case, members=members):
            return contracts.appeals.punish(task, number, case, members)


def read_docket(contracts: Contracts, task_id: TaskId, number: int) -> Docket:
    """Dispute ``number`` of a task at the latest block. Raises Refused when there is none."""
    at = contracts.client.block()
    dispute = contracts.appeals.dispute(task_id, number, at.number)
    if dispute.status is DisputeStatus.NONE:
        raise Refused(f"Task {task_id} has no dispute {number}.", "DisputeUnknown")
    panel = contracts.committee.panel_of(task_id, number, at.number)
    try:
        court = contracts.committee.court_of(task_id, number, at.number)
    except Refused as error:
        if error.reason != "NotDrawn":
            raise
        court = ()
    return Docket(
        dispute=dispute,
        cases=contracts.appeals.cases(dispute, at.number),
        candidates=contracts.committee.members_of(panel.epoch, at.number),
        draw_block=panel.draw_block,
        court=court,
        punished=tuple(
            contracts.appeals.punished(task_id, number, kind, at.number)
            if dispute.status is DisputeStatus.DECIDED
            else 0
            for kind in CaseKind
        ),
        block=at.number,
        time_s=at.timestamp,
    )


def read_dockets(contracts: Contracts, task_id: TaskId) -> list[Docket]:
    """All disputes that a task ever had, the oldest first."""
    count = contracts.appeals.disputes_of(task_id)
    return [read_docket(contracts, task_id, number) for number in range(1, count + 1)]
