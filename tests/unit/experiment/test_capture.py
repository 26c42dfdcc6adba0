"""Committees: exact probabilities against counting all of them."""

from itertools import combinations

import pytest

from pot.experiment.agreement import measure
from pot.experiment.capture import capture, drawn, least_size
from pot.experiment.committees import certificate_gas
from pot.experiment.cost import MEMBERS, SAMPLES, WORKLOADS, CostPlan
from pot.experiment.cost import measure as cost
from protocol.members import max_faulty, quorum


@pytest.mark.parametrize(("pool", "bad", "size"), [(7, 2, 4), (9, 3, 7), (8, 8, 4), (8, 0, 4)])
def test_capture__small_pools__is_what_counting_every_committee_gives(pool: int, bad: int, size: int) -> None:
    found = [sum(member < bad for member in members) for members in combinations(range(pool), size)]
    exact = capture(pool, bad, size)
    assert exact.halt == pytest.approx(sum(n > max_faulty(size) for n in found) / len(found))
    assert exact.take == pytest.approx(sum(n >= quorum(size) for n in found) / len(found))


def test_drawn__many_committees__come_near_the_exact_figure() -> None:
    halts, takes = drawn(20, 200_000, 4, draws=2_000, seed=1, stakes="equal")
    exact = capture(20, 4, 4)
    assert halts == pytest.approx(exact.halt, abs=0.03)
    assert takes == pytest.approx(exact.take, abs=0.01)


def test_least_size__fifth_of_two_hundred__is_31_for_one_in_a_thousand_million() -> None:
    size = least_size(200, 40, 1e-9, takes=True)
    assert size == 31
    assert capture(200, 40, 31).take <= 1e-9 < capture(200, 40, 28).take
    assert least_size(10, 9, 1e-9, takes=True) is None


def test_gas__between_two_measured_sizes__lies_between_them() -> None:
    assert certificate_gas(7) < certificate_gas(10) < certificate_gas(16) < certificate_gas(64)


def test_agreement__every_member__decides_and_spends_time() -> None:
    found = measure(4, 2)
    assert found.cpu_ms > 0
    assert found.messages >= 2 * 4 * 3


@pytest.mark.slow
def test_cost__every_workload_committee_and_share__has_its_row() -> None:
    document = cost(CostPlan(repeats=1, decisions=1, seed=3)).document()
    assert len(document["sheets"]["overhead"]) == len(WORKLOADS) * len(MEMBERS) * len(SAMPLES)
    for row in document["sheets"]["price-of-a-sample"]:
        assert row["network, 4 members, 5 %"] > row["CPU ms a sample, one trusted process"] > 0
