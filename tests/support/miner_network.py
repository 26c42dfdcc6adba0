"""Around one real miner process: a deployed market with a task, a blob store, and somebody to report to."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final

from celery import Celery
from eth_account import Account
from eth_account.signers.local import LocalAccount

from anvil.deploy import deploy
from anvil.transactions import Pipeline, settle
from protocol.blobs import BlobStore, open_blob_store
from protocol.chain.client import ChainClient
from protocol.chain.contracts import Contracts
from protocol.chain.market import TaskParams
from protocol.ids import RoundNo, Sha256, ShardNo, TaskId, parse_address, sha256
from protocol.job import TRAIN_SHARD, ShardJob, queue_of
from protocol.keystore import LIGHT_ITERATIONS, create_keystore
from protocol.spec import TaskSpec
from worker.training.checkpoint import initial_checkpoint
from worker.training.ingest import bundled_dataset

VALIDATORS: Final = 4
WAIT_S: Final = 30.0


@cache
def digits() -> bytes:
    """The canonical dataset blob."""
    return bundled_dataset("digits")


def digits_spec(**limits: int) -> TaskSpec:
    """A small real task: digits, an MLP, two shards a round."""
    return TaskSpec.from_value(
        {
            "version": 1,
            "kind": "pooled",
            "title": "digits",
            "model": {"arch": "mlp", "params": {"inputs": 64, "hidden": 64, "layers": 1, "classes": 10}},
            "dataset": {
                "name": "digits",
                "kind": "classification",
                "sha256": sha256(digits()).hex(),
            },
            "recipe": {
                "optimizer": {"kind": "sgd", "lr": "0.1"},
                "rounds": 5,
                "shards": 2,
                "global_batch": 128,
                "micro_batch": 32,
            },
            "verification": {"sample_ppm": 500_000},
            "money": {
                "reward_per_shard": "10",
                "fee_per_round": "4",
                "miner_stake": "1000",
                "slash_per_fault": "500",
            },
            "limits": {"task_life_s": 3600, **limits},
        }
    )


def eventually(condition: Callable[[], Any], what: str, timeout_s: float = WAIT_S) -> Any:
    """The first true value of ``condition``; fails the test when there is none in time."""
    give_up = time.monotonic() + timeout_s
    while not (value := condition()):
        assert time.monotonic() < give_up, f"{what}: not within {timeout_s} s"
        time.sleep(0.02)
    return value


@dataclass(frozen=True, slots=True, kw_only=True)
class Market:
    """Contracts with a committee of VALIDATORS and a rich poster."""

    contracts: Contracts
    poster: LocalAccount

    @classmethod
    def deployed(cls, rpc_url: str) -> "Market":
        client = ChainClient(rpc_url)
        accounts = [Account.create() for _ in range(VALIDATORS + 1)]
        for account in accounts:
            client.rpc("anvil_setBalance", account.address, hex(10**20))
        *validators, poster = accounts
        contracts = Contracts.connect(rpc_url, deploy(client, poster))
        stake, sent = contracts.committee.validator_stake(), []
        for account in validators:
            line = Pipeline(client, account, contracts.deployment.chain_id)
            calls = [
                contracts.token.faucet(parse_address(account.address)),
                contracts.token.approve(contracts.vault.address, stake),
                contracts.vault.deposit(stake),
                contracts.committee.join("ws://127.0.0.1:1"),
            ]
            sent += [line.send(call) for call in calls]
        settle(client, sent)
        line = Pipeline(client, poster, contracts.deployment.chain_id)
        calls = [
            contracts.token.faucet(parse_address(poster.address)),
            contracts.token.approve(contracts.market.address, 10**24),
            contracts.committee.advance_epoch(),
        ]
        settle(client, [line.send(call) for call in calls])
        return cls(contracts=contracts, poster=poster)

    def post(self, spec: TaskSpec, genesis: Sha256, delay_s: int = 0) -> TaskId:
        """Fund a task that starts ``delay_s`` seconds from the newest block."""
        start = self.contracts.client.block().timestamp + delay_s
        return self.post_params(TaskParams.of(spec, genesis, start))

    def post_params(self, params: TaskParams) -> TaskId:
        """Fund a task with these parameters, which need not agree with any spec."""
        client = self.contracts.client
        line = Pipeline(client, self.poster, self.contracts.deployment.chain_id)
        settle(client, [line.send(self.contracts.market.create_task(params))])
        return TaskId(self.contracts.market.task_count())


@dataclass(frozen=True, slots=True)
class Received:
    """One request: its path and its JSON body."""

    path: str
    body: Any


@dataclass(slots=True)
class HttpCoordinator:
    """A real HTTP server that takes contributions and heartbeats and keeps them.

    ``answers`` are statuses for the next contributions, one each; afterwards it says 202.
    """

    received: list[Received] = field(default_factory=list)
    answers: list[int] = field(default_factory=list)
    _server: ThreadingHTTPServer | None = None
    _port: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    @property
    def contributions(self) -> list[Any]:
        return [item.body for item in self.received if item.path == "/contributions"]

    def last_fence(self) -> int | None:
        """The fence of the newest contribution; None before there is one."""
        return next((int(body["fence"]) for body in reversed(self.contributions)), None)

    @property
    def heartbeats(self) -> list[Received]:
        return [item for item in self.received if item.path.endswith("/heartbeat")]

    def start(self) -> None:
        """Listen; after ``stop``, on the same port again."""
        owner = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self._answer(200)

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                status = 202
                if self.path == "/contributions":
                    with suppress(IndexError):
                        status = owner.answers.pop(0)
                if status < 300:
                    owner.received.append(Received(self.path, body))
                self._answer(status)

            def _answer(self, status: int) -> None:
                self.send_response(status)
                self.send_header("Content-Length", "2")
                self.end_headers()
                self.wfile.write(b"{}")

            def log_message(self, *_: object) -> None:
                """The test's output is no access log."""

        self._server = ThreadingHTTPServer(("127.0.0.1", self._port), Handler)
        self._port = self._server.server_port
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def stop(self) -> None:
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()


