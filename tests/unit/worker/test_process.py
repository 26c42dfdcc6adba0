"""The edges of the process: what is imported when, the Celery settings, the configuration, the heartbeat."""

import sqlite3
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import pytest

from protocol.chain.deployment import Deployment
from protocol.contribution import Heartbeat
from protocol.errors import ConfigurationError, PotError, Refused, ServiceUnreachable
from protocol.ids import Address, parse_address
from tests.support.miner_network import eventually
from tests.unit.worker.parts import ACCOUNT, DOMAIN, NOW_S, Clock
from worker.api_client import CoordinatorClient
from worker.app import create_app, lease_end
from worker.config import MinerConfig
from worker.contests import ContestMiner, RevealThread
from worker.heartbeat import LONGEST_PAUSE_S, HeartbeatThread, Pace

MINER = parse_address(ACCOUNT.address)


def imported_by(statement: str) -> set[str]:
    code = f"import sys; {statement}; print(' '.join(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    return set(done.stdout.split())


def test_import__the_package__loads_nothing_heavy() -> None:
    assert not {"torch", "celery", "web3", "numpy"} & imported_by("import worker")


def test_import__the_agent__loads_no_torch_and_no_coordinator() -> None:
    modules = imported_by("import worker.agent")
    assert "torch" not in modules
    assert not [
        name for name in modules if name.split(".")[0] in ("coordinator", "committee", "pot", "anvil")
    ]


def test_app__settings__carry_json_jobs_late_and_nothing_else() -> None:
    conf = create_app("memory://", MINER, 60).conf
    assert conf.accept_content == ["json"]
    assert conf.task_serializer == "json"
    assert conf.result_backend is None
    assert conf.task_acks_late
    assert conf.task_reject_on_worker_lost
    assert conf.worker_prefetch_multiplier == 1
    assert not conf.worker_enable_remote_control
    assert [queue.name for queue in conf.task_queues] == [f"miner.{MINER}"]
    assert conf.broker_transport_options["visibility_timeout"] == 60


def test_lease_end__each_form_of_the_header__is_unix_seconds() -> None:
    moment = datetime(2027, 1, 15, 8, tzinfo=UTC)
    assert lease_end(None) is None
    assert lease_end(moment) == lease_end(moment.isoformat()) == moment.timestamp()
    assert lease_end("soon") == 0.0


def config(**changes: Any) -> MinerConfig:
    here = Address("0x" + "11" * 20)
    deployment = Deployment(
        chain_id=1,
        block=0,
        market=here,
        vault=here,
        committee=here,
        appeals=here,
        contest=here,
        canaries=here,
        token=here,
    )
    urls = {
        "chain_url": "http://c",
        "broker_url": "redis://b",
        "blob_url": "memory://x",
        "api_url": "http://a",
    }
    return MinerConfig(**{"deployment": deployment, "state_dir": Path("state"), **urls, **changes})


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("threads", 0),
        ("threads", 257),
        ("heartbeat_s", 0.0),
        ("visibility_timeout_s", 0),
        ("cache_bytes", -1),
        ("max_blob_bytes", 0),
        ("chain_url", ""),
        ("broker_url", ""),
        ("blob_url", ""),
    ],
)
def test_config__out_of_range__names_the_setting(field: str, value: Any) -> None:
    config()
    with pytest.raises(ConfigurationError, match=field):
        config(**{field: value})


@pytest.mark.parametrize("url", ["", "ftp://x", "file:///etc/passwd", "localhost:8000"])
def test_coordinator_client__no_http_url__is_refused(url: str) -> None:
    with pytest.raises(ConfigurationError):
        CoordinatorClient(url)


def test_coordinator_client__nobody_there__gives_up_within_its_bound() -> None:
    client = CoordinatorClient("http://127.0.0.1:1", max_delay_s=0.3)
    with pytest.raises(ServiceUnreachable):
        client.healthz()


class Sink:
    """Takes beats, or raises ``error``."""

    def __init__(self, error: Exception | None = None) -> None:
        self.error = error
        self.beats: list[dict[str, Any]] = []

    def beat(self, miner: Address, document: dict[str, Any]) -> float | None:
        if self.error is not None:
            raise self.error
        self.beats.append(document)
        return None


def thread(sink: Sink) -> HeartbeatThread:
    return HeartbeatThread(
        account=ACCOUNT, domain=DOMAIN, device="cpu", sink=sink, now_s=Clock(), every_s=0.01
    )


def test_heartbeat__while_running__posts_signed_times_until_stopped() -> None:
    sink = Sink()
    beating = thread(sink)
    beating.start()
    eventually(lambda: len(sink.beats) >= 3, "three beats", timeout_s=5)
    beating.stop()
    assert not beating.is_alive()
    assert Heartbeat.verified(sink.beats[0], DOMAIN) == Heartbeat(
        miner=MINER, time_s=int(NOW_S), device="cpu"
    )


def test_heartbeat__defect_or_full_disk__ends_no_signs_of_life() -> None:
    sink = Sink(OSError("No space left on device"))
    beating = thread(sink)
    beating.start()
    time.sleep(0.05)
    sink.error = None
    eventually(lambda: sink.beats, "a beat", timeout_s=5)
    beating.stop()


class Contests:
    """A ContestMiner whose disk is full for the first looks."""

    def __init__(self) -> None:
        self.failures, self.looks, self.journal = 3, 0, self

    def contestant(self) -> Any:
        return self

    def reveal_due(self) -> None:
        if self.failures:
            self.failures -= 1
            raise sqlite3.OperationalError("database or disk is full")
        self.looks += 1

    def close(self) -> None:
        """The journal's."""


def test_reveals__disk_full_for_a_while__go_on_when_it_has_room() -> None:
    contests = Contests()
    reveals = RevealThread(cast(ContestMiner, contests), 0.01)
    reveals.start()
    eventually(lambda: contests.looks, "a look", timeout_s=5)
    reveals.stop()
    assert not reveals.is_alive()


@pytest.mark.parametrize("error", [Refused("no"), ServiceUnreachable("the coordinator", "http://x", "gone")])
def test_heartbeat__not_taken__is_nobodys_end(error: PotError) -> None:
    beating = thread(Sink(error))
    assert [beating.beat_once() for _ in range(4)] == [0.01, 0.02, 0.04, 0.04]


@pytest.mark.parametrize(
    ("said", "pause"),
    [(None, 2.0), (0.0, 2.0), (50.0, 50.0), (1e9, LONGEST_PAUSE_S), (float("nan"), 2.0), (-1.0, 2.0)],
)
def test_pace__answer_of_a_coordinator__is_followed_within_bounds(said: float | None, pause: float) -> None:
    pace = Pace(2.0)
    pace.failed()
    assert pace.heard(said) == pause
    assert pace.failed() == 2.0
