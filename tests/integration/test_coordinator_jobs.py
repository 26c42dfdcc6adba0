"""The way to the miners' queues, on a real broker that comes and goes."""

import json
import time

import pytest
import redis

from anvil.redis import RedisProcess
from coordinator.jobs.producer import JobProducer
from protocol.errors import ServiceUnreachable
from protocol.ids import Address, RoundNo, Sha256, ShardNo, TaskId
from protocol.job import TRAIN_SHARD, ShardJob, queue_of
from tests.support.miner_network import eventually

MINER = Address("0x" + "11" * 20)
JOB = ShardJob(
    task_id=TaskId(1),
    round=RoundNo(2),
    shard=ShardNo(3),
    attempt=1,
    fence=17,
    spec_hash=Sha256(b"s" * 32),
    parent_model=Sha256(b"p" * 32),
    api_url="http://127.0.0.1:1",
    lease_s=15,
)


def test_send__live_broker__puts_one_json_job_that_expires_into_the_miners_queue(
    redis_server: RedisProcess,
) -> None:
    producer = JobProducer(redis_server.broker_url)
    producer.send(MINER, JOB)
    producer.close()
    with redis.Redis(unix_socket_path=str(redis_server.socket)) as client:
        (raw,) = client.lrange(queue_of(MINER), 0, -1)
        client.delete(queue_of(MINER))
    message = json.loads(raw)
    assert message["headers"]["task"] == TRAIN_SHARD
    assert message["headers"]["expires"] is not None
    assert message["headers"]["ignore_result"]
    assert message["content-type"] == "application/json"


def test_broker__killed_and_started_again__is_another_run() -> None:
    with RedisProcess() as broker:
        producer = JobProducer(broker.broker_url)
        first = producer.broker_run()
        assert first
        assert producer.broker_run() == first
        broker.kill()
        with pytest.raises(ServiceUnreachable):
            producer.broker_run()
        broker.start()

        def another() -> bool:
            try:
                return producer.broker_run() not in ("", first)
            except ServiceUnreachable:
                return False

        eventually(another, "the other run")
        producer.close()


def test_broker__that_forbids_the_question_or_is_no_redis__has_no_known_run() -> None:
    with RedisProcess() as broker:
        with redis.Redis(unix_socket_path=str(broker.socket)) as client:
            client.execute_command("ACL", "SETUSER", "default", "-info")
        producer = JobProducer(broker.broker_url)
        assert producer.broker_run() == ""
        producer.send(MINER, JOB)
        producer.close()
    producer = JobProducer("memory://")
    assert producer.broker_run() == ""
    producer.close()


def test_send__broker_killed_and_started_again__fails_fast_then_goes_on() -> None:
    broker = RedisProcess()
    broker.start()
    producer = JobProducer(broker.broker_url)
    try:
        producer.send(MINER, JOB)
        broker.kill()
        for _ in range(3):
            started = time.monotonic()
            with pytest.raises(ServiceUnreachable):
                producer.send(MINER, JOB)
            assert time.monotonic() - started < 5
            time.sleep(0.5)
        broker.start()

        def sent() -> bool:
            try:
                producer.send(MINER, JOB)
            except ServiceUnreachable:
                return False
            return True

        eventually(sent, "a job goes out again")
    finally:
        producer.close()
        broker.stop()
