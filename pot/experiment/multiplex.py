"""One process that is many miners: ``python -m pot.experiment.multiplex PLAN.json``.

Each identity has its own key, queue, journal and heartbeats, as a miner process has; what they share is the
processor, the connections, and what was read by hash.
"""

import heapq
import json
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from eth_account import Account
from eth_account.signers.local import LocalAccount
from kombu.entity import Queue

from protocol.chain.deployment import Deployment
from protocol.ids import parse_address, sha256
from protocol.job import TRAIN_SHARD, queue_of
from protocol.typed_data import Domain
from worker.agent import build_miner, consume, log_to_stderr
from worker.api_client import CoordinatorClient
from worker.app import JobRequest, create_app, lease_end
from worker.config import MinerConfig
from worker.heartbeat import HeartbeatThread
from worker.jobs import ShardMiner
from worker.journal import SigningJournal
from worker.trainer import warm_up

BEAT_EVERY_S: Final = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Identities:
    """Keys ``first`` .. ``first + count - 1`` derived from the bytes of a secret file."""

    secret: Path
    first: int
    count: int

    def accounts(self) -> list[LocalAccount]:
        root = self.secret.read_bytes()
        return [
            Account.from_key(sha256(root + number.to_bytes(8, "big")))
            for number in range(self.first, self.first + self.count)
        ]


def run(config: MinerConfig, identities: Identities) -> int:
    """Mine as all identities until SIGTERM; jobs are done one after the other."""
    log_to_stderr()
    accounts = identities.accounts()
    shared = build_miner(config, accounts[0], "cpu")
    miners = {queue_of(parse_address(a.address)): _as(shared, config, a) for a in accounts}
    app = create_app(config.broker_url, parse_address(accounts[0].address), config.visibility_timeout_s)
    app.conf.task_queues = [Queue(name) for name in miners]  # type: ignore[no-untyped-call]

    def train_shard(self: Any, job: Any) -> None:
        miners[self.request.delivery_info["routing_key"]].handle(job, lease_end(self.request.expires))

    app.task(name=TRAIN_SHARD, bind=True, Request=JobRequest)(train_shard)
    warm_up(config.threads, "cpu")
    beats = threading.Thread(
        target=_beat, args=(accounts, config.deployment.domain, config.api_url), daemon=True
    )
    beats.start()
    return consume(app, f"miners-{identities.first}@{config.deployment.chain_id}")


def _as(shared: ShardMiner, config: MinerConfig, account: LocalAccount) -> ShardMiner:
    """The same machine for another account."""
    journal = SigningJournal(config.state_dir / f"signed-{account.address}.sqlite")
    return replace(shared, account=account, journal=journal)


def _beat(accounts: Sequence[LocalAccount], domain: Domain, api_url: str) -> None:
    """Signs of life of everybody, each when it is due: what as many threads would do, in one."""
    sink = CoordinatorClient(api_url)
    beating = [
        HeartbeatThread(
            account=account, domain=domain, device="cpu", sink=sink, now_s=time.time, every_s=BEAT_EVERY_S
        )
        for account in accounts
    ]
    due = [(0.0, place) for place in range(len(beating))]
    while True:
        at, place = heapq.heappop(due)
        time.sleep(max(0.0, at - time.monotonic()))
        heapq.heappush(due, (time.monotonic() + beating[place].beat_once(), place))


def main(path: Path) -> int:
    """Read the plan that ``throughput`` wrote, and mine."""
    plan = json.loads(path.read_text())
    config = MinerConfig(
        deployment=Deployment.from_json(plan["deployment"]),
        state_dir=Path(plan["state_dir"]),
        heartbeat_s=BEAT_EVERY_S,
        device="cpu",
        **{name: plan[name] for name in ("chain_url", "broker_url", "blob_url", "api_url")},
    )
    identities = Identities(secret=Path(plan["secret"]), first=plan["first"], count=plan["count"])
    return run(config, identities)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
