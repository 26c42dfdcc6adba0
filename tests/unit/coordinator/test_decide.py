from collections.abc import Mapping
from dataclasses import replace

import pytest

from coordinator.domain.actions import (
    AssignShard,
    CloseRound,
    OpenRound,
    ProposeSegment,
    ReassignExpired,
    ResendSegment,
    RollBack,
)
from coordinator.domain.decide import (
    MAX_ATTEMPTS,
    PARK_S,
    PATIENT_SENDS,
    asks_everybody,
    decide,
    resend_after_s,
)
from coordinator.domain.lifecycle import RoundStatus, TaskStatus
from coordinator.domain.view import Lease, MinerView, Plan, RoundView, SegmentView, TaskView
from protocol.ids import Address, RoundNo, Sha256, ShardNo, TaskId

NOW = 10_000.0
A, B = Address("0xa"), Address("0xb")
PLAN = Plan(
    rounds=10,
    shards=2,
    min_shards=1,
    miner_stake=5,
    round_deadline_s=20,
    max_uncertified_rounds=3,
    rounds_per_certificate=2,
    deadline_s=20_000,
)


def model(n: int) -> Sha256:
    return Sha256(n.to_bytes(32, "big"))


def lease(shard: int, miner: Address, *, attempt: int = 1, sent: float | None = NOW) -> Lease:
    return Lease(
        shard=ShardNo(shard),
        miner=miner,
        attempt=attempt,
        fence=shard,
        granted_s=NOW,
        sent_s=sent,
        lease_s=10,
    )


def a_round(
    number: int,
    status: RoundStatus = RoundStatus.COMPUTED,
    accepted: Mapping[int, Address] | None = None,
    leases: tuple[Lease, ...] = (),
    opened: float = NOW,
) -> RoundView:
    known = {0: A, 1: B} if accepted is None else accepted
    return RoundView(
        number=RoundNo(number),
        status=status,
        parent_model=model(number - 1),
        model=None if status is RoundStatus.OPEN else model(number),
        opened_s=opened,
        accepted={ShardNo(k): v for k, v in known.items()},
        leases={item.shard: item for item in leases},
    )


def an_open(number: int, accepted: Mapping[int, Address], *leases: Lease, opened: float = NOW) -> RoundView:
    return a_round(number, RoundStatus.OPEN, accepted, leases, opened)


def task(*rounds: RoundView, certified: int = 0, flight: SegmentView | None = None) -> TaskView:
    return TaskView(
        task_id=TaskId(1),
        status=TaskStatus.RUNNING,
        plan=PLAN,
        certified_round=RoundNo(certified),
        certified_model=model(certified),
        rounds=rounds,
        in_flight=flight,
        miners=(
            MinerView(address=A, stake=5, last_seen_s=NOW, silent_at_s=NOW + 7),
            MinerView(address=B, stake=5, last_seen_s=NOW, silent_at_s=NOW + 7),
        ),
    )


def in_flight(first: int, last: int, *, sends: int = 1, refusals: int = 0) -> SegmentView:
    return SegmentView(
        first_round=RoundNo(first), last_round=RoundNo(last), sent_s=NOW, sends=sends, refusals=refusals
    )


@pytest.mark.parametrize("status", [s for s in TaskStatus if s is not TaskStatus.RUNNING])
def test_decide__task_not_running__nothing(status: TaskStatus) -> None:
    assert decide(replace(task(), status=status), NOW) == []


def test_decide__nothing_begun__opens_the_round_after_the_certified_one() -> None:
    assert decide(task(certified=4), NOW) == [OpenRound(round=RoundNo(5))]


def test_decide__open_round_without_holders__assigns_each_shard() -> None:
    actions = decide(task(an_open(1, {})), NOW)
    assert [type(a) for a in actions] == [AssignShard, AssignShard]
    assert {a.miner for a in actions if isinstance(a, AssignShard)} == {A, B}


def test_decide__shards_leased_and_in_time__waits() -> None:
    assert decide(task(an_open(1, {}, lease(0, A), lease(1, B))), NOW + 1) == []


def test_decide__all_shards_accepted__closes_the_round() -> None:
    assert decide(task(an_open(1, {0: A, 1: B})), NOW) == [CloseRound(round=RoundNo(1))]


