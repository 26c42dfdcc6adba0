"""A book of reports that a liar cannot fill, and that costs the honest no more than a few examinations."""

from dataclasses import replace

import pytest

from committee.due import MAX_RETRY_TICKS
from committee.faults import MAX_FAULTS_PER_MINER, MAX_OPEN_REPORTS, FaultBook
from protocol.errors import PeerMisbehaved
from protocol.evidence import FaultReport
from protocol.ids import sha256
from protocol.ledger import TaskLedger
from tests.unit.protocol.builders import DOMAIN, account, contribution, ledger

LIAR, HONEST = 100, 101


def report(state: TaskLedger, reporter: int, miner: int, number: int = 0) -> FaultReport:
    bad = contribution(state, 1 + number, 0, sha256(b"parent %d" % number), miner)
    return FaultReport.signed(bad, DOMAIN, account(reporter))


def test_hear__flood_by_one_member__is_bounded_and_leaves_room_for_the_others() -> None:
    state, book = ledger(), FaultBook()
    examinations = sum(
        book.hear(report(state, LIAR, 200 + i, i), state, DOMAIN, now=0) for i in range(3 * MAX_OPEN_REPORTS)
    )
    assert examinations == MAX_OPEN_REPORTS
    assert len(book.reports) == MAX_OPEN_REPORTS
    assert book.hear(report(state, HONEST, 1), state, DOMAIN, now=0)


def test_hear__reports_that_came_true__do_not_count_against_the_reporter() -> None:
    state, book = ledger(), FaultBook()
    for i in range(3 * MAX_OPEN_REPORTS):
        told = report(state, HONEST, 200 + i, i)
        assert book.hear(told, state, DOMAIN, now=0)
        book.confirm(told, told.reporter(DOMAIN))


def test_hear__many_faults_of_one_miner__only_a_few_are_examined() -> None:
    """A miner with a confirmed fault is excluded; more examinations would only burn time."""
    state, book = ledger(), FaultBook()
    for i in range(MAX_FAULTS_PER_MINER):
        told = report(state, HONEST, 9, i)
        assert book.hear(told, state, DOMAIN, now=0)
        book.confirm(told, told.reporter(DOMAIN))
    assert not book.hear(report(state, HONEST, 9, 99), state, DOMAIN, now=0)


def test_hear__repeated__is_examined_once() -> None:
    state, book = ledger(), FaultBook()
    told = report(state, HONEST, 9)
    assert [book.hear(told, state, DOMAIN, now) for now in range(0, 1000, 10)].count(True) == 1


def test_hear__data_missing__is_examined_again_but_ever_more_seldom() -> None:
    state, book = ledger(), FaultBook()
    told = report(state, HONEST, 9)
    tries = 0
    for now in range(0, 50 * MAX_RETRY_TICKS, 10):
        if book.hear(told, state, DOMAIN, now):
            tries += 1
            book.undecided(told.fault, now)
    assert 40 < tries < 70


def test_hear__certified_fault__is_not_examined_after_a_restart() -> None:
    state, book = ledger(), FaultBook()
    told = report(state, HONEST, 9)
    known = replace(state, faults=(told.fault,))
    assert not book.hear(told, known, DOMAIN, now=0)
    assert not book.reports


def test_hear__stranger_or_other_task__is_the_reporters_fault() -> None:
    state, book = ledger(), FaultBook()
    with pytest.raises(PeerMisbehaved, match="not a member"):
        book.hear(report(state, 55, 9), state, DOMAIN, now=0)
    other = ledger(title="another")
    with pytest.raises(PeerMisbehaved, match="another task or spec"):
        book.hear(report(other, HONEST, 9), state, DOMAIN, now=0)
    assert not book.reports
