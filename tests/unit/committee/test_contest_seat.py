"""What a member says of another's certificate: everything as it finds it, but for the list of payloads."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import cast

import pytest

from committee.contest_judge import Findings
from committee.contest_seat import SEQ, Act, ContestSeat, contest_instance
from committee.due import RETRY_TICKS
from committee.state import Verify
from committee.submitter import Outcome
from protocol.chain.contest_log import ContestView
from protocol.contest import ScoreCertificate
from protocol.ids import ZERO32, Address, EpochNo, sha256
from protocol.pbft_messages import value_digest
from protocol.score_record import EntryResult, ScoreRecord, Standing

ME = Address("0x" + "11" * 20)
OTHERS = tuple(Address("0x" + digit * 40) for digit in "234")
MINE, THEIRS = sha256(b"my list"), sha256(b"their list")
TRUE = ScoreCertificate(
    contest_id=7,
    instance=0,
    epoch=EpochNo(1),
    spec_hash=sha256(b"spec"),
    test_set=sha256(b"test"),
    revealed=3,
    frauds=0,
    bad_test_set=False,
    scores=(5, 6),
    transactions=MINE,
    record=sha256(b"record"),
)
RECORD = ScoreRecord(
    contest_id=7,
    spec_hash=TRUE.spec_hash,
    test_set=TRUE.test_set,
    key=bytes(32),
    bad_test_set=False,
    entries=tuple(
        EntryResult(miner=miner, model=ZERO32, trace=ZERO32, standing=Standing.SCORED, correct=score)
        for miner, score in zip(OTHERS, TRUE.scores, strict=False)
    ),
)


@dataclass(frozen=True, kw_only=True)
class View:
    """As much of a ``ContestView`` as a seat asks for while a panel speaks."""

    contest_id: int = 7
    instance: int = 0
    panel: tuple[Address, ...] = (ME, *OTHERS)
    entries: tuple[str, ...] = ("a", "b")
    released: str = "key"
    due_draw: bool = False
    time_s: int = 0
    score_s: int = 900

    @property
    def params(self) -> "View":
        return self

    def can_certify(self, now_s: int) -> bool:
        return True

    def can_close(self, now_s: int) -> bool:
        return False


@dataclass
class World:
    """Agreement and desk of one seat, which remember what they are told."""

    verdicts: list[tuple[bytes, bool]] = field(default_factory=list)
    requests: list[bytes] = field(default_factory=list)
    asked: list[bytes] = field(default_factory=list)
    answers: list[Callable[[bool | None], None]] = field(default_factory=list)
    judged: list[Callable[[Findings | None], None]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.seat = ContestSeat(cast(ContestView, View()), self, self, ME)

    def request(self, task: int, seq: int, value: bytes) -> None:
        self.requests.append(value)

    def verdict(self, task: int, seq: int, digest: bytes, ok: bool) -> None:
        assert task == contest_instance(7, 0)
        self.verdicts.append((digest, ok))

    def now_s(self) -> int:
        return 0

    def judge(self, view: ContestView, done: Callable[[Findings | None], None]) -> bool:
        self.judged.append(done)
        return True

    def vouch(self, root: bytes, done: Callable[[bool | None], None]) -> bool:
        self.asked.append(root)
        self.answers.append(done)
        return True

    def act(self, view: ContestView, act: Act, done: Callable[[Outcome], None]) -> None:
        raise AssertionError(f"{act} is not due")

    def proposed(self, certificate: ScoreCertificate) -> bytes:
        value = certificate.encode()
        digest = value_digest(value)
        self.seat.verify(Verify(seq=SEQ, digest=digest, value=value))
        return digest

    def judge_now(self) -> None:
        self.seat.tick()
        self.judged[-1](Findings(certificate=TRUE, record=RECORD))


@pytest.fixture
def world() -> World:
    return World()


def test_seat__own_findings__come_before_what_others_asked_for(world: World) -> None:
    empty = world.proposed(replace(TRUE, transactions=ZERO32))
    assert world.verdicts == []
    world.judge_now()
    assert world.requests == [TRUE.encode()]
    assert world.verdicts == [(value_digest(TRUE.encode()), True), (empty, True)]
    assert world.asked == []  # an empty list needs no looking at


@pytest.mark.parametrize("true", [True, False])
def test_seat__anothers_list__is_looked_at_once_and_answered_as_found(world: World, true: bool) -> None:
    world.judge_now()
    world.verdicts.clear()
    digest = world.proposed(replace(TRUE, transactions=THEIRS))
    assert (world.asked, world.verdicts) == ([THEIRS], [])
    world.answers[0](true)
    assert world.verdicts == [(digest, true)]
    again = world.proposed(replace(TRUE, transactions=THEIRS))  # a new view brings it back
    assert world.verdicts[1:] == [(again, true)]
    assert world.asked == [THEIRS]


def test_seat__list_that_is_not_there__gets_no_word_until_it_is(world: World) -> None:
    world.judge_now()
    world.verdicts.clear()
    digest = world.proposed(replace(TRUE, transactions=THEIRS))
    world.answers[0](None)
    for _ in range(RETRY_TICKS - 1):
        world.seat.tick()
    assert (world.asked, world.verdicts) == ([THEIRS], [])
    for _ in range(50):
        world.seat.tick()
        if len(world.answers) > 1:
            break
    world.answers[1](True)
    assert world.asked == [THEIRS, THEIRS]
    assert world.verdicts == [(value_digest(TRUE.encode()), True), (digest, True)]


@pytest.mark.parametrize(
    "change",
    [{"scores": (6, 6)}, {"frauds": 1}, {"revealed": 1}, {"record": sha256(b"x")}, {"epoch": EpochNo(2)}],
)
@pytest.mark.parametrize("root", [MINE, THEIRS, ZERO32])
def test_seat__anything_else_differs__is_false_whatever_the_list(
    world: World, change: dict[str, object], root: bytes
) -> None:
    world.judge_now()
    world.verdicts.clear()
    digest = world.proposed(replace(TRUE, transactions=root, **change))  # type: ignore[arg-type]
    assert world.verdicts == [(digest, False)]
    assert world.asked == []


def test_seat__junk_or_another_place__is_false(world: World) -> None:
    world.judge_now()
    world.verdicts.clear()
    world.seat.verify(Verify(seq=SEQ, digest=b"d", value=b"junk"))
    world.seat.verify(Verify(seq=SEQ + 1, digest=b"e", value=TRUE.encode()))
    assert world.verdicts == [(b"d", False), (b"e", False)]
