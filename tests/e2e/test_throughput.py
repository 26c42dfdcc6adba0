"""Many miners in few processes, on a whole network."""

from pathlib import Path

import pytest

from pot.experiment.multiplex import Identities
from pot.experiment.throughput import Load, ThroughputPlan, measure


def test_identities__groups_of_one_secret__share_no_account(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes(bytes(32))
    groups = [Identities(secret=secret, first=first, count=3) for first in (0, 3)]
    addresses = {account.address for group in groups for account in group.accounts()}
    assert len(addresses) == 6


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_throughput__a_process_of_miners_killed__every_round_is_certified_and_paid(tmp_path: Path) -> None:
    load = Load(miners=6, tasks=2, rounds=4, processes=2, shards=4, faults=True)
    document = measure(ThroughputPlan(loads=(load,), folder=tmp_path, seed=5)).document()
    row = document["sheets"]["runs"][0]
    assert document["ok"]
    assert row["unpaid"] == 0
    assert row["contributing"] > 1
