"""A task's history and its session through draws, disputes and certificates that fall."""

from dataclasses import replace

import pytest

from committee.submitter import Outcome, unslashed
from protocol import merkle
from protocol.blobs import BlobStore, open_blob_store
from protocol.chain.dispute_events import FaultVoided
from protocol.chain.events import (
    CertificateAccepted,
    CertificatesOverturned,
    CommitteeDrawn,
    DisputeEnded,
    TaskDisputed,
)
from protocol.chain.history import EventsMissing, TaskHistory
from protocol.evidence import FaultReport
from protocol.ids import RoundNo
from tests.unit.committee_app.histories import (
    Around,
    at_start,
    certified,
    decision,
    next_record,
    session,
    ticks,
    where,
)
from tests.unit.protocol.builders import DOMAIN, account, contribution, ledger

LONG = 2_000


@pytest.fixture
def blobs() -> BlobStore:
    return open_blob_store("memory://disputed-history-tests")


def grown(count: int) -> list[TaskHistory]:
    """The history after 0, 1, ... ``count`` certificates."""
    found = [at_start(ledger(recipe__rounds=100))]
    for _ in range(count):
        found.append(certified(found[-1], next_record(found[-1])))
    return found


def disputed(history: TaskHistory, first: int, blobs: BlobStore) -> TaskHistory:
    event = TaskDisputed(where=where(90), task_id=history.ledger.task_id, first=first)
    return history.followed_by(event, blobs)


def overturned(history: TaskHistory, first: int, blobs: BlobStore) -> TaskHistory:
    event = CertificatesOverturned(
        where=where(91), task_id=history.ledger.task_id, first=first, last_round=RoundNo(first)
    )
    return history.followed_by(event, blobs)


def test_history__committee_drawn__its_members_are_the_task_s(blobs: BlobStore) -> None:
    whole = at_start()
    waiting = replace(whole, ledger=replace(whole.ledger, members=()))
    assert not waiting.drawn
    event = CommitteeDrawn(where=where(3), task_id=whole.ledger.task_id, members=whole.ledger.members)
    assert waiting.followed_by(event, blobs) == whole


def test_history__certificate_before_the_draw__events_are_missing(blobs: BlobStore) -> None:
    one = certified(at_start(), next_record(at_start()))
    waiting = replace(at_start(), ledger=replace(at_start().ledger, members=()))
    event = one.segments[0].event
    assert isinstance(event, CertificateAccepted)
    with pytest.raises(EventsMissing, match="no committee"):
        waiting.followed_by(event, blobs)


@pytest.mark.parametrize("first", [0, 1, 2])
def test_history__overturned__is_the_state_before_the_first_void_certificate(
    first: int, blobs: BlobStore
) -> None:
    states = grown(3)
    after = overturned(disputed(states[3], first, blobs), first, blobs)
    assert after.ledger == states[first].ledger
    assert after.segments == states[first].segments
    assert [segment.event.index for segment in after.void] == list(range(first, 3))
    assert after.disputed_from is None


def test_history__trimmed_and_overturned__needs_only_the_last_record_that_stands(blobs: BlobStore) -> None:
    states = grown(4)
    after = overturned(states[4].trimmed(2), 3, blobs)
    assert (after.certificates, after.ledger) == (3, states[3].ledger)
    with pytest.raises(EventsMissing, match="number 1"):
        overturned(states[4].trimmed(2), 2, blobs)


def test_unslashed__fault_found_wrong_on_appeal__is_left_alone(blobs: BlobStore) -> None:
    start = at_start()
    report = FaultReport.signed(contribution(start.ledger, 1, 3, start.ledger.model, 9), DOMAIN, account(101))
    one = certified(start, replace(next_record(start), faults=(report.fault,), fault_evidence=(report,)))
    assert unslashed(one) == [report.fault]
    leaf = merkle.leaf_hash(report.fault.leaf(), merkle.FAULT_LEAF)
    event = FaultVoided(where=where(9), task_id=start.ledger.task_id, leaf=leaf)
    assert unslashed(one.followed_by(event, blobs)) == []


def test_session__disputed__the_work_goes_on(blobs: BlobStore) -> None:
    states, around = grown(1), Around()
    made = session(states[1], around)
    made.moved(disputed(states[1], 0, blobs))
    made.decided(decision(states[1], next_record(states[1]), seq=2))
    ticks(made, LONG)
    assert len(around.posts) == 1


def test_history__dispute_ended__nothing_is_frozen_any_more(blobs: BlobStore) -> None:
    one = disputed(grown(1)[1], 0, blobs)
    assert one.disputed_from == 0
    ended = one.followed_by(DisputeEnded(where=where(92), task_id=one.ledger.task_id), blobs)
    assert ended.disputed_from is None


def test_session__overturned__ends_and_posts_nothing_more(blobs: BlobStore) -> None:
    states, around = grown(2), Around()
    made = session(states[2], around)
    made.decided(decision(states[2], next_record(states[2]), seq=3))
    made.moved(overturned(disputed(states[2], 1, blobs), 1, blobs))
    ticks(made, LONG)
    assert not around.posts
    assert made.settled


def test_session__slash_too_early__is_tried_again_until_the_window_has_closed() -> None:
    start, around = at_start(), Around()
    report = FaultReport.signed(contribution(start.ledger, 1, 3, start.ledger.model, 9), DOMAIN, account(101))
    made = session(start, around)
    made.moved(
        certified(start, replace(next_record(start), faults=(report.fault,), fault_evidence=(report,)))
    )
    for _ in range(LONG):
        made.tick()
        if around.slashes:
            around.slashes.pop()[1](Outcome.EARLY)
    assert not made.settled
    ticks(made, LONG)
    assert [fault for fault, _ in around.slashes] == [report.fault]