def test_decide__deadline_passed_with_the_minimum__closes_without_the_rest() -> None:
    late = an_open(1, {0: A}, lease(1, B), opened=NOW - PLAN.round_deadline_s)
    assert decide(task(late), NOW) == [CloseRound(round=RoundNo(1))]


def test_decide__deadline_passed_below_the_minimum__goes_on_waiting() -> None:
    late = an_open(1, {}, lease(0, A), lease(1, B), opened=NOW - PLAN.round_deadline_s)
    assert decide(task(late), NOW) == []


def test_decide__lease_run_out__goes_to_the_other_miner_with_a_strike() -> None:
    old = lease(1, B, sent=NOW - 10)
    actions = decide(task(an_open(1, {0: A}, old)), NOW)
    expected = ReassignExpired(
        round=RoundNo(1), shard=ShardNo(1), holder=B, fence=1, miner=A, attempt=2, strike=True
    )
    assert actions == [expected]


def test_decide__holder_silent__is_replaced_at_once_without_a_strike() -> None:
    view = task(an_open(1, {0: A}, lease(1, B)))
    silent = replace(
        view, miners=(view.miners[0], replace(view.miners[1], last_seen_s=NOW - 60, silent_at_s=NOW - 53))
    )
    (action,) = decide(silent, NOW)
    assert isinstance(action, ReassignExpired)
    assert (action.miner, action.strike) == (A, False)


def test_decide__coordinator_just_back__does_not_take_its_own_absence_for_silence() -> None:
    view = task(an_open(1, {0: A}, lease(1, B)))
    silent = replace(
        view,
        miners=(view.miners[0], replace(view.miners[1], last_seen_s=NOW - 60, silent_at_s=NOW - 53)),
        listening_since_s=NOW - 1,
    )
    assert decide(silent, NOW) == []


def test_decide__attempts_used_up__parks_the_shard_for_a_while() -> None:
    tired = lease(1, B, attempt=MAX_ATTEMPTS, sent=NOW - 10)
    view = task(an_open(1, {0: A}, tired))
    assert decide(view, NOW) == []
    awake = replace(
        view,
        miners=tuple(replace(m, last_seen_s=NOW + PARK_S, silent_at_s=NOW + PARK_S + 7) for m in view.miners),
    )
    fresh = replace(awake, rounds=(replace(view.rounds[0], opened_s=NOW + PARK_S),))
    (action,) = decide(fresh, NOW + PARK_S)
    assert isinstance(action, ReassignExpired)
    assert action.attempt == MAX_ATTEMPTS + 1


def test_decide__computed_round__opens_the_next_before_certification() -> None:
    assert decide(task(a_round(1)), NOW) == [OpenRound(round=RoundNo(2))]


def test_decide__uncertified_limit_reached__opens_nothing_but_proposes() -> None:
    rounds = (a_round(1), a_round(2), a_round(3))
    assert decide(task(*rounds), NOW) == [ProposeSegment(first_round=RoundNo(1), last_round=RoundNo(2))]


def test_decide__segment_in_flight__proposes_no_other() -> None:
    rounds = (a_round(1, RoundStatus.PROPOSED), a_round(2, RoundStatus.PROPOSED), a_round(3))
    assert decide(task(*rounds, flight=in_flight(1, 2)), NOW) == []


def test_decide__no_answer__asks_again_after_doubling_pauses() -> None:
    rounds = (a_round(1, RoundStatus.PROPOSED), a_round(2, RoundStatus.PROPOSED), a_round(3))
    for sends in (1, 2, 3):
        view = task(*rounds, flight=in_flight(1, 2, sends=sends))
        assert decide(view, NOW + resend_after_s(sends) - 0.1) == []
        (action,) = decide(view, NOW + resend_after_s(sends))
        assert action == ResendSegment(first_round=RoundNo(1), last_round=RoundNo(2))
    assert [resend_after_s(n) for n in (1, 2, 3, 5, 99)] == [2, 4, 8, 30, 30]


def test_decide__last_round_computed__proposes_a_short_segment() -> None:
    view = task(a_round(10), certified=9)
    assert decide(view, NOW) == [ProposeSegment(first_round=RoundNo(10), last_round=RoundNo(10))]


def test_decide__nobody_to_work__proposes_what_is_there() -> None:
    view = replace(task(a_round(1), an_open(2, {})), miners=())
    assert decide(view, NOW) == [ProposeSegment(first_round=RoundNo(1), last_round=RoundNo(1))]


