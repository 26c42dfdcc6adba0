"""A miner process among things that break: itself, its broker, its peers' patience."""

import signal
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import psutil
import pytest
import redis

from anvil.chain import AnvilProcess
from anvil.redis import RedisProcess
from protocol.contribution import SignedContribution
from protocol.ids import RoundNo, ShardNo, parse_address
from protocol.job import queue_of
from protocol.keystore import open_keystore
from tests.support.miner_network import Miner, MinerNetwork, eventually, open_network
from worker.config import MinerConfig
from worker.preflight import miner_checks
from worker.training.codec import decode
from worker.training.models import layout_of

pytestmark = pytest.mark.timeout(180)

PEAK_MEMORY_MB = 600


@pytest.fixture(scope="module")
def broker() -> Iterator[RedisProcess]:
    with RedisProcess() as started:
        yield started


@pytest.fixture(scope="module")
def network(
    anvil_chain: AnvilProcess, broker: RedisProcess, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[MinerNetwork]:
    folder = tmp_path_factory.mktemp("network")
    with open_network(anvil_chain.rpc_url, broker.broker_url, folder) as opened:
        yield opened


def test_miner__killed_in_mid_job__does_the_job_after_its_restart_and_once(
    network: MinerNetwork, broker: RedisProcess
) -> None:
    before = len(network.coordinator.contributions)
    # The late adversary holds its job for longer than the test lasts.
    with network.miner("killed", adversary="late", visibility_timeout_s=1) as miner:
        network.send(miner, network.job(fence=5), lease_s=120)
        client = redis.Redis(unix_socket_path=str(broker.socket))
        queue = queue_of(parse_address(miner.account.address))
        eventually(lambda: client.hlen("unacked") and not client.llen(queue), "the job in the miner's hands")
        time.sleep(0.5)
        miner.signal(signal.SIGKILL)
        miner.settings["adversary"] = None
        miner.start()
        # A look for what was not acknowledged comes every ten seconds.
        eventually(lambda: len(network.coordinator.contributions) > before, "the contribution", 60)
        eventually(lambda: not client.hlen("unacked"), "the acknowledgement")
    assert [body["fence"] for body in network.coordinator.contributions[before:]] == [5]


def test_miner__restarted_after_delivery__signs_no_second_gradient(network: MinerNetwork) -> None:
    with network.miner("restarted") as miner:
        network.send(miner, network.job(fence=31))
        eventually(lambda: network.coordinator.last_fence() == 31, "the contribution")
        miner.signal(signal.SIGTERM)
        # Another gradient for the same shard is what a lazy miner would sign.
        miner.settings["adversary"] = "lazy"
        miner.start()
        network.send(miner, network.job(fence=32))
        eventually(lambda: network.coordinator.contributions[-1]["fence"] == 32, "the contribution again")
    first, second = network.coordinator.contributions[-2:]
    assert (first["gradient"], first["signature"]) == (second["gradient"], second["signature"])


def test_miner__asked_to_stop__ends_in_order_within_its_memory(network: MinerNetwork) -> None:
    with network.miner("stopped") as miner:
        for number in (1, 2):
            network.send(miner, network.job(shard=ShardNo(number - 1), fence=40 + number))
        eventually(lambda: network.coordinator.last_fence() == 42, "both contributions")
        assert miner.signal(signal.SIGTERM) == 0
        peak = int(miner.log.rpartition("peak_mb=")[2])
    assert peak <= PEAK_MEMORY_MB


def test_miner__interrupted_from_the_keyboard__ends_in_order(network: MinerNetwork) -> None:
    with network.miner("interrupted") as miner:
        network.send(miner, network.job(fence=45))
        eventually(lambda: network.coordinator.last_fence() == 45, "the contribution")
        assert miner.signal(signal.SIGINT) == 0
        assert "crashed" not in miner.log


def test_miner__broker_killed_and_restarted__takes_jobs_again(
    network: MinerNetwork, broker: RedisProcess
) -> None:
    with network.miner("patient") as miner:
        broker.kill()
        time.sleep(1.0)
        broker.start()
        network.send(miner, network.job(fence=51))
        eventually(lambda: network.coordinator.last_fence() == 51, "the contribution")


def hand_over(network: MinerNetwork, miner: Miner, fence: int) -> None:
    """A job that ``miner`` has in hand until the coordinator's ``answers`` are cleared."""
    refusals = 10**6
    network.coordinator.answers[:] = [503] * refusals
    network.send(miner, network.job(fence=fence))
    eventually(lambda: len(network.coordinator.answers) < refusals, "the job in the miner's hands")


def test_miner__broker_down_when_its_job_is_done__takes_jobs_again(
    network: MinerNetwork, broker: RedisProcess
) -> None:
    with network.miner("acknowledging") as miner:
        hand_over(network, miner, fence=55)
        broker.kill()
        network.coordinator.answers.clear()
        try:
            eventually(lambda: network.coordinator.last_fence() == 55, "the contribution")
            miner.wait_for("Connection to broker lost")
        finally:
            broker.start()
        network.send(miner, network.job(shard=ShardNo(1), fence=56))
        eventually(lambda: network.coordinator.last_fence() == 56, "the contribution after it")


def test_miner__broker_hangs_when_its_job_is_done__takes_jobs_again(
    network: MinerNetwork, broker: RedisProcess
) -> None:
    """As when its host is gone: nobody refuses, and nobody answers."""
    with network.miner("waiting") as miner:
        hand_over(network, miner, fence=65)
        # The program itself, which runs on a leash.
        (server,) = psutil.Process(broker.pid).children()
        server.suspend()
        network.coordinator.answers.clear()
        try:
            eventually(lambda: network.coordinator.last_fence() == 65, "the contribution")
            eventually(lambda: "Connection to broker lost" in miner.log, "the end of patience", 90)
        finally:
            server.resume()
        network.send(miner, network.job(shard=ShardNo(1), fence=66))
        eventually(lambda: network.coordinator.last_fence() == 66, "the contribution after it", 60)


def test_lazy_miner__on_the_network__delivers_signed_zeros(network: MinerNetwork) -> None:
    with network.miner("lazy", adversary="lazy") as miner:
        network.send(miner, network.job(round=RoundNo(1), fence=61))
        eventually(lambda: network.coordinator.last_fence() == 61, "the contribution")
    signed = SignedContribution.from_json(network.coordinator.contributions[-1])
    signed.verify(network.market.contracts.deployment.domain)
    blob = network.blobs.get(signed.contribution.gradient)
    assert not np.any(decode(network.spec.recipe.codec, layout_of(network.spec.model), blob))


def config_of(network: MinerNetwork, state: Path) -> MinerConfig:
    return MinerConfig(
        deployment=network.market.contracts.deployment,
        chain_url=network.market.contracts.client.rpc_url,
        broker_url=network.broker_url,
        blob_url=network.blob_url,
        api_url=network.coordinator.url,
        state_dir=state,
        device="cpu",
    )


def test_doctor__of_a_miner_without_stake__names_what_is_missing(
    network: MinerNetwork, tmp_path: Path
) -> None:
    with network.miner("poor") as miner:
        key, password = miner.folder / "key.json", miner.folder / "password"
        checks = miner_checks(config_of(network, tmp_path), lambda: open_keystore(key, password))
    assert {check.name for check in checks if not check.ok} == {"stake", "gas"}
    assert all(check.fix for check in checks if not check.ok)
    [stake] = [check for check in checks if check.name == "stake"]
    assert "the open tasks ask for at least 1000" in stake.detail


def test_doctor__with_every_service_down__says_no_to_each_and_does_not_raise(
    network: MinerNetwork, tmp_path: Path
) -> None:
    config = MinerConfig(
        deployment=network.market.contracts.deployment,
        chain_url="http://127.0.0.1:1",
        broker_url=f"redis+socket://{tmp_path}/nobody.sock",
        blob_url="http://127.0.0.1:1",
        api_url="http://127.0.0.1:1",
        state_dir=Path("/proc/nowhere"),
        device="cuda:99",
    )
    checks = miner_checks(config, lambda: open_keystore(tmp_path / "none", tmp_path / "none"))
    assert [check.name for check in checks] == [
        "keystore",
        "chain",
        "broker",
        "blob store",
        "coordinator",
        "journal",
        "torch",
    ]
    assert not any(check.ok for check in checks)
