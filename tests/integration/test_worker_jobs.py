"""A real miner process on a real broker, chain and blob store: jobs in, signed contributions out."""

from collections.abc import Iterator

import pytest

from anvil.chain import AnvilProcess
from anvil.redis import RedisProcess
from protocol.contribution import Heartbeat, SignedContribution
from protocol.ids import parse_address
from tests.support.miner_network import HttpCoordinator, Market, Miner, MinerNetwork, eventually, open_network
from worker.training.checkpoint import load_checkpoint
from worker.training.data import load_dataset
from worker.training.replay import replay_shard

pytestmark = pytest.mark.timeout(60)


@pytest.fixture(scope="module")
def network(
    anvil_chain: AnvilProcess, redis_server: RedisProcess, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[MinerNetwork]:
    coordinator = HttpCoordinator()
    coordinator.start()
    market = Market.deployed(anvil_chain.rpc_url)
    yield open_network(market, coordinator, redis_server.broker_url, tmp_path_factory.mktemp("network"))
    coordinator.stop()


@pytest.fixture(scope="module")
def miner(network: MinerNetwork) -> Iterator[Miner]:
    with network.miner("honest") as started:
        yield started


def test_job__from_the_broker__becomes_a_signed_contribution_that_replays(
    network: MinerNetwork, miner: Miner
) -> None:
    before = len(network.coordinator.contributions)
    network.send(miner, network.job())
    eventually(lambda: len(network.coordinator.contributions) > before, "a contribution")
    body = network.coordinator.contributions[before]
    assert (body["attempt"], body["fence"]) == (1, 17)
    signed = SignedContribution.from_json(body)
    signed.verify(network.market.contracts.deployment.domain)
    contribution = signed.contribution
    assert contribution.miner == parse_address(miner.account.address)
    spec = network.spec
    verdict = replay_shard(
        spec,
        load_checkpoint(spec, network.blobs.get(network.genesis)),
        load_dataset(network.blobs.get(spec.dataset_sha256), spec.dataset),
        contribution.round,
        contribution.shard,
        network.blobs.get(contribution.gradient),
    )
    assert verdict.identical
    assert (contribution.samples, contribution.loss_micros) == (verdict.samples, verdict.loss_micros)


def test_heartbeat__of_a_running_miner__verifies(network: MinerNetwork, miner: Miner) -> None:
    mine = f"/miners/{miner.account.address}/heartbeat"
    found = eventually(lambda: [b for b in network.coordinator.heartbeats if b.path == mine], "a heartbeat")
    beat = Heartbeat.verified(found[0].body, network.market.contracts.deployment.domain)
    assert beat.miner == parse_address(miner.account.address)
    assert beat.device == "cpu"