def test_decide__deadline_near__proposes_what_is_there() -> None:
    view = task(a_round(1), an_open(2, {}, lease(0, A), lease(1, B)))
    hurried = replace(view, plan=replace(PLAN, deadline_s=int(NOW) + PLAN.round_deadline_s))
    assert decide(hurried, NOW) == [ProposeSegment(first_round=RoundNo(1), last_round=RoundNo(1))]


def test_decide__unfit_miner_in_an_uncertified_round__rolls_back_to_it_and_nothing_else() -> None:
    rounds = (a_round(1, accepted={0: A, 1: A}), a_round(2), a_round(3))
    unfit = replace(task(*rounds, flight=in_flight(1, 2)), unfit=frozenset({B}))
    assert decide(unfit, NOW) == [RollBack(to_round=RoundNo(2), without=frozenset({B}))]


def test_decide__unfit_holder_of_a_lease__loses_it() -> None:
    view = replace(task(an_open(1, {0: A}, lease(1, B))), unfit=frozenset({B}))
    (action,) = decide(view, NOW)
    assert isinstance(action, ReassignExpired)
    assert (action.holder, action.miner) == (B, A)


def test_decide__more_than_f_members_reject_without_a_fault__gives_the_work_up_after_patience() -> None:
    rounds = (a_round(1, RoundStatus.PROPOSED), a_round(2, RoundStatus.PROPOSED), a_round(3))
    view = task(*rounds, flight=in_flight(1, 2, sends=PATIENT_SENDS, refusals=2))
    assert decide(view, NOW) == []
    expected = RollBack(to_round=RoundNo(1), without=frozenset(), everything=True)
    assert decide(view, NOW + resend_after_s(PATIENT_SENDS)) == [expected]
    one_liar = task(*rounds, flight=in_flight(1, 2, sends=PATIENT_SENDS, refusals=1))
    (action,) = decide(one_liar, NOW + resend_after_s(PATIENT_SENDS))
    assert isinstance(action, ResendSegment)


def test_decide__ring_of_records_crowded__waits_for_all_rounds_that_may_run_ahead() -> None:
    two = task(a_round(1), a_round(2))
    assert ProposeSegment(first_round=RoundNo(1), last_round=RoundNo(2)) in decide(two, NOW)
    crowded = replace(two, crowded=True)
    assert not any(isinstance(action, ProposeSegment) for action in decide(crowded, NOW))
    three = replace(crowded, rounds=(a_round(1), a_round(2), a_round(3)))
    assert ProposeSegment(first_round=RoundNo(1), last_round=RoundNo(3)) in decide(three, NOW)


def test_decide__ring_of_records_full__proposes_nothing_before_there_is_room() -> None:
    full = task(a_round(1), a_round(2))
    full = replace(full, room_at_s=NOW + 5)
    assert not any(isinstance(action, ProposeSegment) for action in decide(full, NOW))
    assert any(isinstance(action, ProposeSegment) for action in decide(full, NOW + 5))


@pytest.mark.parametrize(
    "rounds",
    [
        (an_open(1, {}),),
        (an_open(1, {0: A}, lease(1, B)),),
        (an_open(1, {0: A}, lease(1, B, sent=NOW - 10)),),
        (a_round(1), an_open(2, {}, lease(0, B), lease(1, B))),
        (a_round(1), a_round(2), an_open(3, {}, lease(0, B), lease(1, B))),
        (a_round(1),),
        (),
    ],
)
@pytest.mark.parametrize("late", [0.0, 8.0, 30.0])
def test_decide__on_holders_of_leases_alone__is_the_same_unless_it_asks_for_everybody(
    rounds: tuple[RoundView, ...], late: float
) -> None:
    everybody = task(*rounds)
    holders = {item.miner for one in rounds for item in one.leases.values()}
    few = replace(everybody, miners=tuple(m for m in everybody.miners if m.address in holders))
    assert asks_everybody(few, NOW + late) or decide(few, NOW + late) == decide(everybody, NOW + late)


def test_asks_everybody__vacant_shard_or_not__is_when_somebody_is_to_be_chosen() -> None:
    assert asks_everybody(task(an_open(1, {})), NOW)
    assert not asks_everybody(task(an_open(1, {0: A}, lease(1, B))), NOW)
    assert not asks_everybody(task(), NOW)
