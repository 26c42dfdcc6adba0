"""A dispute as the chain has it at one block, and what anybody may do about it then."""

from dataclasses import dataclass
from typing import Final, assert_never

from protocol.blobs import BlobStore
from protocol.chain.appeals import CaseKind, DisputeStatus, OnchainCase, OnchainDispute
from protocol.chain.contract import Call
from protocol.chain.contracts import Contracts
from protocol.chain.records import Matter, matters_of, read_certified, read_record
from protocol.errors import Refused, VerificationFailed
from protocol.ids import Address, TaskId
from protocol.segment import SegmentRecord
from protocol.typed_data import Domain

BEATEN: Final = frozenset(
    {"AlreadyAssigned", "AlreadyDrawn", "DisputeIs", "CaseIsSettled", "AlreadyConvicted", "NobodyToPunish"}
)
"""Refusals of a step that say that somebody else was quicker."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Docket:
    """One dispute with its cases. ``court`` is empty until it is drawn, from ``candidates``, by the hash of
    ``draw_block``, which is None until joining has ended and somebody summons it. ``punished`` are bitmaps
    over the task's committee, by kind of case, ``convicted`` the upheld cases whose miner was slashed;
    ``block`` and ``time_s`` (Unix seconds) say when all this was so."""

    dispute: OnchainDispute
    cases: tuple[OnchainCase, ...]
    candidates: tuple[Address, ...]
    draw_block: int | None
    court: tuple[Address, ...]
    punished: tuple[int, ...]
    convicted: frozenset[int]
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
class Summon:
    """Have the court assigned; joining has ended."""


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
class Convict:
    """Slash the miner of an upheld contribution, by its own signature."""

    case: int


@dataclass(frozen=True, slots=True)
class Punish:
    """Slash those who signed for what case ``case`` was upheld against: a bitmap over the committee."""

    case: int
    members: int


Step = Summon | DrawCourt | Lapse | Settle | Convict | Punish


def falls_from(cases: tuple[OnchainCase, ...], upheld: int) -> int | None:
    """Index of the first certificate that falls when the cases of this bitmap are upheld."""
    wrong = [c.index for c in cases if c.kind is CaseKind.CONTRIBUTION and upheld >> c.number & 1]
    return min(wrong, default=None)


def steps(docket: Docket, block: int, now_s: int) -> tuple[Step, ...]:
    """What anybody may do, at block number ``block`` and Unix second ``now_s``, in the order to do it in. A
    verdict is not among it: only the court can give one."""
    if docket.open:
        return _steps_to_verdict(docket, block, now_s)
    found: list[Step] = [Settle(case.number) for case in docket.cases if not case.settled]
    # Each signer answers for the first upheld case of a kind that it signed.
    charged = list(docket.punished)
    for case in docket.cases:
        if not docket.is_upheld(case):
            continue
        if case.kind is CaseKind.CONTRIBUTION and case.number not in docket.convicted:
            found.append(Convict(case.number))
        due = case.signers & ~charged[case.kind]
        charged[case.kind] |= due
        if due:
            found.append(Punish(case.number, due))
    return tuple(found)


def _steps_to_verdict(docket: Docket, block: int, now_s: int) -> tuple[Step, ...]:
    if now_s >= docket.dispute.verdict_ends:
        return (Lapse(),)
    if docket.draw_block is None:
        return (Summon(),) if now_s >= docket.dispute.join_ends else ()
    return (DrawCourt(),) if not docket.court and block > docket.draw_block else ()


def step_text(step: Step) -> str:
    """A step in words."""
    match step:
        case Summon():
            return "summon the court"
        case DrawCourt():
            return "draw the court"
        case Lapse():
            return "end it without a verdict"
        case Settle(case=case):
            return f"pay out the bond of case {case}"
        case Convict(case=case):
            return f"slash the miner of case {case}"
        case Punish(case=case, members=members):
            return f"slash {members.bit_count()} signers for case {case}"
        case _:
            assert_never(step)


def call_of(contracts: Contracts, blobs: BlobStore, docket: Docket, step: Step) -> Call:
    """The transaction that does a step. Raises what an unreadable record raises."""
    task, number = docket.task_id, docket.number
    match step:
        case Summon():
            return contracts.appeals.summon(task)
        case DrawCourt():
            return contracts.committee.draw_court(task, number)
        case Lapse():
            return contracts.appeals.lapse(task)
        case Settle(case=case):
            return contracts.appeals.settle(task, number, case)
        case Convict(case=case):
            matter = find_matter(contracts, blobs, task, docket.cases[case])
            assert matter.signed is not None
            return contracts.appeals.convict(number, case, matter.signed)
        case Punish(case=case, members=members):
            return contracts.appeals.punish(task, number, case, members)


def read_docket(contracts: Contracts, task_id: TaskId, number: int) -> Docket:
    """Dispute ``number`` of a task at the latest block. Raises Refused when there is none."""
    at = contracts.client.block()
    dispute = contracts.appeals.dispute(task_id, number, at.number)
    if dispute.status is DisputeStatus.NONE:
        raise Refused(f"Task {task_id} has no dispute {number}.", "DisputeUnknown")
    cases = contracts.appeals.cases(dispute, at.number)
    panel = contracts.committee.panel_of(task_id, number, at.number)
    epoch = panel.epoch if panel.size else contracts.committee.current_epoch(at.number)
    try:
        court = contracts.committee.court_of(task_id, number, at.number)
    except Refused as error:
        if error.reason not in ("NotDrawn", "PanelUnknown"):
            raise
        court = ()
    decided = dispute.status is DisputeStatus.DECIDED
    return Docket(
        dispute=dispute,
        cases=cases,
        candidates=contracts.committee.members_of(epoch, at.number),
        draw_block=panel.draw_block if panel.size else None,
        court=court,
        punished=tuple(
            contracts.appeals.punished(task_id, number, kind, at.number) if decided else 0
            for kind in CaseKind
        ),
        convicted=frozenset(
            case.number
            for case in cases
            if decided and contracts.appeals.convicted(task_id, case.leaf, at.number)
        ),
        block=at.number,
        time_s=at.timestamp,
    )


def read_dockets(contracts: Contracts, task_id: TaskId) -> list[Docket]:
    """All disputes that a task ever had, the oldest first."""
    count = contracts.appeals.disputes_of(task_id)
    return [read_docket(contracts, task_id, number) for number in range(1, count + 1)]


def find_matter(contracts: Contracts, blobs: BlobStore, task_id: TaskId, case: OnchainCase) -> Matter:
    """The leaf that a case challenges, from the record of its certificate. Raises what an unreadable record
    raises."""
    certificate = read_certified(contracts, task_id).certificates[case.index].certificate
    domain = contracts.deployment.domain
    return matter_of(read_record(blobs, certificate, domain), case, domain)


def matter_of(record: SegmentRecord, case: OnchainCase, domain: Domain) -> Matter:
    """The leaf that a case challenges. Raises VerificationFailed when it is not in the record."""
    for matter in matters_of(record, case.kind, domain):
        if matter.leaf_hash == case.leaf:
            return matter
    raise VerificationFailed(f"case {case.number}", "its leaf is not in the record of its certificate")
