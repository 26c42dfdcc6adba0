"""Jobs for miners, through Celery: JSON only, no results, one queue per miner."""

import time
from collections.abc import Callable
from typing import Any, Final, TypeVar

from celery import Celery
from kombu.entity import Queue
from kombu.exceptions import KombuError
from redis.exceptions import RedisError, ResponseError

from protocol.errors import ServiceUnreachable
from protocol.ids import Address
from protocol.job import ENTER_CONTEST, TRAIN_SHARD, ContestJob, ShardJob, queue_of

CONNECT_TIMEOUT_S: Final = 1.0
SEND_TIMEOUT_S: Final = 2.0
PAUSE_S: Final = 1.0
T = TypeVar("T")


class JobProducer:
    """Sends jobs; used by one thread. After a failure nothing is tried for PAUSE_S, so that a dead broker
    does not slow down everything else.
    """

    def __init__(self, broker_url: str) -> None:
        self._url = broker_url
        self._down_until = 0.0
        self._app = _app(broker_url)

    def send(self, miner: Address, job: ShardJob) -> None:
        """Put ``job`` into the miner's queue; it expires with its lease. Raises ServiceUnreachable."""
        self._send(TRAIN_SHARD, miner, job.to_json(), job.lease_s)

    def enter_contest(self, miner: Address, job: ContestJob, expires_s: int) -> None:
        """Tell a miner of a contest, whose commitments close in ``expires_s`` seconds. Raises
        ServiceUnreachable."""
        self._send(ENTER_CONTEST, miner, job.to_json(), expires_s)

    def broker_run(self) -> str:
        """Which run of the broker this is; empty where it does not say. Another run has empty queues,
        unless they are kept on disk. Raises ServiceUnreachable."""
        return self._ask(self._read_run)

    def _read_run(self) -> str:
        with self._app.pool.acquire(block=True) as connection:
            client = getattr(connection.default_channel, "client", None)
            if client is None:
                return ""
            try:
                return str(client.info("server").get("run_id", ""))
            except ResponseError:
                # Whoever runs the broker may forbid the question.
                return ""

    def _send(self, name: str, miner: Address, document: dict[str, Any], expires_s: int) -> None:
        self._ask(
            lambda: self._app.send_task(
                name,
                args=[document],
                queue=Queue(queue_of(miner)),  # type: ignore[no-untyped-call]
                expires=expires_s,
                ignore_result=True,
                retry=False,
            )
        )

    def _ask(self, question: Callable[[], T]) -> T:
        if time.monotonic() < self._down_until:
            raise ServiceUnreachable("the broker", self._url, "it did not answer a moment ago")
        try:
            return question()
        except (KombuError, OSError, RedisError) as error:
            self._down_until = time.monotonic() + PAUSE_S
            # Its pools keep connections to a broker that is gone.
            self._app.close()
            self._app = _app(self._url)
            raise ServiceUnreachable(
                "the broker", self._url, f"{type(error).__name__}: {error}"[:200]
            ) from error

    def close(self) -> None:
        self._app.close()


def _app(broker_url: str) -> Celery:
    app = Celery("coordinator", broker=broker_url, set_as_current=False)
    app.conf.update(
        task_serializer="json",
        accept_content=["json"],
        result_backend=None,
        task_ignore_result=True,
        task_publish_retry=False,
        broker_connection_timeout=CONNECT_TIMEOUT_S,
        broker_transport_options={
            "socket_connect_timeout": CONNECT_TIMEOUT_S,
            "socket_timeout": SEND_TIMEOUT_S,
            "retry_on_timeout": False,
            "max_retries": 1,
            # Between two tries kombu would sleep two seconds, and who sends has other things to do.
            "interval_start": 0,
        },
    )
    return app
