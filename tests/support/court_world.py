"""Eleven validators on a real chain: four are drawn for a task and sign whatever a test says; the seven
others, real nodes on real sockets, are the court."""

import json
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import structlog
from eth_account.signers.local import LocalAccount

from anvil.chain import AnvilOptions, AnvilProcess, fresh_chain_id
from anvil.deploy import DeploySettings, deploy
from anvil.network import COIN_WEI, free_ports, stake_everybody
from committee.config import ValidatorConfig
from committee.node import ValidatorNode
from protocol.batches import WHOLE
from protocol.blobs import BlobStore, open_blob_store
from protocol.certificate import SignedCertificate
from protocol.chain.appeals import CaseKind
from protocol.chain.client import ChainClient
from protocol.chain.contract import Call
from protocol.chain.contracts import Contracts
from protocol.chain.docket import read_docket
from protocol.chain.history import TaskHistory, read_task
from protocol.chain.market import TaskParams
from protocol.chain.records import Matter, matters_of, proof_of
from protocol.chain.sender import Receipt, Sender
from protocol.evidence import FaultReport
from protocol.ids import Address, TaskId, parse_address
from protocol.keystore import LIGHT_ITERATIONS, create_keystore
from protocol.ledger import TaskLedger
from protocol.members import quorum
from protocol.record import CertificateRecord
from protocol.segment import RoundRecord, SegmentRecord
from protocol.signing import sign, to_compact
from protocol.spec import TaskSpec
from protocol.verdict import SignedVerdict
from tests.support.court_nodes import Build, Nodes
from tests.support.miner_network import digits, digits_spec, eventually
from tests.support.rounds import train_round
from worker.training.checkpoint import initial_checkpoint

VALIDATORS = 11
COMMITTEE = 4
COURT_TERM_S = 600
WINDOW_S = 300
BLOCK_S = 0.2
PASSWORD = "secret"


def disputed_spec() -> TaskSpec:
    """The small real task, with a challenge window and a drawn committee."""
    value = digits_spec().to_value()
    value["limits"] |= {"challenge_window_s": WINDOW_S}
    value["verification"] |= {"committee_size": COMMITTEE}
    return TaskSpec.from_value(value)


