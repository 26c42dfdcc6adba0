"""How long an agreement takes: ``python -m benchmarks.consensus [--members 4,7,16] [--decisions 300]``.

n validator processes on this machine: real websockets over loopback, real secp256k1 signatures, write-ahead
logs flushed to disk. The application's check is empty and every decision is final at once. Measured in the
primary, from the request to the decision with its quorum of endorsements; first one at a time, then with a
full window. Then the primary of another committee is killed: measured from there to the first certificate of
the new view, in view timeouts. All members share this machine's cores: with two of them, n members need
n / 2 times the processor time of one for each decision. Exit status 1 when a figure is missed.
"""

import argparse
import asyncio
import hashlib
import json
import os
import random
import signal
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
from protocol.errors import PeerMisbehaved
from protocol.ids import Address
from protocol.members import Members
from protocol.pbft_messages import MAX_VALUE_BYTES, Evidence, Instance, Request
from protocol.signing import KeySigner, is_signed_by, is_statement_of

DOMAIN = hashlib.sha256(b"benchmark").digest()
TASK = 1
WARM_UP = 30
REQUEST_BYTES = 312
BATCH = MAX_VALUE_BYTES // REQUEST_BYTES
IN_FLIGHT = 24
TIMEOUT_S = 300.0
LATENCY_MS = {4: 3.0, 7: 6.0, 16: 30.0}
"""The median to stay below, by the number of members."""
PIPELINED_PER_S = {4: 1_000.0}
REQUESTS_PER_S = {4: 20_000.0}
VIEW_TIMEOUT_TICKS = 50
TICK_S = 0.1
FAIL_OVER_TICKS = 10
"""The view timeout of the committee that loses its primary: one second."""
FAIL_OVER_TIMEOUTS = 2.0


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

    def tick(self) -> None:
        pass

    def offered(self, kind: str, body: bytes) -> bytes:
        raise PeerMisbehaved("message of a client", f"its kind {kind!r} is unknown")


async def _replica(config: dict[str, Any]) -> dict[str, float] | None:
    """One validator. Member 0 also makes the load and returns the figures; when it is to be killed, member
    1 does."""
    me, n = config["me"], config["n"]
    signers = sorted(
        (KeySigner(hashlib.sha256(b"b%d" % i).digest()) for i in range(n)), key=lambda s: int(s.address, 16)
    )
    members = Members.of(signer.address for signer in signers)
    application = EmptyApplication()
    host = application.host = Host(application, Path(config["folder"]), TICK_S)
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
    crypto = Crypto(
        signer=signers[me],
        verifier=is_signed_by,
        statement_verifier=is_statement_of,
        endorsement_digest=endorsement_digest,
    )
    ticks = FAIL_OVER_TICKS if "kill" in config else VIEW_TIMEOUT_TICKS
    host.add(ReplicaConfig(instance=instance, me=me, view_timeout_ticks=ticks), crypto)
    try:
        async with asyncio.timeout(TIMEOUT_S):
            if me == ("kill" in config):
                while len(transport.connected) < n - 1:
                    await asyncio.sleep(0.01)
                if "kill" in config:
                    return await _fail_over(host, application, transport, config["kill"])
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
    for _ in range(WARM_UP):
        seq += 1
        await ask(seq)
    spent = [time.process_time()]
    for _ in range(decisions):
        seq += 1
        started = time.perf_counter()
        latencies.append((await ask(seq)) - started)
    latencies.sort()
    spent.append(time.process_time())
    per_s = await _pipelined(ask, seq, decisions * 4, REQUEST_BYTES)
    spent.append(time.process_time())
    batched = await _pipelined(ask, seq + decisions * 4, decisions * 2, REQUEST_BYTES * BATCH)
    return {
        "median_ms": statistics.median(latencies) * 1e3,
        "p99_ms": latencies[int(len(latencies) * 0.99)] * 1e3,
        "cpu_ms_one_at_a_time": (spent[1] - spent[0]) / decisions * 1e3,
        "pipelined_per_s": per_s,
        "cpu_ms_pipelined": (spent[2] - spent[1]) / (decisions * 4) * 1e3,
        "requests_per_s": batched * BATCH,
    }


