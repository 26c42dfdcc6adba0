from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from coordinator.domain.assignment import Vacancy, assign, bench_s, eligible
from coordinator.domain.view import MinerView
from protocol.ids import Address, RoundNo, ShardNo

NOW = 1000.0
PATIENCE_S = 7.0


def miner(name: str, *, seen: float = NOW, stake: int = 10, load: int = 0, benched: float = 0.0) -> MinerView:
    return MinerView(
        address=Address(name),
        stake=stake,
        last_seen_s=seen,
        silent_at_s=seen + PATIENCE_S,
        load=load,
        benched_until_s=benched,
    )


def vacancies(shards: int) -> list[Vacancy]:
    return [Vacancy(shard=ShardNo(k), attempt=1) for k in range(shards)]


def test_eligible__silent_poor_or_guilty_miners__are_left_out() -> None:
    miners = [
        miner("0xd"),
        miner("0xa"),
        miner("0xb", seen=NOW - PATIENCE_S - 0.1),
        miner("0xc", stake=9),
        miner("0xe"),
    ]
    fit = eligible(miners, minimum_stake=10, excluded=frozenset({Address("0xe")}), now_s=NOW)
    assert [m.address for m in fit] == ["0xa", "0xd"]


@given(st.integers(1, 8), st.integers(1, 12), st.integers(1, 20))
def test_assign__equal_miners_over_rounds__shares_differ_by_at_most_one_per_round(
    n: int, shards: int, rounds: int
) -> None:
    miners = [miner(f"0x{i}") for i in range(n)]
    counts: Counter[str] = Counter({m.address: 0 for m in miners})
    for number in range(1, rounds + 1):
        given_out = assign(miners, vacancies(shards), RoundNo(number), shards, NOW)
        assert len(given_out) == shards
        counts.update(given_out.values())
    assert max(counts.values()) - min(counts.values()) <= 1


@given(st.permutations([miner(f"0x{i}") for i in range(5)]))
def test_assign__miners_in_any_order__same_assignment(miners: list[MinerView]) -> None:
    fit = eligible(miners, minimum_stake=1, excluded=frozenset(), now_s=NOW)
    expected = eligible([miner(f"0x{i}") for i in range(5)], minimum_stake=1, excluded=frozenset(), now_s=NOW)
    assert assign(fit, vacancies(7), RoundNo(3), 7, NOW) == assign(expected, vacancies(7), RoundNo(3), 7, NOW)


def test_assign__miner_that_failed_the_shard__is_asked_again_only_when_alone() -> None:
    again = [Vacancy(shard=ShardNo(0), attempt=2, past=frozenset({Address("0xa")}))]
    assert assign([miner("0xa"), miner("0xb", load=9)], again, RoundNo(1), 1, NOW) == {0: "0xb"}
    assert assign([miner("0xa")], again, RoundNo(1), 1, NOW) == {0: "0xa"}


def test_assign__benched_miner__comes_last() -> None:
    pair = [miner("0xa", benched=NOW + 1), miner("0xb", load=5)]
    assert assign(pair, vacancies(2), RoundNo(1), 2, NOW) == {0: "0xb", 1: "0xb"}


def test_assign__nobody__nothing() -> None:
    assert assign([], vacancies(2), RoundNo(1), 2, NOW) == {}


def test_bench__strikes_in_a_row__double_up_to_the_bound() -> None:
    assert [bench_s(n) for n in (0, 1, 2, 3, 100)] == [0, 5, 10, 20, 300]
