"""The small parts of a replica: vote counting, waiting, helping, slots."""

import pytest

from committee.helper import MAX_REMEMBERED, Helper
from committee.log import Log, Slot
from committee.state import MAX_CANDIDATES, WINDOW, ReplicaConfig
from committee.timers import MAX_DOUBLINGS, Stage, ViewTimer
from committee.votes import Cast, VoteSet
from tests.simulation.keys import committee

A, B = b"a" * 32, b"b" * 32


def test_votes__first_counts__a_repetition_does_not_and_another_is_conflicting() -> None:
    votes = VoteSet()
    assert votes.add(1, A, b"p") is Cast.COUNTED
    assert votes.add(1, A, b"q") is Cast.REPEATED
    assert votes.add(1, B, b"r") is Cast.CONFLICTING
    assert (votes.count(A), votes.count(B), len(votes)) == (1, 0, 1)
    assert votes.vote_of(1) == (A, b"p")
    assert votes.vote_of(2) is None


def test_votes__quorum__is_proved_by_its_lowest_members() -> None:
    votes = VoteSet()
    for member in (3, 0, 2, 1):
        assert votes.agreed(3) is None or member == 1
        votes.add(member, A, b"%d" % member)
    assert votes.agreed(3) == A
    assert votes.proof(A, 3) == ((0, 1, 2), (b"0", b"1", b"2"))


def test_votes__as_many_as_a_quorum_for_different_values__agree_on_none() -> None:
    votes = VoteSet()
    for member, digest in enumerate((A, B, A, B)):
        votes.add(member, digest, b"p")
    assert votes.agreed(3) is None


def timer() -> ViewTimer:
    return ViewTimer(timeout_ticks=10, max_check_ticks=100)


def test_timer__same_key__goes_on_waiting() -> None:
    one = timer()
    one.watch((0, 1, Stage.PROPOSAL), 0)
    one.watch((0, 1, Stage.PROPOSAL), 9)
    assert not one.expired(9)
    assert one.expired(10)


def test_timer__new_key_or_none__starts_afresh_or_stops() -> None:
    one = timer()
    one.watch((0, 1, Stage.PROPOSAL), 0)
    one.watch((0, 1, Stage.PREPARES), 9)
    assert not one.expired(18)
    one.watch(None, 18)
    assert not one.expired(10_000)


def test_timer__each_view_without_a_value__doubles_the_wait_up_to_the_cap() -> None:
    one = timer()
    waits = []
    for view in range(MAX_DOUBLINGS + 2):
        one.view = view
        waits.append(one.wait_ticks)
    assert waits == [10, 20, 40, 80, 160, 320, 640, 640]
    one.view = 10**6
    assert one.wait_ticks == 640


def test_timer__a_value_fixed_in_this_view__makes_the_wait_short_and_in_an_older_one_shorter() -> None:
    one = timer()
    one.view = 7
    one.progress(5)
    assert one.wait_ticks == 40
    one.progress(3)
    assert one.wait_ticks == 40
    one.progress(7)
    assert one.wait_ticks == 10


def test_timer__views_that_ended_for_a_good_reason__do_not_count() -> None:
    one = timer()
    one.view = 2
    one.excuse(1)
    assert one.wait_ticks == 20
    one.excuse(5)
    assert one.wait_ticks == 10


def test_timer__signs_of_life__stretch_the_wait_but_not_for_ever() -> None:
    one = timer()
    one.watch((0, 1, Stage.PREPARES), 0)
    for now in range(1, 200):
        one.sign_of_life(now)
    assert not one.expired(109)
    assert one.expired(110)


def test_helper__first_stale_message__is_only_late() -> None:
    helper = Helper()
    assert not helper.is_stuck(1, 5, now=3)
    assert not helper.is_stuck(1, 5, now=3)
    assert helper.is_stuck(1, 5, now=4)
    assert not helper.is_stuck(1, 5, now=4)


def test_helper__many_topics__remembers_a_bounded_number() -> None:
    helper = Helper()
    for topic in range(3 * MAX_REMEMBERED):
        helper.is_stuck(1, topic, now=0)
    assert len(helper._seen) == MAX_REMEMBERED


def test_slot__full_of_candidates__makes_room_by_the_rejected_first_and_keeps_what_is_referred_to() -> None:
    slot = Slot(seq=1)
    for k in range(MAX_CANDIDATES):
        slot.learn(b"%d" % k, b"v").requested = True
    assert not slot.has_room()
    slot.candidates[b"3"].verdict = False
    assert slot.has_room()
    slot.committed_digest = b"0"
    slot.learn(b"new", b"v")
    assert b"3" not in slot.candidates
    slot.learn(b"newer", b"v")
    assert b"0" in slot.candidates
    assert b"1" not in slot.candidates
    assert len(slot.candidates) == MAX_CANDIDATES


def test_log__windows__follow_what_is_final_and_can_be_shown() -> None:
    log = Log(4)
    assert (log.low, log.propose_limit, log.accept_limit) == (0, 4, 8)
    log.finalize(3)
    assert (log.low, log.finalized, log.delivered) == (0, 3, 3)


@pytest.mark.parametrize(
    "changes",
    [
        {"me": 4},
        {"me": -1},
        {"retransmit_ticks": 0},
        {"view_timeout_ticks": 4, "retransmit_ticks": 4},
        {"max_check_ticks": 5, "view_timeout_ticks": 6},
        {"window": 0},
        {"window": WINDOW + 1},
    ],
)
def test_config__out_of_its_bounds__is_refused(changes: dict[str, int]) -> None:
    instance, _ = committee(4)
    fields = {"me": 0, "view_timeout_ticks": 8, "retransmit_ticks": 2, "max_check_ticks": 40, **changes}
    with pytest.raises(ValueError, match=r"must hold|does not exist|window"):
        ReplicaConfig(instance=instance, **fields)
