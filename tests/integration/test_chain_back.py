"""Everything is killed, and the chain comes back from a state that it had a moment before."""

import time
from collections.abc import Iterator

import pytest

from anvil.layout import NetworkFile
from anvil.network import LocalNetwork, NetworkPlan
from anvil.programs import Services
from protocol.blobs import open_blob_store
from protocol.chain.client import ChainClient
from protocol.chain.contracts import Contracts
from protocol.keystore import open_keystore
from tests.integration.test_validators import Stage
from tests.support.committee_client import CommitteeClient

NAMES = tuple(f"validator-{number}" for number in range(1, 5))
AGAIN_S = 45.0


@pytest.fixture
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    network = LocalNetwork(tmp_path_factory.mktemp("net"), attached=True, say=lambda line: None)
    try:
        file = network.build(NetworkPlan(miners=2))
        services = Services(network.layout, file)
        for name in NAMES:
            network.layout.state(name).mkdir(mode=0o700, parents=True)
            network.supervisor.start(services.validator(name))
        for name in NAMES:
            network.await_service(name, file)
        yield Stage(
            network=network,
            contracts=Contracts.at(ChainClient(file.rpc_url), file.deployment),
            blobs=open_blob_store(file.blob_url),
            accounts={name: open_keystore(path, file.password_file) for name, path in file.keystores.items()},
            client=CommitteeClient(file.deployment.domain.separator, list(file.endpoints.values())),
        )
    finally:
        network.supervisor.stop()


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
    file = NetworkFile.read(stage.network.layout.network_file)
    for name in NAMES:
        stage.network.await_service(name, file)
    stage.client.close()
    stage.client = CommitteeClient(file.deployment.domain.separator, list(file.endpoints.values()))
    stage.propose(ledger, record)
    stage.certified(task, 1, timeout_s=AGAIN_S)
    ledger = stage.ledger(task)
    stage.propose(ledger, ledger.extend((stage.train(ledger),)))
    stage.certified(task, 2, timeout_s=AGAIN_S)
