"""The Celery application of one miner: one queue, one task, JSON, no results."""

from datetime import datetime
from typing import Any, Final

from celery import Celery
from celery import signals as celery_signals
from celery.worker.request import Request
from kombu.entity import Queue

from protocol.ids import Address
from protocol.job import ENTER_CONTEST, TRAIN_SHARD, queue_of
from worker.contests import ContestMiner
from worker.jobs import ShardMiner

CONNECT_TIMEOUT_S: Final = 5.0
ANSWER_TIMEOUT_S: Final = 4.0
"""Longer than the second after which the broker answers that there is no job."""


class JobRequest(Request):  # type: ignore[misc]
    """A job in hand. Raises the broker's error when its acknowledgement or rejection fails, so that the
    worker connects anew.

    Celery logs such an error and goes on. The job then counts as in hand for ever, and a worker that takes
    one at a time never takes another.
    """

    acknowledged: bool

    def acknowledge(self) -> None:
        if not self.acknowledged:
            self.message.ack()
            self.acknowledged = True

    def reject(self, requeue: bool = False) -> None:
        if not self.acknowledged:
            self.message.reject(requeue)
            self.acknowledged = True


def create_app(broker_url: str, miner: Address, visibility_timeout_s: int) -> Celery:
    """An application that reads only ``queue_of(miner)``; a job not acknowledged within
    ``visibility_timeout_s`` is delivered again."""
    queue = queue_of(miner)
    app = Celery(f"miner-{miner}", broker=broker_url, set_as_current=False)
    app.conf.update(
        accept_content=["json"],
        task_serializer="json",
        result_backend=None,
        task_ignore_result=True,
        task_acks_late=True,
        task_reject_on_worker_lost=True,
        task_queues=[Queue(queue)],  # type: ignore[no-untyped-call]
        task_default_queue=queue,
        task_create_missing_queues=False,
        worker_prefetch_multiplier=1,
        worker_concurrency=1,
        worker_pool="solo",
        # Whoever reaches the broker must not be able to command the worker.
        worker_enable_remote_control=False,
        worker_send_task_events=False,
        worker_hijack_root_logger=False,
        worker_redirect_stdouts=False,
        broker_connection_retry=True,
        broker_connection_retry_on_startup=True,
        # The coordinator's leases bound what a lost broker can cost; the worker waits for it, and looks again
        # after two seconds, then four, at last every thirty.
        broker_connection_max_retries=None,
        broker_connection_timeout=CONNECT_TIMEOUT_S,
        broker_transport_options={
            "visibility_timeout": visibility_timeout_s,
            "socket_connect_timeout": CONNECT_TIMEOUT_S,
            # A broker that hangs, or whose host is gone, is given up like one that refuses.
            "socket_timeout": ANSWER_TIMEOUT_S,
            "socket_keepalive": True,
            # Every look for what was not acknowledged counts, not every tenth: once in ten seconds.
            "unacked_restore_throttle": 1,
        },
    )
    celery_signals.setup_logging.connect(_keep_logging, weak=False)
    return app


def register(app: Celery, miner: ShardMiner, contests: ContestMiner | None = None) -> None:
    """Make ``miner`` answer the jobs of ``app``, and ``contests`` those about whole models."""

    def train_shard(self: Any, job: Any) -> None:
        miner.handle(job, lease_end(self.request.expires))

    app.task(name=TRAIN_SHARD, bind=True, Request=JobRequest)(train_shard)
    if contests is not None:
        app.task(name=ENTER_CONTEST, Request=JobRequest)(contests.handle)


def lease_end(expires: str | datetime | None) -> float | None:
    """Unix seconds of a message's ``expires`` header; an unreadable one has expired."""
    if expires is None:
        return None
    try:
        return (expires if isinstance(expires, datetime) else datetime.fromisoformat(expires)).timestamp()
    except (TypeError, ValueError):
        return 0.0


def _keep_logging(**_: Any) -> None:
    """A receiver of Celery's logging signal: with one there, Celery leaves the root logger alone."""
