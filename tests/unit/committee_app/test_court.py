"""A member of a court signs what it found, abstains from what it could not find, sees a verdict through."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import pytest

from committee.court import (
    SEQ,
    STAGGER_TICKS,
    Court,
    Decide,
    instance_of,
    is_court,
    is_right,
    is_true,
)
from committee.due import MAX_RETRY_TICKS
from committee.state import Decided, Verify
from committee.submitter import Outcome
from committee.verify import Finding, Judgement
from protocol.chain.appeals import CaseKind, DisputeStatus, OnchainCase, OnchainDispute
from protocol.chain.docket import (
    Convict,
    Docket,
    DrawCourt,
    Lapse,
    Punish,
    Settle,
    Step,
    Summon,
    falls_from,
    steps,
)
from protocol.ids import TaskId, parse_address
from protocol.pbft_messages import value_digest
from protocol.signing import KeySigner
from tests.unit.committee_app.histories import key_of
from tests.unit.protocol.builders import DOMAIN, members

JOIN_ENDS, VERDICT_ENDS = 1_000, 2_000
HALF = (JOIN_ENDS + VERDICT_ENDS) // 2
COURT = tuple(members())
WRONG, HONEST = Judgement(finding=Finding.INVALID), Judgement(finding=Finding.VALID)
UNKNOWN = Judgement(finding=Finding.UNKNOWN, reason="a blob is withheld")


def case(
    number: int, kind: CaseKind = CaseKind.CONTRIBUTION, index: int = 4, signers: int = 0b0111
) -> OnchainCase:
    return OnchainCase(
        number=number,
        challenger=parse_address("0x" + "33" * 20),
        signers=signers,
        index=index,
        miner=parse_address("0x" + "44" * 20),
        kind=kind,
        settled=False,
        accepted_at=10,
        leaf=bytes([number]) * 32,
    )


def docket(*cases: OnchainCase, time_s: int = JOIN_ENDS, **changes: object) -> Docket:
    brought = cases or (case(0),)
    made = Docket(
        dispute=OnchainDispute(
            task_id=TaskId(7),
            number=2,
            status=DisputeStatus.OPEN,
            cases=len(brought),
            first=min(c.index for c in brought),
            join_ends=JOIN_ENDS,
            verdict_ends=VERDICT_ENDS,
            upheld=0,
        ),
        cases=brought,
        candidates=COURT,
        draw_block=90,
        court=COURT,
        punished=(0, 0),
        convicted=frozenset(),
        block=100,
        time_s=time_s,
    )
    return replace(made, **changes)  # type: ignore[arg-type]


def ended(made: Docket, status: DisputeStatus, upheld: int = 0, **changes: object) -> Docket:
    dispute = replace(made.dispute, status=status, upheld=upheld)
    return replace(made, dispute=dispute, **changes)  # type: ignore[arg-type]


@dataclass(kw_only=True)
class Around:
    """The agreement and the desk of one court; what it asks for waits until a test answers."""

    time_s: int = JOIN_ENDS
    judged: list[tuple[int, Callable[[Judgement], None]]] = field(default_factory=list)
    acts: list[tuple[Step | Decide, Callable[[Outcome], None]]] = field(default_factory=list)
    requests: list[bytes] = field(default_factory=list)
    verdicts: list[tuple[bytes, bool]] = field(default_factory=list)

    def now_s(self) -> int:
        return self.time_s

    def judge(self, docket: Docket, case: OnchainCase, done: Callable[[Judgement], None]) -> bool:
        self.judged.append((case.number, done))
        return True

    def act(self, docket: Docket, act: Step | Decide, done: Callable[[Outcome], None]) -> None:
        self.acts.append((act, done))

    def request(self, task: int, seq: int, value: bytes) -> None:
        assert (task, seq) == (instance_of(TaskId(7), 2), SEQ)
        self.requests.append(value)

    def verdict(self, task: int, seq: int, digest: bytes, ok: bool) -> None:
        self.verdicts.append((digest, ok))

    def answer(self, *judgements: Judgement) -> None:
        """The oldest questions end like this."""
        for judgement in judgements:
            self.judged.pop(0)[1](judgement)


def court(made: Docket, around: Around, me: int = 0) -> Court:
    return Court(made, around, around, COURT[me])


def ticks(made: Court, number: int) -> None:
    for _ in range(number):
        made.tick()


def question(made: Docket, upheld: int) -> Verify:
    value = made.dispute.verdict(upheld).encode()
    return Verify(SEQ, value_digest(value), value)


def decision(made: Docket, upheld: int) -> Decided:
    verdict = made.dispute.verdict(upheld)
    signatures = tuple(KeySigner(key_of(i)).sign(verdict.digest(DOMAIN)) for i in (0, 1, 2))
    return Decided(SEQ, verdict.encode(), (0, 1, 2), signatures)


# ------------------------------------------------------------------ what is true


@pytest.mark.parametrize(
    ("kind", "finding", "right"),
    [
        (CaseKind.CONTRIBUTION, Finding.INVALID, True),
        (CaseKind.CONTRIBUTION, Finding.VALID, False),
        (CaseKind.FAULT, Finding.INVALID, False),
        (CaseKind.FAULT, Finding.VALID, True),
        (CaseKind.CONTRIBUTION, Finding.UNKNOWN, None),
        (CaseKind.FAULT, Finding.UNKNOWN, None),
    ],
)
def test_is_right__each_kind_and_finding(kind: CaseKind, finding: Finding, right: bool | None) -> None:
    assert is_right(kind, finding) is right


@pytest.mark.parametrize(
    ("own", "upheld", "late", "answer"),
    [
        ((True, False), 0b01, False, True),
        ((True, False), 0b00, True, False),
        ((True, False), 0b11, True, False),
        ((True,), 0b101, True, False),
        ((None, False), 0b00, True, None),
        ((None, True), 0b10, False, None),
        ((None, True), 0b10, True, True),
        ((None, True), 0b11, True, None),
        ((None, True), 0b00, True, False),
        ((None, None), 0b00, True, None),
    ],
)
def test_is_true__own_findings_against_a_bitmap(
    own: tuple[bool | None, ...], upheld: int, late: bool, answer: bool | None
) -> None:
    assert is_true(own, upheld, late=late) is answer


def test_instance_of__any_dispute__is_no_task_and_no_other_dispute() -> None:
    numbers = {
        instance_of(TaskId(task), dispute) for task in (1, 2, 2**48 - 1) for dispute in (1, 2, 2**15 - 3)
    }
    assert len(numbers) == 9
    assert all(is_court(number) and number < 2**63 for number in numbers)
    assert not is_court(2**48 - 1)
    for task, dispute in ((0, 1), (1, 0), (2**48, 1), (1, 2**15 - 2)):
        with pytest.raises(ValueError, match="no place"):
            instance_of(TaskId(task), dispute)


# ------------------------------------------------------------------ a member


def test_court__cases_judged__asks_for_its_own_verdict() -> None:
    made, around = docket(case(0), case(1, CaseKind.FAULT), case(2)), Around()
    member = court(made, around)
    ticks(member, 1)
    around.answer(WRONG, WRONG, HONEST)
    ticks(member, 1)
    assert around.requests == [made.dispute.verdict(0b001).encode()]


def test_court__not_drawn_yet__only_helps_to_draw_it() -> None:
    undrawn, around = docket(court=()), Around()
    member = court(undrawn, around)
    member.verify(question(undrawn, 1))
    ticks(member, 100)
    assert (around.judged, around.requests, around.verdicts) == ([], [], [])
    assert [act for act, _ in around.acts] == [DrawCourt()]
    member.moved(docket())
    ticks(member, 1)
    around.answer(WRONG)
    ticks(member, 1)
    assert around.requests == [undrawn.dispute.verdict(1).encode()]


def test_court__case_unknown__abstains_and_tries_again() -> None:
    made, around = docket(), Around()
    member = court(made, around)
    member.verify(question(made, 0))
    member.verify(question(made, 1))
    ticks(member, 1)
    around.answer(UNKNOWN)
    ticks(member, 2 * MAX_RETRY_TICKS)
    assert (around.requests, around.verdicts) == ([], [])
    around.answer(HONEST)
    ticks(member, 1)
    assert set(around.verdicts) >= {
        (question(made, 0).digest, True),
        (question(made, 1).digest, False),
    }


def test_court__proposal_before_the_finding__is_answered_with_it() -> None:
    made, around = docket(), Around()
    member = court(made, around)
    member.verify(question(made, 1))
    ticks(member, 1)
    assert around.verdicts == []
    around.answer(WRONG)
    assert around.verdicts == [(question(made, 1).digest, True)]


def test_court__verdict_of_another_dispute_or_garbage__is_false() -> None:
    made, around = docket(), Around()
    member = court(made, around)
    other = replace(made.dispute, number=3).verdict(1).encode()
    for value in (other, b"garbage", replace(made.dispute, first=3).verdict(1).encode()):
        member.verify(Verify(SEQ, value_digest(value), value))
    ticks(member, 1)
    assert [ok for _, ok in around.verdicts] == [False, False, False]


def test_court__one_blob_withheld__shields_no_other_lie_for_ever() -> None:
    made, around = docket(case(0), case(1)), Around()
    member = court(made, around)
    ticks(member, 1)
    around.answer(WRONG, UNKNOWN)
    ticks(member, 50)
    assert around.requests == []
    around.time_s = HALF
    ticks(member, 1)
    assert around.requests == [made.dispute.verdict(0b01).encode()]


def test_court__stranger__neither_judges_nor_sends() -> None:
    made, around = docket(), Around()
    member = Court(made, around, around, parse_address("0x" + "77" * 20))
    ticks(member, 200)
    assert (around.judged, around.acts, around.requests) == ([], [], [])


# ------------------------------------------------------------------ what follows


def test_court__verdict_decided__is_posted_in_turn_until_the_chain_shows_it() -> None:
    made, around = docket(), Around()
    member = court(made, around)
    member.decided(decision(made, 1))
    ticks(member, 100)
    (act, done), *more = around.acts
    assert isinstance(act, Decide)
    assert not more
    act.signed.verify(DOMAIN, COURT)
    done(Outcome.UNREACHABLE)
    ticks(member, 100)
    assert len(around.acts) == 2
    member.moved(ended(made, DisputeStatus.DECIDED, 1))
    around.acts.clear()
    ticks(member, 300)
    assert [act for act, _ in around.acts] == [Settle(0), Convict(0), Punish(0, 0b0111)]


def test_court__silent__the_rest_of_the_snapshot_ends_the_dispute() -> None:
    stranger = parse_address("0x" + "77" * 20)
    around = Around(time_s=VERDICT_ENDS)
    other = Court(docket(candidates=(*COURT, stranger)), around, around, stranger)
    ticks(other, len(COURT) * STAGGER_TICKS)
    assert around.acts == []
    ticks(other, 1)
    assert [act for act, _ in around.acts] == [Lapse()]
    assert around.judged == []


def test_court__step_that_no_try_can_do__is_given_up() -> None:
    around = Around()
    member = court(ended(docket(), DisputeStatus.DECIDED, 1), around)
    ticks(member, 100)
    for _, done in around.acts:
        done(Outcome.POINTLESS)
    around.acts.clear()
    ticks(member, 2 * MAX_RETRY_TICKS)
    assert around.acts == []


# ------------------------------------------------------------------ steps


def test_steps__open_dispute__what_time_and_blocks_allow() -> None:
    unassigned = docket(draw_block=None, court=())
    assert steps(unassigned, 100, JOIN_ENDS - 1) == ()
    assert steps(unassigned, 100, JOIN_ENDS) == (Summon(),)
    undrawn = docket(court=())
    assert steps(undrawn, 90, JOIN_ENDS) == ()
    assert steps(undrawn, 91, JOIN_ENDS) == (DrawCourt(),)
    assert steps(docket(), 91, VERDICT_ENDS - 1) == ()
    assert steps(docket(), 91, VERDICT_ENDS) == steps(unassigned, 91, VERDICT_ENDS) == (Lapse(),)


def test_steps__decided__each_signer_answers_once_for_the_first_case_of_a_kind() -> None:
    cases = (
        case(0, signers=0b0011),
        case(1, signers=0b1111),
        case(2, CaseKind.FAULT, signers=0b0110),
        case(3, signers=0b1111),
        case(4, CaseKind.FAULT, signers=0b0111),
    )
    made = ended(docket(*cases), DisputeStatus.DECIDED, 0b10110, punished=(0b0001, 0), convicted={1})
    assert steps(made, 100, VERDICT_ENDS) == (
        *(Settle(number) for number in range(5)),
        Punish(1, 0b1110),
        Punish(2, 0b0110),
        Punish(4, 0b0001),
    )
    assert made.falls_from == 4


def test_steps__lapsed_and_settled__nothing_is_left() -> None:
    made = ended(docket(), DisputeStatus.LAPSED)
    assert steps(made, 100, VERDICT_ENDS) == (Settle(0),)
    assert not made.finished
    assert replace(made, cases=(replace(case(0), settled=True),)).finished


def test_falls_from__upheld_contributions__the_lowest_certificate() -> None:
    cases = (case(0, index=6), case(1, index=5), case(2, CaseKind.FAULT, index=1))
    assert falls_from(cases, 0b111) == 5
    assert falls_from(cases, 0b001) == 6
    assert falls_from(cases, 0b100) is None