async def _pipelined(ask: Any, seq: int, decisions: int, size: int) -> float:
    """Decisions per second with ``IN_FLIGHT`` of them on their way."""
    started, flying = time.perf_counter(), []
    for k in range(1, decisions + 1):
        flying.append(ask(seq + k, size))
        if len(flying) >= IN_FLIGHT:
            await flying.pop(0)
    await asyncio.gather(*flying)
    return decisions / (time.perf_counter() - started)


async def _fail_over(
    host: Host, application: EmptyApplication, transport: Transport, primary: int
) -> dict[str, float]:
    """View timeouts from the death of process ``primary`` to the first certificate without it."""
    replica, rng = host.replica(TASK), random.Random(1)

    async def decide(seq: int) -> float:
        waiting: asyncio.Future[float] = asyncio.get_running_loop().create_future()
        application.seen[seq] = waiting
        request = Request(task=TASK, seq=seq, value=rng.randbytes(REQUEST_BYTES))
        transport.send(replica.members.addresses, request)  # a client asks everybody
        host.on_request(request)
        return await waiting

    for seq in range(1, WARM_UP + 1):
        await decide(seq)
    killed = time.perf_counter()
    os.kill(primary, signal.SIGKILL)
    decided = await decide(WARM_UP + 1)
    assert replica.view > 0
    return {"fail_over_view_timeouts": (decided - killed) / (FAIL_OVER_TICKS * TICK_S)}


def measure(n: int, decisions: int) -> dict[str, float]:
    """The figures of one committee. Raises RuntimeError when it does not finish."""
    return _run(n, 0, decisions=decisions) | _run(n, 1)


def _run(n: int, maker: int, **extra: int) -> dict[str, float]:
    """What member ``maker`` returns; member 1 is told whom to kill."""
    with tempfile.TemporaryDirectory() as folder:
        sockets = [socket.socket() for _ in range(n)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        ports = [one.getsockname()[1] for one in sockets]
        for one in sockets:
            one.close()
        processes: list[subprocess.Popen[bytes]] = []
        for me in range(n):
            config = {"me": me, "n": n, "ports": ports, "folder": f"{folder}/{me}", **extra}
            if maker == 1:
                config["kill"] = processes[0].pid if processes else 0
            command = [sys.executable, "-m", "benchmarks.consensus", "--replica", json.dumps(config)]
            processes.append(subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE))
        try:
            out, err = processes[maker].communicate(timeout=TIMEOUT_S)
        finally:
            for process in processes:
                process.kill()
                process.communicate()
        if processes[maker].returncode != 0:
            raise RuntimeError(err.decode()[-2000:])
        return dict(json.loads(out.splitlines()[-1]))


def report(n: int, figures: dict[str, float]) -> list[str]:
    """One line per figure, with its bound where there is one; those that miss it start with ``missed``."""
    lines = []
    for name, value in figures.items():
        line = f"n = {n}  {name} {value:.2f}"
        if name == "median_ms" and n in LATENCY_MS:
            line = f"{_judged(value <= LATENCY_MS[n])} {line} (at most {LATENCY_MS[n]:.0f})"
        elif name == "pipelined_per_s" and n in PIPELINED_PER_S:
            line = f"{_judged(value >= PIPELINED_PER_S[n])} {line} (at least {PIPELINED_PER_S[n]:.0f})"
        elif name == "requests_per_s" and n in REQUESTS_PER_S:
            line = f"{_judged(value >= REQUESTS_PER_S[n])} {line} (at least {REQUESTS_PER_S[n]:.0f})"
        elif name == "fail_over_view_timeouts":
            line = f"{_judged(value <= FAIL_OVER_TIMEOUTS)} {line} (at most {FAIL_OVER_TIMEOUTS:.0f})"
        else:
            line = f"       {line}"
        lines.append(line)
    return lines


def _judged(reached: bool) -> str:
    return "ok    " if reached else "missed"


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--members", default="4,7,16")
    parser.add_argument("--decisions", type=int, default=300)
    parser.add_argument("--replica", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.replica:
        figures = asyncio.run(_replica(json.loads(arguments.replica)))
        print(json.dumps(figures))
        return 0
    missed = 0
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} before; times in ms per decision")
    for n in (int(text) for text in arguments.members.split(",")):
        lines = report(n, measure(n, max(20, arguments.decisions * 4 // n)))
        missed += sum(line.startswith("missed") for line in lines)
        print("\n".join(lines), flush=True)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