@dataclass(kw_only=True)
class CourtWorld:
    """One deployment, everybody's keys, and the nodes that run."""

    folder: Path
    contracts: Contracts
    accounts: Mapping[str, LocalAccount]
    ports: Mapping[str, int]
    blobs: BlobStore
    nodes: Nodes = field(default_factory=Nodes)

    # ------------------------------------------------------------------ people

    def address(self, name: str) -> Address:
        return parse_address(self.accounts[name].address)

    def send(self, name: str, call: Call) -> Receipt:
        return Sender(self.contracts.client, self.accounts[name]).send(call)

    def balance(self, name: str) -> int:
        return self.contracts.token.balance_of(self.address(name))

    def stake(self, account: Address) -> int:
        return self.contracts.vault.stake_of(account)

    def names_of(self, members: tuple[Address, ...]) -> list[str]:
        return [next(n for n in self.accounts if self.address(n) == m) for m in members]

    # ------------------------------------------------------------------ time

    def mine(self, blocks: int) -> None:
        self.contracts.client.rpc("anvil_mine", hex(blocks))

    def travel_to(self, second: int) -> None:
        """The next block, mined at once, is of Unix second ``second`` or later."""
        ahead = second - self.contracts.client.block().timestamp
        if ahead > 0:
            self.contracts.client.rpc("evm_increaseTime", ahead)
        self.mine(1)

    # ------------------------------------------------------------------ tasks

    def post(self) -> TaskId:
        """A task with its committee drawn."""
        spec = disputed_spec()
        self.blobs.put(digits())
        self.blobs.put(spec.blob)
        genesis = self.blobs.put(initial_checkpoint(spec))
        params = TaskParams.of(spec, genesis, self.contracts.client.block().timestamp)
        market = self.contracts.market
        self.send("poster", self.contracts.token.approve(market.address, params.escrow))
        self.send("poster", market.create_task(params))
        task = TaskId(market.task_count())
        self.mine(3)
        if not self._is_drawn(task):
            self.send("poster", self.contracts.committee.draw_committee(task))
        return task

    def _is_drawn(self, task: TaskId) -> bool:
        return bool(self.history(task).ledger.members)

    def history(self, task: TaskId) -> TaskHistory:
        return read_task(self.contracts, self.blobs, task)

    def train(self, ledger: TaskLedger, **options: object) -> RoundRecord:
        """The next round on two miners' keys."""
        return train_round(
            ledger,
            self.blobs,
            self.contracts.deployment.domain,
            lambda shard: self.accounts[f"miner-{shard + 1}"],
            **options,  # type: ignore[arg-type]
        )

    def certify(self, task: TaskId, record: SegmentRecord) -> CertificateRecord:
        """Have a quorum of the task's committee sign ``record``, which nobody looks at, and post it."""
        ledger = self.history(task).ledger
        self.blobs.put(record.blob)
        domain = self.contracts.deployment.domain
        certificate = record.certificate(domain, ledger.epoch)
        signing = self.names_of(ledger.members)[: quorum(len(ledger.members))]
        digest = certificate.digest(domain)
        joined = b"".join(to_compact(sign(digest, self.accounts[name])) for name in signing)
        signed = SignedCertificate(
            certificate=certificate, signers=(1 << len(signing)) - 1, signatures=joined
        )
        self.send("poster", self.contracts.market.certify(signed))
        return self.history(task).segments[-1].event.record

    def certify_round(self, task: TaskId, **options: object) -> CertificateRecord:
        """Train and certify one round; ``zeros`` names the shards that were not worked on."""
        ledger = self.history(task).ledger
        return self.certify(task, ledger.extend((self.train(ledger, **options),)))

    def blame(
        self, task: TaskId, shard: int, *, doubled: tuple[int, ...] = (), batch: int = WHOLE
    ) -> CertificateRecord:
        """Certify a round without ``shard``, whose work two members of the committee call a fault of
        ``batch``; it is honest unless its last micro-batch is ``doubled``."""
        ledger = self.history(task).ledger
        blamed = self.train(ledger, doubled=doubled)
        domain = self.contracts.deployment.domain
        reports = tuple(
            FaultReport.signed(blamed.contributions[shard], domain, self.accounts[name], batch)
            for name in self.names_of(ledger.members)[:2]
        )
        others = self.train(ledger, shards=[s for s in (0, 1) if s != shard])
        return self.certify(task, ledger.extend((others,), reports))

    # ------------------------------------------------------------------ disputes

    def challenge(
        self, name: str, task: TaskId, record: CertificateRecord, matter: Matter, batch: int = WHOLE
    ) -> None:
        """Bring a case by hand; a contribution is challenged for ``batch``."""
        appeals, domain = self.contracts.appeals, self.contracts.deployment.domain
        segment = next(s for s in self.history(task).segments if s.event.index == record.index)
        proof = proof_of(segment.record, matter, domain)
        self.send(name, self.contracts.token.approve(appeals.address, appeals.bond_of(0)))
        about = (task, record, matter.leaf, proof)
        self.send(
            name,
            appeals.challenge_fault(*about)
            if matter.fault is not None
            else appeals.challenge_contribution(*about, batch),
        )

    def challenge_first(self, task: TaskId) -> None:
        """Challenge the first contribution of the newest certificate."""
        segment = self.history(task).segments[-1]
        matter = matters_of(segment.record, CaseKind.CONTRIBUTION, self.contracts.deployment.domain)[0]
        self.challenge("challenger", task, segment.event.record, matter)

    def decide(self, task: TaskId, upheld: int) -> None:
        """Have a quorum of the drawn court sign a verdict, true or not, and post it."""
        docket = read_docket(self.contracts, task, 1)
        verdict = docket.dispute.verdict(upheld)
        digest = verdict.digest(self.contracts.deployment.domain)
        signing = self.names_of(docket.court)[: quorum(len(docket.court))]
        signed = SignedVerdict(
            verdict=verdict,
            signers=(1 << len(signing)) - 1,
            signatures=b"".join(to_compact(sign(digest, self.accounts[name])) for name in signing),
        )
        self.send("poster", self.contracts.appeals.decide(signed, None))

    def judges(self, task: TaskId) -> list[str]:
        """Every validator that is not of the task's committee: a court of all of them, in its order."""
        committee = self.history(task).ledger.members
        outside = [name for name in self.ports if self.address(name) not in committee]
        return sorted(outside, key=lambda name: self.address(name).lower())

    def start_court(self, task: TaskId) -> list[str]:
        """Run every validator that is not of the task's committee; returns their names."""
        outside = self.judges(task)
        for name in outside:
            self.start_node(name)
        return outside

    def start_node(self, name: str, build: Build = ValidatorNode) -> None:
        config = ValidatorConfig(deployment=self.contracts.deployment, **self._settings(name))
        self.nodes.start(config, self.accounts[name], build)

    def start_process(self, name: str) -> subprocess.Popen[bytes]:
        """The same validator in a process of its own, which the caller ends."""
        keys = {"keystore": f"{self.folder}/keys/{name}.json", "password_file": f"{self.folder}/password"}
        settings = self._settings(name) | keys | {"deployment": self.contracts.deployment.to_json()}
        file = self.folder / f"{name}.json"
        file.write_text(json.dumps(settings, default=str))
        command = [sys.executable, "-m", "tests.support.validator_process", str(file)]
        with (self.folder / f"{name}.log").open("ab") as log:
            return subprocess.Popen(command, stdout=log, stderr=log, cwd=Path.cwd())

    def _settings(self, name: str) -> dict[str, Any]:
        return {
            "rpc_url": self.contracts.client.rpc_url,
            "blob_url": (self.folder / "blobs").as_uri(),
            "state_dir": self.folder / "state" / name,
            "port": self.ports[name],
            "view_timeout_ticks": 30,
        }

    def stop_nodes(self) -> None:
        self.nodes.close()
        self.nodes = Nodes()

    def until_dispute(self, task: TaskId, number: int, status: int, timeout_s: float = 60.0) -> None:
        """Wait for the status of a dispute, while blocks are mined as on a live chain, and not so fast that
        those who follow it have time for nothing else."""
        appeals, mined_at = self.contracts.appeals, 0.0

        def reached() -> bool:
            nonlocal mined_at
            if time.monotonic() - mined_at >= BLOCK_S:
                self.mine(1)
                mined_at = time.monotonic()
            return appeals.dispute(task, number).status == status

        eventually(reached, f"dispute {number} of task {task} to reach status {status}", timeout_s)


