"""Who computes which shard: deterministic, in turns, and never waiting twice for the same dead miner."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from coordinator.domain.view import MinerView
from protocol.ids import Address, RoundNo, ShardNo

BENCH_BASE_S = 5.0
BENCH_MAX_S = 300.0


def bench_s(strikes: int) -> float:
    """How long a miner is asked last after ``strikes`` expired leases in a row: 5 s, doubling, at most
    300 s.
    """
    return float(min(BENCH_BASE_S * 2 ** (min(strikes, 16) - 1), BENCH_MAX_S)) if strikes > 0 else 0.0


def live(miner: MinerView, now_s: float) -> bool:
    return now_s <= miner.silent_at_s


def eligible(
    miners: Iterable[MinerView], *, minimum_stake: int, excluded: frozenset[Address], now_s: float
) -> tuple[MinerView, ...]:
    """Those who may be given a shard, ascending by address: live, staked, without a fault in the task."""
    fit = [m for m in miners if live(m, now_s) and m.stake >= minimum_stake and m.address not in excluded]
    return tuple(sorted(fit, key=lambda m: m.address.lower()))


@dataclass(frozen=True, slots=True, kw_only=True)
class Vacancy:
    """A shard without a holder; ``past`` names those who had it and did not fill it."""

    shard: ShardNo
    attempt: int
    past: frozenset[Address] = frozenset()


def assign(
    candidates: Sequence[MinerView],
    vacancies: Iterable[Vacancy],
    round_no: RoundNo,
    shards: int,
    now_s: float,
) -> dict[ShardNo, Address]:
    """A miner for every vacancy, or nothing when there are no candidates.

    In this order: not benched, has not failed this shard before, least loaded, next in turn. Turns go round
    the ascending addresses, one step per shard, so that uneven loads even out over the rounds.
    """
    if not candidates:
        return {}
    n = len(candidates)
    load = [m.load for m in candidates]
    chosen: dict[ShardNo, Address] = {}
    for vacancy in vacancies:
        turn = (round_no - 1) * shards + vacancy.shard + vacancy.attempt - 1

        rank = [
            (m.benched_until_s > now_s, m.address in vacancy.past, load[i], (i - turn) % n)
            for i, m in enumerate(candidates)
        ]
        best = rank.index(min(rank))
        load[best] += 1
        chosen[vacancy.shard] = candidates[best].address
    return chosen
