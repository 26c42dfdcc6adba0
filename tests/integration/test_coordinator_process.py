"""The coordinator's parts put together: its links to validators, its start, its end."""

import asyncio
import json
import socket
import time
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from eth_account import Account

from anvil.chain import AnvilProcess
from anvil.deploy import deploy
from anvil.network import free_ports
from committee.transport import Transport, TransportConfig
from coordinator.bootstrap import Coordinator
from coordinator.chain.committee_client import CommitteeClient
from coordinator.config import CoordinatorConfig
from protocol.attestation import Attestation
from protocol.chain.client import ChainClient
from protocol.chain.deployment import Deployment
from protocol.contribution import Contribution
from protocol.errors import ConfigurationError, PeerMisbehaved, ServiceUnreachable
from protocol.evidence import FaultReport
from protocol.frames import Status
from protocol.ids import Address, RoundNo, Sha256, ShardNo, TaskId, parse_address
from protocol.pbft_messages import Message, Request
from protocol.signing import KeySigner
from protocol.typed_data import Domain

DOMAIN = Domain(chain_id=1, market=Address("0x" + "11" * 20))


@dataclass(slots=True)
class Heard:
    """Both ends' receivers; keeps what arrives."""

    requests: list[Request] = field(default_factory=list)
    statuses: list[tuple[Address, Status]] = field(default_factory=list)
    faults: list[FaultReport] = field(default_factory=list)
    attestations: list[Attestation] = field(default_factory=list)

    def on_messages(self, messages: list[Message]) -> int:
        return len(messages)

    def on_request(self, request: Request) -> None:
        self.requests.append(request)

    def on_app(self, peer: Address, kind: str, body: bytes) -> None:
        raise PeerMisbehaved("app", "not here")

    def on_offer(self, kind: str, body: bytes) -> bytes:
        raise PeerMisbehaved("app", "not here")

    def on_status(self, member: Address, status: Status) -> None:
        self.statuses.append((member, status))

    def on_attestation(self, item: Attestation) -> None:
        self.attestations.append(item)

    def on_fault(self, report: FaultReport) -> None:
        self.faults.append(report)


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.01)


def a_report() -> FaultReport:
    miner, member = Account.create(), Account.create()
    contribution = Contribution(
        task_id=TaskId(1),
        round=RoundNo(1),
        shard=ShardNo(0),
        miner=parse_address(miner.address),
        spec_hash=Sha256(bytes(32)),
        parent_model=Sha256(bytes(32)),
        gradient=Sha256(bytes(32)),
        batches=(Sha256(bytes(32)),),
        samples=1,
        loss_micros=0,
    )
    return FaultReport.signed(contribution.sign(DOMAIN, miner), DOMAIN, member)


def test_committee_client__real_validators_and_an_impostor__talks_to_those_who_prove_themselves() -> None:
    async def scene() -> None:
        heard, signer = Heard(), KeySigner(b"\x01" * 32)
        config = TransportConfig(domain=DOMAIN.separator)
        validator = Transport(config, signer, heard, lambda: 0.5)
        impostor = Transport(config, KeySigner(b"\x02" * 32), Heard(), lambda: 0.5)
        await validator.start()
        await impostor.start()
        victim = KeySigner(b"\x03" * 32).address
        endpoints = {
            signer.address: f"ws://127.0.0.1:{validator.port}",
            victim: f"ws://127.0.0.1:{impostor.port}",
            Address("0x" + "44" * 20): "file:///etc/passwd",
        }
        client = CommitteeClient(DOMAIN.separator, lambda: endpoints, heard)
        running = asyncio.create_task(client.run())
        try:
            await until(lambda: client.connected)
            client.request(TaskId(1), (signer.address, victim), 1, b"value")
            await until(lambda: heard.requests)
            assert heard.requests == [Request(task=1, seq=1, value=b"value")]
            status = Status(task=1, seq=1, digest=bytes(32), status="rejected", detail="no")
            validator.send_status(status)
            report = a_report()
            validator.send_app("fault", b"[[[")
            validator.send_app("fault", json.dumps(report.to_json()).encode())
            await until(lambda: heard.statuses and heard.faults)
            assert heard.statuses == [(signer.address, status)]
            assert heard.faults == [report]
            assert client.connected == {signer.address}
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
            await validator.stop()
            await impostor.stop()

    asyncio.run(scene())


