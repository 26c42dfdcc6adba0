"""Everything is killed, and the chain comes back from a state that it had a moment before."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.test_validators import Stage, staged
from tests.support.committee_client import CommitteeClient

NAMES = tuple(f"validator-{number}" for number in range(1, 5))
AGAIN_S = 45.0


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    with staged(tmp_path) as running:
        yield running


def test_validators__chain_lost_a_certificate_that_they_hold_for_final__post_it_again(stage: Stage) -> None:
    """A local chain writes its state every two seconds, a validator its log at once: after a power cut the
    log is ahead, and who asks for the certificate is told that it is decided."""
    rpc, task = stage.contracts.client.rpc, stage.post()
    time.sleep(1.0)
    before = rpc("evm_snapshot")
    ledger = stage.ledger(task)
    record = ledger.extend((stage.train(ledger),))
    stage.propose(ledger, record)
    stage.certified(task, 1)
    time.sleep(2.0)
    for name in NAMES:
        stage.network.supervisor.kill(name)
    rpc("evm_revert", before)
    assert stage.contracts.market.task(task).last_round == 0
    for name in NAMES:
        stage.network.supervisor.restart(name)
    file = stage.file
    for name in NAMES:
        stage.network.await_service(name, file)
    stage.client.close()
    stage.client = CommitteeClient(file.deployment.domain.separator, list(file.endpoints.values()))
    stage.propose(ledger, record)
    stage.certified(task, 1, timeout_s=AGAIN_S)
    ledger = stage.ledger(task)
    stage.propose(ledger, ledger.extend((stage.train(ledger),)))
    stage.certified(task, 2, timeout_s=AGAIN_S)
