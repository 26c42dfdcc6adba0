"""A real miner process on a real broker, chain and blob store: jobs in, signed contributions out."""

import time
from collections.abc import Iterator
from dataclasses import replace
from random import Random
from typing import Any

import msgspec
import pytest

from anvil.chain import AnvilProcess
from anvil.redis import RedisProcess
from protocol.chain.market import TaskParams
from protocol.contribution import Heartbeat, SignedContribution
from protocol.ids import RoundNo, ShardNo, TaskId, parse_address
from protocol.job import ShardJob, queue_of
from protocol.policy import default_policy
from tests.support.miner_network import (
    Miner,
    MinerNetwork,
    digits_spec,
    eventually,
    open_network,
)
from worker.training.checkpoint import load_checkpoint
from worker.training.data import load_dataset
from worker.training.parts import Opening
from worker.training.replay import ShardSite, replay_shard

pytestmark = pytest.mark.timeout(120)


@pytest.fixture(scope="module")
def network(
    anvil_chain: AnvilProcess, redis_server: RedisProcess, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[MinerNetwork]:
    folder = tmp_path_factory.mktemp("network")
    with open_network(anvil_chain.rpc_url, redis_server.broker_url, folder) as opened:
        yield opened


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
    site = ShardSite(
        spec=spec,
        checkpoint=load_checkpoint(spec, network.blobs.get(network.genesis)),
        dataset=load_dataset(network.blobs.get(spec.dataset_sha256), spec.dataset),
        round=contribution.round,
        shard=contribution.shard,
        policy=default_policy(),
    )
    opening = Opening(names=contribution.batches, fetch=network.blobs.get)
    verdict = replay_shard(site, network.blobs.get(contribution.gradient), opening)
    assert (verdict.ok, verdict.identical) == (True, True)
    assert (contribution.samples, contribution.loss_micros) == (verdict.samples, verdict.loss_micros)


def test_heartbeat__of_a_running_miner__verifies(network: MinerNetwork, miner: Miner) -> None:
    mine = f"/miners/{miner.account.address}/heartbeat"
    found = eventually(lambda: [b for b in network.coordinator.heartbeats if b.path == mine], "a heartbeat")
    beat = Heartbeat.verified(found[0].body, network.market.contracts.deployment.domain)
    assert beat.miner == parse_address(miner.account.address)
    assert beat.device == "cpu"


def test_job__delivered_twice__is_answered_with_the_identical_contribution(
    network: MinerNetwork, miner: Miner
) -> None:
    before = len(network.coordinator.contributions)
    network.send(miner, network.job(shard=ShardNo(1)))
    network.send(miner, network.job(shard=ShardNo(1), attempt=2, fence=18))
    eventually(lambda: len(network.coordinator.contributions) >= before + 2, "two contributions")
    first, second = (dict(body) for body in network.coordinator.contributions[before : before + 2])
    assert (first.pop("fence"), second.pop("fence")) == (17, 18)
    assert (first.pop("attempt"), second.pop("attempt")) == (1, 2)
    assert first == second


def test_job__with_another_spec_than_the_chain_holds__is_refused(network: MinerNetwork, miner: Miner) -> None:
    foreign = digits_spec(round_deadline_s=7)
    network.blobs.put(foreign.blob)
    assert_refused(network, miner, network.job(spec_hash=foreign.hash), "names spec")


def test_job__for_a_task_that_has_not_started__is_refused(network: MinerNetwork, miner: Miner) -> None:
    later = network.market.post(network.spec, network.genesis, delay_s=3600)
    assert_refused(network, miner, network.job(task_id=later), "may yet be cancelled")


def test_job__for_a_task_nobody_posted__is_refused(network: MinerNetwork, miner: Miner) -> None:
    assert_refused(network, miner, network.job(task_id=TaskId(999)), "task=999")


def test_job__for_a_spec_that_changes_the_money__is_refused(network: MinerNetwork, miner: Miner) -> None:
    richer = msgspec.structs.replace(
        network.spec, money=msgspec.structs.replace(network.spec.money, reward_per_shard="11")
    )
    network.blobs.put(richer.blob)
    # The poster funds less than the spec behind the hash promises.
    start = network.market.contracts.client.block().timestamp
    params = replace(TaskParams.of(richer, network.genesis, start), reward_per_shard=10)
    task_id = network.market.post_params(params)
    assert_refused(
        network, miner, network.job(task_id=task_id, spec_hash=richer.hash), "reward_per_shard is 10"
    )


def test_job__whose_lease_has_ended__is_dropped(network: MinerNetwork, miner: Miner) -> None:
    before = len(network.coordinator.contributions)
    network.send(miner, network.job(round=RoundNo(2), fence=91), lease_s=-5)
    deliver_marker(network, miner)
    assert all(body["fence"] != 91 for body in network.coordinator.contributions[before:])


def test_job__whose_parent_is_no_checkpoint__is_refused_before_tensors_are_built(
    network: MinerNetwork, miner: Miner
) -> None:
    bomb = network.blobs.put((1 << 40).to_bytes(8, "little") + b"{}")
    assert_refused(network, miner, network.job(parent_model=bomb), "header of 1099511627776 bytes")


def test_coordinator__answers_503_for_a_while__is_asked_again(network: MinerNetwork, miner: Miner) -> None:
    network.coordinator.answers[:] = [503, 503]
    deliver_marker(network, miner)
    assert not network.coordinator.answers


def test_coordinator__refuses_a_stale_fence__the_miner_goes_on(network: MinerNetwork, miner: Miner) -> None:
    network.coordinator.answers[:] = [409]
    assert_refused(network, miner, network.job(), "HTTP 409")


def test_coordinator__restarted__is_found_again(network: MinerNetwork, miner: Miner) -> None:
    network.coordinator.stop()
    try:
        miner.wait_for("heartbeat not taken")
        network.send(miner, network.job(fence=77))
    finally:
        network.coordinator.start()
    eventually(lambda: network.coordinator.contributions[-1]["fence"] == 77, "the contribution")


MALFORMED: list[Any] = [
    None,
    7,
    "pot",
    [],
    {},
    {"task_id": "1"},
    {"task_id": "1" * 5000},
    {"__class__": "os.system"},
    [[[[[]]]]] * 50,
    {"task_id": "1", "round": 2**70},
]


def test_jobs__malformed__do_not_end_the_miner(network: MinerNetwork, miner: Miner) -> None:
    rng = Random(7)
    good = network.job().to_json()
    wrong: list[Any] = [None, -1, 2**80, "", "x" * 70, "../../etc/passwd", [], {}, True, 1.5, "1\n"]
    mutated = [{**good, rng.choice(list(good)): rng.choice(wrong)} for _ in range(30)]
    said = miner.log.count("job malformed")
    for value in [*MALFORMED, *mutated, {**good, "extra": 1}]:
        network.send(miner, value)
    deliver_marker(network, miner)
    # A float that is whole, or the same api_url, may be valid; nearly all are not.
    assert miner.log.count("job malformed") >= said + len(MALFORMED) + 25


POISON = [
    b"",
    b"\x00\xff\xfe",
    b"not json",
    b"[]",
    b"null",
    b"{}",
    b'{"body": 1, "properties": {}}',
    b'{"body":"e30=","content-encoding":"utf-8","content-type":"application/x-python-serialize","headers":{},'
    b'"properties":{"delivery_info":{"exchange":"","routing_key":"x"},"delivery_tag":"1","body_encoding":"base64"}}',
    b'{"body":"gASVDgAAAA==","content-encoding":"binary","content-type":"application/x-python-serialize",'
    b'"headers":{"task":"pot.train_shard","id":"1"},'
    b'"properties":{"delivery_info":{"exchange":"","routing_key":"x"},"delivery_tag":"2","body_encoding":"base64"}}',
]


@pytest.mark.parametrize("raw", POISON)
def test_queue__poisoned_with_bytes_that_are_no_message__the_next_job_is_done(
    network: MinerNetwork, miner: Miner, raw: bytes
) -> None:
    with network.producer() as app, app.connection() as connection:
        connection.default_channel.client.lpush(queue_of(parse_address(miner.account.address)), raw)
    deliver_marker(network, miner)


def assert_refused(network: MinerNetwork, miner: Miner, job: ShardJob, why: str) -> None:
    """The job ends with ``why`` in the log and without a contribution."""
    before, said = len(network.coordinator.contributions), miner.log.count(why)
    network.send(miner, job)
    miner.wait_for(why, said + 1)
    assert len(network.coordinator.contributions) == before


def deliver_marker(network: MinerNetwork, miner: Miner) -> None:
    """An honest job gets through: everything sent before it has been dealt with."""
    marker = int(time.monotonic() * 1000)
    network.send(miner, network.job(fence=marker))
    eventually(lambda: network.coordinator.last_fence() == marker, "the marker")
