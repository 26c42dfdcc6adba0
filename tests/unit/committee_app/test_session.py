"""A session keeps an honest task moving: nothing that is owed is forgotten, nothing false is repeated."""

from dataclasses import replace

from committee.due import MAX_RETRY_TICKS
from committee.session import KEPT_DECISIONS
from committee.submitter import Outcome
from committee.verify import Finding, Judgement
from protocol.chain.events import TaskClosed
from protocol.evidence import Fault, FaultReport
from protocol.ids import RoundNo, Wei
from tests.unit.committee_app.histories import (
    DEADLINE,
    STARTS_AT,
    Around,
    at_start,
    certified,
    decision,
    next_record,
    question,
    session,
    ticks,
    where,
)
from tests.unit.protocol.builders import DOMAIN, account, contribution, ledger

VALID = Judgement(finding=Finding.VALID)
UNKNOWN = Judgement(finding=Finding.UNKNOWN, reason="a blob is withheld")
LONG = 50 * MAX_RETRY_TICKS


def test_verify__chain_behind__is_checked_once_the_chain_is_there() -> None:
    start, around = at_start(), Around()
    one = certified(start, next_record(start))
    made = session(start, around)
    made.verify(question(one, next_record(one), seq=2))
    ticks(made, 20)
    assert not around.checks
    made.moved(one)
    assert len(around.checks) == 1
    around.answer(VALID)
    assert around.verdicts == [(2, True)]


def test_verify__data_withheld__is_tried_for_ever_but_ever_more_seldom() -> None:
    start, around = at_start(), Around()
    made = session(start, around)
    made.verify(question(start, next_record(start)))
    tries = 0
    for _ in range(LONG):
        if around.checks:
            tries += 1
            around.answer(UNKNOWN)
        made.tick()
    assert 40 < tries < 70
    assert not around.verdicts
    ticks(made, MAX_RETRY_TICKS)
    around.answer(VALID)
    assert around.verdicts == [(1, True)]


def test_verify__too_many_checks_wait__is_tried_again() -> None:
    start, around = at_start(), Around(takes_checks=False)
    made = session(start, around)
    made.verify(question(start, next_record(start)))
    around.takes_checks = True
    ticks(made, MAX_RETRY_TICKS)
    assert len(around.checks) == 1


def test_verify__before_the_task_starts__waits_for_the_start() -> None:
    start, around = at_start(), Around(time_s=STARTS_AT - 100)
    made = session(start, around)
    made.verify(question(start, next_record(start)))
    ticks(made, 500)
    assert not around.checks
    around.time_s = STARTS_AT
    made.tick()
    assert len(around.checks) == 1


def test_decided__chain_out_of_reach_for_long__is_posted_when_it_is_back() -> None:
    start, around = at_start(), Around()
    record = next_record(start)
    made = session(start, around)
    made.decided(decision(start, record))
    tries = 0
    for _ in range(LONG):
        made.tick()
        if around.posts:
            tries += 1
            around.posts.pop()[1](Outcome.UNREACHABLE)
    assert tries > 40
    ticks(made, MAX_RETRY_TICKS)
    assert len(around.posts) == 1
    around.posts.pop()[1](Outcome.DONE)
    made.moved(certified(start, record))
    ticks(made, LONG)
    assert not around.posts


def test_decided__transaction_under_way__is_not_posted_a_second_time_meanwhile() -> None:
    start, around = at_start(), Around()
    made = session(start, around)
    made.decided(decision(start, next_record(start)))
    ticks(made, LONG)
    assert len(around.posts) == 1


def test_decided__certificate_undone_by_a_reorganisation__is_posted_again() -> None:
    start, around = at_start(), Around()
    record = next_record(start)
    one = certified(start, record)
    made = session(start, around)
    made.decided(decision(start, record))
    ticks(made, 20)
    around.posts.pop()[1](Outcome.DONE)
    made.moved(one)
    ticks(made, 20)
    made.moved(start)
    ticks(made, 20)
    assert [endorsed.signed.certificate.last_round for endorsed, _ in around.posts] == [1]


