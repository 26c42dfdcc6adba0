"""The choice between signatures and their sum follows what was measured."""

import json
from pathlib import Path

import pytest

from committee import scheme
from protocol.members import quorum

MEASURED: dict[str, str] = json.loads(
    (Path(__file__).parents[3] / "contracts" / "snapshots" / "bls.json").read_text()
)
SIZES = (4, 7, 16, 31, 40, 43, 46, 49, 52, 64)


@pytest.mark.parametrize("members", SIZES)
def test_gas__every_measured_size__is_met_within_one_percent(members: int) -> None:
    needed = quorum(members)
    figures = {
        f"certify, quorum, signatures, {members}": scheme.signatures_gas(needed),
        f"certify, all, aggregate, {members}": scheme.aggregate_gas(members, members),
        f"certify, quorum, aggregate, {members}": scheme.aggregate_gas(members, needed),
        f"gather, {members}": scheme.gather_gas(members),
    }
    for name, figure in figures.items():
        assert figure == pytest.approx(int(MEASURED[name]), rel=0.01), name


@pytest.mark.parametrize("members", SIZES)
def test_saving__every_measured_size__has_the_measured_sign(members: int) -> None:
    needed = quorum(members)
    signatures = int(MEASURED[f"certify, quorum, signatures, {members}"])
    measured = signatures - int(MEASURED[f"certify, quorum, aggregate, {members}"])
    assert (scheme.saving(members, needed) > 0) == (measured > 0)


def test_aggregate_from__below_it__the_sum_is_never_cheaper() -> None:
    for members in range(4, scheme.AGGREGATE_FROM):
        assert scheme.signatures_gas(quorum(members)) <= scheme.aggregate_gas(members, members)
    members = scheme.AGGREGATE_FROM
    assert scheme.signatures_gas(quorum(members)) > scheme.aggregate_gas(members, members)


def test_gather__few_certificates_to_come__does_not_pay() -> None:
    assert not scheme.pays_to_gather(64, 43, 100)
    assert scheme.pays_to_gather(64, 43, 200)
    assert not scheme.pays_to_gather(4, 3, 10**9)
