"""Members that looked at a contest's blobs at different times, and when they may begin to look."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import cast

import pytest

from committee.contest_judge import Findings
from committee.contest_seat import LAST_BLOCK_S, SEQ, Act, ContestSeat
from committee.due import MAX_RETRY_TICKS
from committee.state import Verify
from committee.submitter import Outcome
from protocol.chain.contest_log import ContestView
from protocol.contest import ScoreCertificate
from protocol.ids import ZERO32, Address, EpochNo, sha256
from protocol.pbft_messages import value_digest
from protocol.score_record import EntryResult, ScoreRecord, Standing

ME = Address("0x" + "11" * 20)
MINERS = tuple(Address("0x" + digit * 40) for digit in "23")
HALF_S, END_S = 500, 1000
REVEALS_END_S = 100


@dataclass(frozen=True, kw_only=True)
class View:
    """As much of a ``ContestView`` as a seat asks for."""

    contest_id: int = 7
    instance: int = 0
    panel: tuple[Address, ...] = (ME, *MINERS, Address("0x" + "4" * 40))
    entries: tuple[str, ...] = ("a", "b")
    released: str = "key"
    due_draw: bool = False
    time_s: int = REVEALS_END_S + 1
    score_s: int = END_S - REVEALS_END_S

    @property
    def params(self) -> "View":
        return self

    def can_certify(self, now_s: int) -> bool:
        return REVEALS_END_S < now_s <= END_S

    def is_late(self, now_s: int) -> bool:
        return now_s > HALF_S

    def can_close(self, now_s: int) -> bool:
        return False


def results(*standings: Standing, score: int = 5) -> tuple[EntryResult, ...]:
    return tuple(
        EntryResult(
            miner=miner,
            model=ZERO32,
            trace=ZERO32,
            standing=standing,
            correct=score if standing is Standing.SCORED else 0,
        )
        for miner, standing in zip(MINERS, standings, strict=True)
    )


def findings(entries: Sequence[EntryResult] = (), *, bad: bool = False) -> Findings:
    record = ScoreRecord(
        contest_id=7,
        spec_hash=sha256(b"spec"),
        test_set=sha256(b"test"),
        key=bytes(32),
        bad_test_set=False,
        entries=(),
    )
    certificate = ScoreCertificate(
        contest_id=7,
        instance=0,
        epoch=EpochNo(1),
        spec_hash=record.spec_hash,
        test_set=record.test_set,
        revealed=3,
        frauds=0,
        bad_test_set=False,
        scores=(),
        transactions=ZERO32,
        record=record.hash,
    )
    made = Findings(certificate=certificate, record=record).restated(tuple(entries), bad=bad)
    return Findings(certificate=made, record=replace(record, bad_test_set=bad, entries=tuple(entries)))


SCORED, WITHHELD, FRAUD, UNUSABLE = (
    Standing.SCORED,
    Standing.WITHHELD,
    Standing.FRAUD,
    Standing.UNUSABLE,
)
BOTH = findings(results(SCORED, SCORED))
HIDDEN = findings(results(SCORED, WITHHELD))
LIAR = findings(results(SCORED, FRAUD))
BAD = findings(bad=True)


@dataclass
class World:
    """Agreement and desk of one seat, whose next looks at the blobs find ``there``."""

    there: Findings | None
    now: int = HALF_S + 1
    verdicts: list[tuple[bytes, bool]] = field(default_factory=list)
    requests: list[bytes] = field(default_factory=list)
    waiting: list[Callable[[Findings | None], None]] = field(default_factory=list)
    looks: int = 0
    view: View = field(default_factory=View)

    def __post_init__(self) -> None:
        self.seat = ContestSeat(cast(ContestView, self.view), self, self, ME)

    def request(self, task: int, seq: int, value: bytes) -> None:
        self.requests.append(value)

    def verdict(self, task: int, seq: int, digest: bytes, ok: bool) -> None:
        self.verdicts.append((digest, ok))

    def now_s(self) -> int:
        return self.now

    def judge(self, view: ContestView, done: Callable[[Findings | None], None]) -> bool:
        self.looks += 1
        self.waiting.append(done)
        return True

    def vouch(self, root: bytes, done: Callable[[bool | None], None]) -> bool:
        raise AssertionError("no list is named")

    def act(self, view: ContestView, act: Act, done: Callable[[Outcome], None]) -> None:
        raise AssertionError(f"{act} is not due")

    def proposed(self, found: Findings) -> bytes:
        value = found.certificate.encode()
        digest = value_digest(value)
        self.seat.verify(Verify(seq=SEQ, digest=digest, value=value))
        return digest

    def go_on(self, ticks: int = 2 * MAX_RETRY_TICKS) -> None:
        """Time goes on, and every look finds what is there."""
        for _ in range(ticks):
            self.seat.tick()
            waiting, self.waiting = self.waiting, []
            for done in waiting:
                done(self.there)

    def words_about(self, digest: bytes) -> list[bool]:
        return [ok for about, ok in self.verdicts if about == digest]


def looked(there: Findings, now: int = HALF_S + 1) -> World:
    """A seat that has found ``there`` and proposed it."""
    world = World(there, now=now)
    world.go_on(ticks=1)
    assert world.requests == [there.certificate.encode()]
    return world


@pytest.mark.parametrize("shown", [BOTH, LIAR], ids=["scored", "fraud"])
def test_split__blob_shows_up_after_all__is_counted_here_before_it_is_accepted(shown: Findings) -> None:
    world = looked(HIDDEN)
    digest = world.proposed(shown)
    assert world.words_about(digest) == []
    world.there = shown
    world.go_on()
    assert set(world.words_about(digest)) == {True}
    assert world.requests[-1] == shown.certificate.encode()


def test_split__blob_stays_hidden__the_others_score_is_refused_until_it_is_counted_here() -> None:
    world = looked(HIDDEN)
    digest = world.proposed(BOTH)
    world.go_on()
    assert set(world.words_about(digest)) == {False}
    world.there = BOTH
    world.go_on()
    assert world.words_about(digest)[-1] is True


def test_split__score_that_is_not_what_is_counted_here__is_never_accepted() -> None:
    world = looked(HIDDEN)
    digest = world.proposed(findings(results(SCORED, SCORED, score=6)))
    assert world.words_about(digest) == [False]  # the first entry was there for both
    higher = replace(BOTH.record.entries[1], correct=9)
    digest = world.proposed(findings((BOTH.record.entries[0], higher)))
    world.there = BOTH
    world.go_on()
    assert set(world.words_about(digest)) == {False}


def test_split__entry_that_was_once_missing_here__may_be_called_withheld() -> None:
    world = looked(HIDDEN)
    world.proposed(BOTH)
    world.there = BOTH
    world.go_on()
    digest = world.proposed(HIDDEN)
    assert world.words_about(digest)[-1] is True


def test_split__entry_that_never_was_missing_here__is_looked_at_again_first() -> None:
    world = looked(BOTH)
    digest = world.proposed(HIDDEN)
    assert world.words_about(digest) == []
    world.go_on()
    assert set(world.words_about(digest)) == {False}
    world.there = HIDDEN
    world.go_on()
    assert world.words_about(digest)[-1] is True


def test_split__look_that_began_before_the_question__does_not_answer_it() -> None:
    world = World(HIDDEN)
    world.seat.tick()
    digest = world.proposed(BOTH)
    world.waiting.pop()(HIDDEN)
    assert world.words_about(digest) == []
    world.there = BOTH
    world.go_on()
    assert set(world.words_about(digest)) == {True}


def test_split__each_entry_found_at_another_time__is_accepted_together() -> None:
    world = looked(findings(results(WITHHELD, SCORED)))
    world.proposed(BOTH)
    world.there = HIDDEN
    world.go_on()
    assert True in world.words_about(world.proposed(BOTH))
    both_missing = world.proposed(findings(results(WITHHELD, WITHHELD)))
    assert world.words_about(both_missing) == [True]


def test_split__unusable_and_withheld_have_one_word__their_records_tell_them_apart() -> None:
    world = looked(findings(results(SCORED, UNUSABLE)))
    digest = world.proposed(HIDDEN)
    world.go_on()
    assert set(world.words_about(digest)) == {False}
    world.there = HIDDEN
    world.go_on()
    assert world.words_about(digest)[-1] is True


def test_split__test_set_that_was_hidden__follows_the_same_rule() -> None:
    world = looked(BAD)
    digest = world.proposed(BOTH)
    world.there = BOTH
    world.go_on()
    assert set(world.words_about(digest)) == {True}
    assert world.words_about(world.proposed(BAD))[-1] is True
    world = looked(BOTH)
    digest = world.proposed(BAD)
    world.go_on()
    assert set(world.words_about(digest)) == {False}


def test_split__before_the_half_time__nothing_is_looked_at_again() -> None:
    world = looked(BOTH, now=HALF_S)
    digest = world.proposed(HIDDEN)
    world.go_on()
    assert (world.words_about(digest), world.looks) == ([False], 1)
    world.now, world.there = HALF_S + 1, HIDDEN
    world.go_on()
    assert world.words_about(digest)[-1] is True


def test_split__members_stay_split__looks_become_rare() -> None:
    world = looked(HIDDEN)
    world.proposed(BOTH)
    world.go_on(ticks=20 * MAX_RETRY_TICKS)
    assert 20 <= world.looks <= 28


def test_split__no_argument__nothing_is_looked_at_again() -> None:
    world = looked(HIDDEN)
    world.proposed(HIDDEN)
    world.go_on()
    assert world.looks == 1


def test_reveals__end_by_a_clock_that_is_ahead_of_the_chain__are_not_over() -> None:
    world = World(BOTH, now=REVEALS_END_S + 1, view=View(time_s=REVEALS_END_S))
    world.go_on()
    assert (world.looks, world.requests) == (0, [])
    world.seat.moved(
        cast(ContestView, replace(world.view, entries=("a", "b", "c"), time_s=REVEALS_END_S + 1))
    )
    world.go_on(ticks=1)
    assert world.looks == 1


def test_reveals__chain_on_which_nothing_happens__are_over_when_their_last_block_would_be_seen() -> None:
    early = World(BOTH, now=REVEALS_END_S + LAST_BLOCK_S, view=View(time_s=REVEALS_END_S - 5))
    early.go_on()
    assert early.looks == 0
    late = World(BOTH, now=REVEALS_END_S + LAST_BLOCK_S + 1, view=View(time_s=REVEALS_END_S - 5))
    late.go_on()
    assert late.looks == 1


def test_term__ends_by_whichever_clock_is_later__nothing_is_proposed() -> None:
    world = World(BOTH, now=END_S + 1)
    world.go_on()
    assert world.looks == 0
