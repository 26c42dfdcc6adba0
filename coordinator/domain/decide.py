"""What to do next for one task: a pure function of a snapshot and the time."""

from coordinator.domain.actions import (
    Action,
    AssignShard,
    CloseRound,
    OpenRound,
    ProposeSegment,
    ReassignExpired,
    ResendSegment,
    RollBack,
)
from coordinator.domain.assignment import Vacancy, assign, eligible
from coordinator.domain.lifecycle import RoundStatus, TaskStatus
from coordinator.domain.view import Lease, MinerView, RoundView, TaskView
from protocol.ids import Address, RoundNo, ShardNo

MAX_ATTEMPTS = 8  # leases of one shard that follow each other without a pause
PARK_S = 60.0  # the pause after them
RESEND_BASE_S = 2.0
RESEND_MAX_S = 30.0
PATIENT_SENDS = 3  # a segment that more than f members reject is asked for so often before it is given up


def decide(view: TaskView, now_s: float) -> list[Action]:
    """The actions that ``view`` calls for, in the order in which to take them; empty when there is nothing to
    do.

    A roll-back stands alone: whatever else there is to do is decided on the state after it.
    """
    if view.status is not TaskStatus.RUNNING:
        return []
    back = _roll_back(view, now_s)
    if back is not None:
        return [back]
    return [*_rounds(view, now_s), *_segment(view, now_s)]


def asks_everybody(view: TaskView, now_s: float) -> bool:
    """Whether the answer depends on miners that hold no lease of the task: one is to be chosen among all, or
    rounds are held back as long as somebody works."""
    last = view.rounds[-1] if view.rounds else None
    vacant = last is not None and not last.computed and bool(_vacancies(view, last, now_s))
    held_back = view.in_flight is None and any(item.status is RoundStatus.COMPUTED for item in view.rounds)
    return vacant or (held_back and not _workers(view, now_s))


def _workers(view: TaskView, now_s: float) -> tuple[MinerView, ...]:
    return eligible(view.miners, minimum_stake=view.plan.miner_stake, excluded=view.unfit, now_s=now_s)


def resend_after_s(sends: int) -> float:
    """How long to wait for an answer after the ``sends``-th request: 2 s, doubling, at most 30 s."""
    return float(min(RESEND_BASE_S * 2 ** (min(sends, 16) - 1), RESEND_MAX_S))


def _roll_back(view: TaskView, now_s: float) -> RollBack | None:
    for item in view.rounds:
        tainted = view.unfit.intersection(item.accepted.values())
        if tainted:
            return RollBack(to_round=item.number, without=view.unfit)
    flight = view.in_flight
    if flight is None or flight.refusals <= view.tolerated or flight.sends < PATIENT_SENDS:
        return None
    if now_s < flight.sent_s + resend_after_s(flight.sends):
        return None
    # No fault is proven, yet at least one honest member rejects: the work behind it cannot be certified.
    return RollBack(to_round=flight.first_round, without=frozenset(), everything=True)


def _rounds(view: TaskView, now_s: float) -> list[Action]:
    last = view.rounds[-1] if view.rounds else None
    if last is None or last.computed:
        number = RoundNo((last.number if last else view.certified_round) + 1)
        ahead = number - view.certified_round
        if number <= view.plan.rounds and ahead <= view.plan.max_uncertified_rounds:
            return [OpenRound(round=number)]
        return []
    if _may_close(view, last, now_s):
        return [CloseRound(round=last.number)]
    return _assignments(view, last, now_s)


def _may_close(view: TaskView, item: RoundView, now_s: float) -> bool:
    """All shards are there, or the round's time is up and the minimum is."""
    have = len(item.accepted)
    late = now_s >= item.opened_s + view.plan.round_deadline_s
    return have == view.plan.shards or (late and have >= view.plan.min_shards)


def _assignments(view: TaskView, item: RoundView, now_s: float) -> list[Action]:
    vacancies = _vacancies(view, item, now_s)
    if not vacancies:
        return []
    chosen = assign(_workers(view, now_s), vacancies, item.number, view.plan.shards, now_s)
    return [_lease_action(item, v, chosen[v.shard], now_s) for v in vacancies if v.shard in chosen]


def _vacancies(view: TaskView, item: RoundView, now_s: float) -> list[Vacancy]:
    known = {miner.address: miner for miner in view.miners}
    vacancies: list[Vacancy] = []
    for number in range(view.plan.shards):
        shard = ShardNo(number)
        lease = item.leases.get(shard)
        if shard in item.accepted:
            continue
        if lease is None:
            vacancies.append(Vacancy(shard=shard, attempt=1))
        elif _is_lost(lease, known.get(lease.miner), view, now_s) and not _is_parked(lease, now_s):
            vacancies.append(Vacancy(shard=shard, attempt=lease.attempt + 1, past=lease.past | {lease.miner}))
    return vacancies


def _is_lost(lease: Lease, holder: MinerView | None, view: TaskView, now_s: float) -> bool:
    if holder is None or lease.expired(now_s) or lease.miner in view.unfit:
        return True
    # A coordinator that was away has heard nobody: silence counts from when it began to listen.
    patience_s = holder.silent_at_s - holder.last_seen_s
    return now_s > max(holder.silent_at_s, view.listening_since_s + patience_s)


def _is_parked(lease: Lease, now_s: float) -> bool:
    return lease.attempt % MAX_ATTEMPTS == 0 and now_s < lease.granted_s + PARK_S


def _lease_action(
    item: RoundView, vacancy: Vacancy, miner: Address, now_s: float
) -> AssignShard | ReassignExpired:
    lease = item.leases.get(vacancy.shard)
    if lease is None:
        return AssignShard(round=item.number, shard=vacancy.shard, miner=miner, attempt=vacancy.attempt)
    return ReassignExpired(
        round=item.number,
        shard=vacancy.shard,
        holder=lease.miner,
        fence=lease.fence,
        miner=miner,
        attempt=vacancy.attempt,
        strike=lease.expired(now_s),
    )


def _segment(view: TaskView, now_s: float) -> list[Action]:
    flight = view.in_flight
    if flight is not None:
        if now_s >= flight.sent_s + resend_after_s(flight.sends):
            return [ResendSegment(first_round=flight.first_round, last_round=flight.last_round)]
        return []
    ready = [item for item in view.rounds if item.status is RoundStatus.COMPUTED]
    if not ready or now_s < view.room_at_s:
        return []
    span = view.plan.max_uncertified_rounds if view.crowded else view.plan.rounds_per_certificate
    whole = len(ready) >= span
    if not whole and not _nothing_else_to_do(view, ready[-1], now_s):
        return []
    taken = ready[:span]
    return [ProposeSegment(first_round=taken[0].number, last_round=taken[-1].number)]


def _nothing_else_to_do(view: TaskView, last_ready: RoundView, now_s: float) -> bool:
    """Whether waiting for more rounds is in vain: the last one is there, the deadline is near, or nobody
    works.
    """
    if last_ready.number == view.plan.rounds:
        return True
    if now_s + view.plan.round_deadline_s >= view.plan.deadline_s:
        return True
    return not _workers(view, now_s)