def test_decided__posted_long_ago__is_forgotten() -> None:
    state = ledger(recipe__rounds=1000)
    history, around = at_start(state), Around()
    made = session(history, around)
    for seq in range(1, KEPT_DECISIONS + 20):
        record = next_record(history)
        made.decided(decision(history, record, seq))
        history = certified(history, record).trimmed(8)
        made.moved(history)
    assert len(made._decided) == KEPT_DECISIONS
    assert history.certificates == KEPT_DECISIONS + 19
    assert len(history.segments) == 8


def test_moved__other_signers_on_another_branch__what_was_judged_is_judged_again() -> None:
    """Who signed decides who is paid, so a proposal that was true on one branch is false on the other."""
    start, around = at_start(), Around()
    record = next_record(start)
    left, right = certified(start, record, signers=0b0111), certified(start, record, signers=0b1110)
    made = session(left, around)
    made.verify(question(left, next_record(left), seq=2))
    around.answer(VALID)
    made.moved(right)
    assert len(around.checks) == 1
    around.answer(Judgement(finding=Finding.INVALID, reason="its payouts differ"))
    assert around.verdicts == [(2, True), (2, False)]


def test_moved__check_of_the_old_branch_ends_late__does_not_count() -> None:
    start, around = at_start(), Around()
    record = next_record(start)
    left, right = certified(start, record, signers=0b0111), certified(start, record, signers=0b1110)
    made = session(left, around)
    made.verify(question(left, next_record(left), seq=2))
    made.moved(right)
    around.answer(VALID)
    assert not around.verdicts
    around.answer(VALID)
    assert around.verdicts == [(2, True)]


def test_deadline__passed__nothing_is_checked_or_posted_and_the_session_ends() -> None:
    start, around = at_start(), Around(time_s=DEADLINE + 3600)
    made = session(start, around)
    made.decided(decision(start, next_record(start)))
    ticks(made, LONG)
    assert not around.posts
    assert made.settled


def faulty(signers: int = 0b0111) -> tuple[Around, FaultReport, Fault]:
    state = ledger()
    bad = contribution(state, 1, 3, state.model, 9)
    report = FaultReport.signed(bad, DOMAIN, account(101))
    return Around(), report, report.fault


def test_slash__stake_is_gone__is_given_up_and_the_session_can_end() -> None:
    around, report, fault = faulty()
    start = at_start()
    record = replace(next_record(start), faults=(fault,), fault_evidence=(report,))
    one = certified(start, record)
    made = session(start, around)
    made.moved(one)
    ticks(made, MAX_RETRY_TICKS)
    around.slashes.pop()[1](Outcome.POINTLESS)
    closed = TaskClosed(where=where(9), task_id=start.ledger.task_id, last_round=RoundNo(1), refund=Wei(0))
    made.moved(replace(one, ended=closed))
    assert made.settled
    ticks(made, LONG)
    assert not around.slashes


def test_slash__chain_out_of_reach__is_owed_after_the_task_was_closed() -> None:
    around, report, fault = faulty()
    start = at_start()
    closed = TaskClosed(where=where(9), task_id=start.ledger.task_id, last_round=RoundNo(1), refund=Wei(0))
    one = certified(start, replace(next_record(start), faults=(fault,), fault_evidence=(report,)))
    made = session(start, around)
    made.moved(replace(one, ended=closed))
    for _ in range(LONG):
        made.tick()
        if around.slashes:
            around.slashes.pop()[1](Outcome.UNREACHABLE)
    assert not made.settled
    ticks(made, MAX_RETRY_TICKS)
    assert [fault for fault, _ in around.slashes] == [fault]


def test_found__fault_in_an_accepted_proposal__takes_the_verdict_back_and_is_reported_until_certified() -> (
    None
):
    around, report, fault = faulty()
    start = at_start()
    made = session(start, around)
    made.verify(question(start, next_record(start)))
    around.answer(Judgement(finding=Finding.VALID, contained=frozenset({fault})))
    made.hear(report)
    around.answer(Judgement(finding=Finding.INVALID, faults=(report.contribution,)))
    assert around.verdicts == [(1, True), (1, False)]
    ticks(made, LONG)
    assert 40 < len(around.spreads) < 80
    record = replace(next_record(start), faults=(fault,), fault_evidence=(report,))
    made.moved(certified(start, record))
    around.spreads.clear()
    ticks(made, LONG)
    assert not around.spreads