@dataclass(slots=True)
class Miner:
    """One miner process; its keystore, its journal and its log lie in ``folder``."""

    folder: Path
    settings: dict[str, Any]
    account: LocalAccount
    process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid

    @property
    def log(self) -> str:
        return (self.folder / "log").read_text()

    def start(self) -> None:
        (self.folder / "miner.json").write_text(json.dumps(self.settings))
        command = [sys.executable, "-m", "tests.support.miner_process", str(self.folder)]
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(command, stderr=log, stdout=log, cwd=Path.cwd())

    def wait_for(self, text: str, times: int = 1) -> None:
        """Until the log says ``text`` so often; fails at once when the process has ended without."""

        def said() -> bool:
            assert self.process is not None
            enough = self.log.count(text) >= times
            assert enough or self.process.poll() is None, f"the miner ended:\n{self.log}"
            return enough

        eventually(said, f"{text!r} in the miner's log")

    def signal(self, number: signal.Signals) -> int:
        """Send a signal and wait for the end; the exit code."""
        assert self.process is not None
        os.kill(self.process.pid, number)
        return self.process.wait(WAIT_S)

    def stop(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait(WAIT_S)


@dataclass(frozen=True, slots=True, kw_only=True)
class MinerNetwork:
    """All of it for one task; ``spec_hash`` and ``genesis`` lie in ``blobs``."""

    market: Market
    coordinator: HttpCoordinator
    blobs: BlobStore
    blob_url: str
    broker_url: str
    spec: TaskSpec
    genesis: Sha256
    task_id: TaskId
    folder: Path

    def job(self, **changes: Any) -> ShardJob:
        """A job of round 1; ``changes`` override its fields."""
        base: dict[str, Any] = {
            "task_id": self.task_id,
            "round": RoundNo(1),
            "shard": ShardNo(0),
            "attempt": 1,
            "fence": 17,
            "spec_hash": self.spec.hash,
            "parent_model": self.genesis,
            "api_url": self.coordinator.url,
            "lease_s": 30,
        }
        return ShardJob(**{**base, **changes})

    def producer(self) -> Celery:
        """What a coordinator sends with."""
        app = Celery("test-coordinator", broker=self.broker_url, set_as_current=False)
        app.conf.update(task_serializer="json", task_ignore_result=True, broker_transport_options={})
        return app

    def send(self, miner: Miner, argument: Any, lease_s: float | None = 30) -> None:
        """Put one job on the miner's queue; ``argument`` is a ShardJob or any JSON value."""
        value = argument.to_json() if isinstance(argument, ShardJob) else argument
        with self.producer() as app:
            app.send_task(
                TRAIN_SHARD,
                args=[value],
                queue=queue_of(parse_address(miner.account.address)),
                expires=lease_s,
            )

    @contextmanager
    def miner(self, name: str, **settings: Any) -> Iterator[Miner]:
        """A started miner that is ready for jobs."""
        folder = self.folder / name
        folder.mkdir()
        (folder / "password").write_text("correct horse")
        account = create_keystore(folder / "key.json", "correct horse", LIGHT_ITERATIONS)
        miner = Miner(
            folder=folder,
            account=account,
            settings={
                "deployment": self.market.contracts.deployment.to_json(),
                "chain_url": self.market.contracts.client.rpc_url,
                "broker_url": self.broker_url,
                "blob_url": self.blob_url,
                "api_url": self.coordinator.url,
                "state_dir": str(folder / "state"),
                "device": "cpu",
                "heartbeat_s": 0.5,
                **settings,
            },
        )
        try:
            miner.start()
            miner.wait_for("event=mining")
            yield miner
        finally:
            miner.stop()


@contextmanager
def open_network(rpc_url: str, broker_url: str, folder: Path) -> Iterator[MinerNetwork]:
    """Deploy, listen, store spec, data and genesis, and fund the task."""
    coordinator, market = HttpCoordinator(), Market.deployed(rpc_url)
    coordinator.start()
    blob_url = f"file://{folder}/blobs"
    blobs, spec = open_blob_store(blob_url), digits_spec()
    blobs.put(digits())
    blobs.put(spec.blob)
    genesis = blobs.put(initial_checkpoint(spec))
    try:
        yield MinerNetwork(
            market=market,
            coordinator=coordinator,
            blobs=blobs,
            blob_url=blob_url,
            broker_url=broker_url,
            spec=spec,
            genesis=genesis,
            task_id=market.post(spec, genesis),
            folder=folder,
        )
    finally:
        coordinator.stop()