def test_committee_client__validator_restarted__is_found_again() -> None:
    async def scene() -> None:
        heard, signer = Heard(), KeySigner(b"\x01" * 32)
        first = Transport(TransportConfig(domain=DOMAIN.separator), signer, heard, lambda: 0.5)
        await first.start()
        port = first.port
        client = CommitteeClient(DOMAIN.separator, lambda: {signer.address: f"ws://127.0.0.1:{port}"}, heard)
        running = asyncio.create_task(client.run())
        try:
            await until(lambda: client.connected)
            await first.stop()
            await until(lambda: not client.connected)
            client.request(TaskId(1), (signer.address,), 1, b"old")
            client.request(TaskId(1), (signer.address,), 1, b"new")
            again = Transport(
                TransportConfig(domain=DOMAIN.separator, listen_port=port), signer, heard, lambda: 0.5
            )
            await again.start()
            await until(lambda: heard.requests)
            assert [request.value for request in heard.requests] == [b"new"]
            await again.stop()
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)

    asyncio.run(scene())


@pytest.fixture(scope="module")
def deployment(anvil_chain: AnvilProcess) -> Deployment:
    client, account = ChainClient(anvil_chain.rpc_url), Account.create()
    client.rpc("anvil_setBalance", account.address, hex(10**20))
    return deploy(client, account)


def config(
    anvil_chain: AnvilProcess, deployment: Deployment, folder: Path, **changes: object
) -> CoordinatorConfig:
    (port,) = free_ports(1)
    values = {
        "deployment": deployment,
        "rpc_url": anvil_chain.rpc_url,
        "broker_url": "redis://127.0.0.1:1",
        "database_url": f"sqlite:///{folder}/c.sqlite3",
        "blob_url": (folder / "blobs").as_uri(),
        "port": port,
    }
    return CoordinatorConfig(**{**values, **changes})  # type: ignore[arg-type]


def healthz(settings: CoordinatorConfig) -> dict[str, object]:
    with urllib.request.urlopen(f"{settings.public_url}/healthz", timeout=5) as answer:
        value: dict[str, object] = json.load(answer)
        return value


def await_block(settings: CoordinatorConfig, block: int) -> None:
    give_up = time.monotonic() + 20
    while True:
        try:
            if healthz(settings)["block"] == block:
                return
        except OSError:
            pass
        assert time.monotonic() < give_up, "the index does not follow"
        time.sleep(0.05)


def test_coordinator__parts_in_two_processes_worth_of_objects__share_one_database(
    anvil_chain: AnvilProcess, deployment: Deployment, tmp_path: Path
) -> None:
    settings = config(anvil_chain, deployment, tmp_path, parts=("api",))
    front = Coordinator(settings)
    back = Coordinator(config(anvil_chain, deployment, tmp_path, parts=("indexer", "rounds")))
    front.start()
    back.start()
    try:
        await_block(settings, ChainClient(anvil_chain.rpc_url).block().number)
    finally:
        started = time.monotonic()
        front.stop()
        back.stop()
    assert time.monotonic() - started < 10
    with pytest.raises(OSError, match="refused"):
        healthz(settings)


def test_coordinator__with_an_open_event_stream__still_ends_in_time(
    anvil_chain: AnvilProcess, deployment: Deployment, tmp_path: Path
) -> None:
    settings = config(anvil_chain, deployment, tmp_path)
    coordinator = Coordinator(settings)
    coordinator.start()
    await_block(settings, ChainClient(anvil_chain.rpc_url).block().number)
    with socket.create_connection((settings.host, settings.port), timeout=5) as stream:
        stream.sendall(b"GET /events HTTP/1.1\r\nHost: x\r\n\r\n")
        assert b"200" in stream.recv(100)
        started = time.monotonic()
        coordinator.stop()
        assert time.monotonic() - started < 10


def test_coordinator__port_taken_or_chain_away__says_so_and_does_not_start(
    anvil_chain: AnvilProcess, deployment: Deployment, tmp_path: Path
) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(ConfigurationError, match="cannot be listened on"):
            Coordinator(config(anvil_chain, deployment, tmp_path, port=port))
    with pytest.raises(ServiceUnreachable, match="chain"):
        Coordinator(config(anvil_chain, deployment, tmp_path, rpc_url="http://127.0.0.1:1"))