def write_network_file(folder: Path, contracts: Contracts, names: list[str]) -> None:
    """What lets commands find everything from ``folder``."""
    (folder / "password").write_text(PASSWORD + "\n")
    where = contracts.deployment.to_json()
    document = {
        "rpc_url": contracts.client.rpc_url,
        "chain_id": where.pop("chain_id"),
        "contracts": where,
        "blob_url": (folder / "blobs").as_uri(),
        "keystores": {name: str(folder / "keys" / f"{name}.json") for name in names},
        "password_file": str(folder / "password"),
    }
    (folder / ".pot").mkdir()
    (folder / ".pot" / "network.json").write_text(json.dumps(document))


@contextmanager
def court_world(folder: Path) -> Iterator[CourtWorld]:
    """A world in ``folder``; nothing of it outlives the block."""
    with AnvilProcess(AnvilOptions(chain_id=fresh_chain_id()), log=folder / "anvil.log") as chain:
        client = ChainClient(chain.rpc_url)
        validators = [f"validator-{i}" for i in range(1, VALIDATORS + 1)]
        people = ("deployer", "treasury", "poster", "challenger", "miner-1", "miner-2")
        accounts = {
            name: create_keystore(folder / "keys" / f"{name}.json", PASSWORD, LIGHT_ITERATIONS)
            for name in (*people, *validators)
        }
        for account in accounts.values():
            client.rpc("anvil_setBalance", account.address, hex(COIN_WEI))
        settings = DeploySettings(
            court_term_s=COURT_TERM_S, treasury=parse_address(accounts["treasury"].address)
        )
        contracts = Contracts.at(client, deploy(client, accounts["deployer"], settings))
        ports = dict(zip(validators, free_ports(VALIDATORS), strict=True))
        endpoints = {name: f"ws://127.0.0.1:{port}" for name, port in ports.items()}
        stake_everybody(contracts, accounts, endpoints)
        (folder / "blobs").mkdir()
        write_network_file(folder, contracts, list(accounts))
        world = CourtWorld(
            folder=folder,
            contracts=contracts,
            accounts=accounts,
            ports=ports,
            blobs=open_blob_store((folder / "blobs").as_uri()),
        )
        # Nodes in this process must not print among the documents of commands.
        structlog.configure(
            processors=[structlog.stdlib.render_to_log_kwargs],
            logger_factory=structlog.stdlib.LoggerFactory(),
        )
        try:
            yield world
        finally:
            world.nodes.close()
            structlog.reset_defaults()
