"""Many miners in few processes, on a whole network."""

from pathlib import Path

import pytest

from pot.experiment.efficiency import EfficiencyPlan
from pot.experiment.efficiency import measure as efficiency
from pot.experiment.multiplex import Identities
from pot.experiment.outcome import Load
from pot.experiment.throughput import ThroughputPlan, measure


def test_identities__groups_of_one_secret__share_no_account(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes(bytes(32))
    groups = [Identities(secret=secret, first=first, count=3) for first in (0, 3)]
    addresses = {account.address for group in groups for account in group.accounts()}
    assert len(addresses) == 6


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_throughput__every_part_killed_once__every_round_is_certified_and_paid(tmp_path: Path) -> None:
    load = Load(miners=6, tasks=2, rounds=6, processes=2, shards=4, faults=True)
    document = measure(ThroughputPlan(loads=(load,), folder=tmp_path, seed=5)).document()
    (row,) = document["sheets"]["runs"]
    assert document["ok"]
    assert row["unpaid"] == 0
    assert row["contributing"] > 1
    killed = [item["killed and started again"] for item in document["sheets"]["outages"]]
    assert killed == ["miners-0", "validator-1", "coordinator", "broker"]


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_efficiency__small_task__counts_every_program_and_every_sample(tmp_path: Path) -> None:
    plan = EfficiencyPlan(
        folder=tmp_path, miners=2, rounds=2, shards=2, samples=256, micro_batch=128, laps=1, seed=5
    )
    document = efficiency(plan).document()
    network, exact, plain = document["sheets"]["network-and-one-process"]
    programs = {row["programs"]: row for row in document["sheets"]["where-the-time-goes"]}
    assert {"chain", "broker", "coordinator", "validator", "miner"} <= set(programs)
    assert (programs["validator"]["count"], programs["miner"]["count"]) == (4, 2)
    spent_s = sum(row["processor s"] for row in programs.values())
    assert network["processor ms a sample"] == pytest.approx(1_000 * spent_s / 1_024, rel=0.02)
    assert plain["processor ms a sample"] > 0
    assert exact["network reaches of it, %"] == pytest.approx(
        100 * exact["processor ms a sample"] / network["processor ms a sample"], rel=0.01
    )
