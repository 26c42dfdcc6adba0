"""Validators as separate processes over real sockets, with real signatures and real logs on disk."""

import asyncio
import contextlib
import hashlib
import json
import os
import random
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from protocol.members import Members, quorum
from protocol.pbft_messages import Request, value_digest
from tests.integration.committee.client import CommitteeClient
from tests.integration.committee.replica_process import DOMAIN, TASK, signers_of

ROOT = Path(__file__).parents[3]


def free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]


class Committee:
    """n processes; the outside view is their decision files."""

    def __init__(self, n: int, folder: Path, *, hidden: frozenset[int] = frozenset()) -> None:
        self.n = n
        keys = [hashlib.sha256(b"validator %d" % i).hexdigest() for i in range(n)]
        self.addresses = Members.of(s.address for s in signers_of(keys)).addresses
        ports = free_ports(n)
        self.ports = [0 if i in hidden else port for i, port in enumerate(ports)]
        self.folders = [folder / f"replica-{i}" for i in range(n)]
        self.processes: dict[int, subprocess.Popen[bytes]] = {}
        for i, home in enumerate(self.folders):
            home.mkdir()
            config = {
                "me": i,
                "keys": keys,
                "ports": self.ports,
                "folder": str(home),
                "view_timeout_ticks": 10,
                "tick_s": 0.05,
            }
            (home / "config.json").write_text(json.dumps(config))

    def start(self, *indexes: int) -> None:
        for i in indexes or range(self.n):
            log = (self.folders[i] / "stderr.txt").open("ab")
            self.processes[i] = subprocess.Popen(
                [sys.executable, "-m", "tests.integration.committee.replica_process",
                 str(self.folders[i] / "config.json")],
                cwd=ROOT, stdout=subprocess.PIPE, stderr=log,
            )  # fmt: skip
            log.close()
        for i in indexes or range(self.n):
            stdout = self.processes[i].stdout
            assert stdout is not None
            assert stdout.readline() == b"ready\n", (self.folders[i] / "stderr.txt").read_text()

    def signal(self, i: int, number: int) -> None:
        os.kill(self.processes[i].pid, number)
        if number == signal.SIGKILL:
            self.processes[i].wait(10)

    def stop(self) -> None:
        for process in self.processes.values():
            if process.poll() is None:
                process.kill()
            process.wait(10)
            if process.stdout is not None:
                process.stdout.close()

    def lines(self, i: int, kind: Callable[[str], bool]) -> list[str]:
        path = self.folders[i] / "decided.txt"
        return [line for line in path.read_text().splitlines() if kind(line)] if path.exists() else []

    def decided(self, i: int) -> dict[int, str]:
        """seq -> digest. Fails when a replica ever names two digests for one sequence number."""
        decided: dict[int, str] = {}
        for line in self.lines(i, lambda text: text[0].isdigit()):
            seq, digest, signers = line.split()
            assert decided.setdefault(int(seq), digest) == digest
            assert int(signers) == quorum(self.n)
        return decided

    async def until_decided(self, seq: int, value: bytes, who: list[int], timeout_s: float = 30) -> None:
        digest = value_digest(value).hex()
        async with asyncio.timeout(timeout_s):
            while any(self.decided(i).get(seq) != digest for i in who):
                await asyncio.sleep(0.02)


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Callable[..., Committee]]:
    made: list[Committee] = []

    def build(n: int, *, hidden: frozenset[int] = frozenset()) -> Committee:
        made.append(Committee(n, tmp_path, hidden=hidden))
        return made[-1]

    yield build
    for committee in made:
        committee.stop()


async def connected_client(committee: Committee) -> CommitteeClient:
    client = CommitteeClient(DOMAIN, random.Random(1).random)
    open_ports = {a: p for a, p in zip(committee.addresses, committee.ports, strict=True) if p}
    client.set_validators({a: f"ws://127.0.0.1:{p}" for a, p in open_ports.items()})
    async with asyncio.timeout(10):
        while len(client.connected) < len(open_ports):
            await asyncio.sleep(0.02)
    return client


def ask(seq: int, value: bytes) -> Request:
    return Request(task=TASK, seq=seq, value=value)


@pytest.mark.timeout(60)
@pytest.mark.parametrize("n", [4, 7])
def test_processes__one_killed_and_restarted__nothing_lost_nothing_twice(
    n: int, make: Callable[..., Committee]
) -> None:
    committee = make(n)
    committee.start()

    async def run() -> None:
        everybody = list(range(n))
        client = await connected_client(committee)
        assert await client.ask(ask(1, b"first")) == n
        await committee.until_decided(1, b"first", everybody)
        committee.signal(0, signal.SIGKILL)  # the primary of view 0
        await client.ask(ask(2, b"second"))
        await committee.until_decided(2, b"second", everybody[1:])
        committee.start(0)
        await client.ask(ask(3, b"third"))
        await committee.until_decided(3, b"third", everybody)
        assert committee.decided(0)[2] == value_digest(b"second").hex()
        await client.close()

    asyncio.run(run())
    assert not [line for i in range(n) for line in committee.lines(i, lambda t: t.startswith("evidence"))]


@pytest.mark.timeout(60)
def test_processes__one_frozen_then_thawed__catches_up(make: Callable[..., Committee]) -> None:
    committee = make(4)
    committee.start()

    async def run() -> None:
        client = await connected_client(committee)
        committee.signal(3, signal.SIGSTOP)
        for seq in (1, 2, 3):
            await client.ask(ask(seq, b"value %d" % seq))
        await committee.until_decided(3, b"value 3", [0, 1, 2])
        committee.signal(3, signal.SIGCONT)
        await committee.until_decided(3, b"value 3", [3])
        await client.close()

    asyncio.run(run())


@pytest.mark.timeout(60)
def test_processes__two_members_that_only_dial__are_connected_through_others(
    make: Callable[..., Committee],
) -> None:
    committee = make(4, hidden=frozenset({0, 3}))
    committee.start()

    async def run() -> None:
        client = await connected_client(committee)
        committee.signal(2, signal.SIGSTOP)  # so that the hidden two are needed, and one open member is left
        await client.ask(ask(1, b"over a relay"))
        await committee.until_decided(1, b"over a relay", [0, 1, 3])
        await client.close()

    asyncio.run(run())


@pytest.mark.timeout(60)
def test_processes__false_value_then_true_one__client_hears_both(make: Callable[..., Committee]) -> None:
    committee = make(4)
    committee.start()

    async def run() -> None:
        client = await connected_client(committee)
        await client.ask(ask(1, b"bad value"))
        await client.ask(ask(1, b"good value"))
        await committee.until_decided(1, b"good value", [0, 1, 2, 3])
        heard: set[str] = set()
        async with asyncio.timeout(5):
            while not {"rejected", "decided", "checking"} <= heard:
                _, news = await client.news()
                heard.add(getattr(news, "status", ""))
        await client.close()

    asyncio.run(run())
