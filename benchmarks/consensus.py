"""How long an agreement takes: ``python -m benchmarks.consensus [--members 4,7] [--decisions 300]``.

n validator processes on this machine: real websockets over loopback, real secp256k1 signatures, write-ahead
logs flushed to disk. The application's check is empty and every decision is final at once. Measured in the
primary, from the request to the decision with its quorum of endorsements; first one at a time, then with a
full window.
"""

import argparse
import asyncio
import hashlib
import json
import random
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from committee.host import Host
from committee.state import Crypto, Decided, Rejected, ReplicaConfig, Verify
from committee.transport import Transport, TransportConfig
from protocol.ids import Address
from protocol.members import Members
from protocol.pbft_messages import Evidence, Instance
from protocol.signing import KeySigner, is_signed_by

DOMAIN = hashlib.sha256(b"benchmark").digest()
TASK = 1
WARM_UP = 30
REQUEST_BYTES = 312
TIMEOUT_S = 120.0


def endorsement_digest(seq: int, value: bytes) -> bytes:
    return hashlib.sha256(seq.to_bytes(8, "big") + value).digest()


class EmptyApplication:
    """Everything is true, and final as soon as it is decided."""

    def __init__(self) -> None:
        self.host: Host | None = None
        self.seen: dict[int, asyncio.Future[float]] = {}
        self.last = 0

    def verify(self, task: int, question: Verify) -> None:
        if self.host is not None:
            self.host.verdict(task, question.seq, question.digest, True)

    def decided(self, task: int, decided: Decided) -> None:
        self.last = decided.seq
        waiting = self.seen.pop(decided.seq, None)
        if waiting is not None:
            waiting.set_result(time.perf_counter())
        if self.host is not None:
            self.host.finalized(task, decided.seq)

    def rejected(self, task: int, rejected: Rejected) -> None:
        raise AssertionError(f"{rejected} in a benchmark")

    def evidence(self, task: int, evidence: Evidence) -> None:
        raise AssertionError(f"{evidence} in a benchmark")

    def behind(self, task: int, seq: int) -> None:
        """Decisions are exchanged by the replicas themselves."""

    def message(self, peer: Address, kind: str, body: bytes) -> None:
        """There are none."""


async def _replica(config: dict[str, Any]) -> dict[str, float] | None:
    """One validator; member 0 also makes the load and returns the figures."""
    me, n = config["me"], config["n"]
    signers = sorted(
        (KeySigner(hashlib.sha256(b"b%d" % i).digest()) for i in range(n)), key=lambda s: int(s.address, 16)
    )
    members = Members.of(signer.address for signer in signers)
    application = EmptyApplication()
    host = application.host = Host(application, Path(config["folder"]))
    transport = Transport(
        TransportConfig(domain=DOMAIN, listen_port=config["ports"][me]),
        signers[me],
        host,
        random.Random(me).random,
    )
    await transport.start()
    endpoints = zip(members.addresses, config["ports"], strict=True)
    transport.set_members({address: f"ws://127.0.0.1:{port}" for address, port in endpoints})
    host.start(transport)
    instance = Instance(domain=DOMAIN, task=TASK, members=members)
    crypto = Crypto(signer=signers[me], verifier=is_signed_by, endorsement_digest=endorsement_digest)
    host.add(ReplicaConfig(instance=instance, me=me, view_timeout_ticks=50), crypto)
    try:
        async with asyncio.timeout(TIMEOUT_S):
            if me == 0:
                while len(transport.connected) < n - 1:
                    await asyncio.sleep(0.01)
                return await _load(host, application, config["decisions"])
            await host.failed
    finally:
        await transport.stop()
        await host.stop()
    return None


async def _load(host: Host, application: EmptyApplication, decisions: int) -> dict[str, float]:
    loop = asyncio.get_running_loop()
    rng = random.Random(1)

    def ask(seq: int, size: int = REQUEST_BYTES) -> asyncio.Future[float]:
        application.seen[seq] = loop.create_future()
        host.request(TASK, seq, rng.randbytes(size))
        return application.seen[seq]

    seq, latencies = 0, []
    for _ in range(WARM_UP + decisions):
        seq += 1
        started = time.perf_counter()
        latencies.append((await ask(seq)) - started)
    latencies = sorted(latencies[WARM_UP:])
    spent = time.process_time()
    per_s = await _pipelined(ask, seq, decisions * 4, REQUEST_BYTES)
    spent = (time.process_time() - spent) / (decisions * 4)
    batch = 40
    batched = await _pipelined(ask, seq + decisions * 4, decisions * 2, REQUEST_BYTES * batch)
    return {
        "median_ms": statistics.median(latencies) * 1e3,
        "p99_ms": latencies[int(len(latencies) * 0.99)] * 1e3,
        "pipelined_per_s": per_s,
        "cpu_ms_per_decision_and_member": spent * 1e3,
        "requests_per_s": batched * batch,
    }


async def _pipelined(ask: Any, seq: int, decisions: int, size: int) -> float:
    """Decisions per second with 24 of them in flight."""
    started, flying = time.perf_counter(), []
    for k in range(1, decisions + 1):
        flying.append(ask(seq + k, size))
        if len(flying) >= 24:
            await flying.pop(0)
    await asyncio.gather(*flying)
    return decisions / (time.perf_counter() - started)


def measure(n: int, decisions: int) -> dict[str, float]:
    """The figures of one committee. Raises RuntimeError when it does not finish."""
    with tempfile.TemporaryDirectory() as folder:
        sockets = [socket.socket() for _ in range(n)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        ports = [one.getsockname()[1] for one in sockets]
        for one in sockets:
            one.close()
        processes = []
        for me in range(n):
            config = {"me": me, "n": n, "ports": ports, "folder": f"{folder}/{me}", "decisions": decisions}
            command = [sys.executable, "-m", "benchmarks.consensus", "--replica", json.dumps(config)]
            processes.append(subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE))
        try:
            out, err = processes[0].communicate(timeout=TIMEOUT_S)
        finally:
            for process in processes:
                process.kill()
                process.communicate()
        if processes[0].returncode != 0:
            raise RuntimeError(err.decode()[-2000:])
        return {"members": n, **json.loads(out.splitlines()[-1])}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--members", default="4,7")
    parser.add_argument("--decisions", type=int, default=300)
    parser.add_argument("--replica", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.replica:
        figures = asyncio.run(_replica(json.loads(arguments.replica)))
        print(json.dumps(figures))
        return
    rows = [measure(int(n), arguments.decisions) for n in arguments.members.split(",")]
    print(json.dumps(rows, indent=2))


if __name__ == "__main__":
    main()
