"""Whole committees as processes, while they are killed, frozen, slowed down and cut off.

What must hold whatever happens: every value that was asked for is decided, at one sequence number, by all;
the logs on disk show that nobody ever signed two words in one place; and afterwards the committee goes on.
"""

import asyncio
import contextlib
import json
import random
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from committee.state import Record, Sent
from committee.wal import Wal
from protocol.members import Members, max_faulty, quorum
from protocol.pbft_messages import Commit, Instance, Prepare, PrePrepare, Reply, ViewChange, value_digest
from tests.integration.committee.client import CommitteeClient
from tests.integration.committee.replica_process import DOMAIN, TASK
from tests.integration.committee.test_processes import ROOT, Committee, ask, connected_client
from tests.support.chaos_replica import ChainFile
from tests.support.tcp_proxy import TcpProxy

STEP_S = 90.0  # a view may wait for 32 s after many failed ones, on a busy machine


class Chaos(Committee):
    """A committee in which every link between two members runs through a proxy of its own."""

    def __init__(self, n: int, folder: Path, seed: int) -> None:
        super().__init__(n, folder)
        self.rng = random.Random(seed)
        self.chain = ChainFile(folder / "chain.txt")
        self.proxies: dict[tuple[int, int], TcpProxy] = {}
        self.kills = 0
        self.asked: dict[int, bytes] = {}

    @contextlib.asynccontextmanager
    async def wired(self) -> AsyncIterator[CommitteeClient]:
        async with contextlib.AsyncExitStack() as stack:
            for i in range(self.n):
                for j in range(self.n):
                    if i != j:
                        proxy = await stack.enter_async_context(TcpProxy(self.ports[j]))
                        self.proxies[(i, j)] = proxy
            for i in range(self.n):
                self._wire(i)
            await asyncio.to_thread(self.start)
            client = await connected_client(self)
            try:
                yield client
            finally:
                await client.close()

    def _wire(self, i: int) -> None:
        path = self.folders[i] / "config.json"
        config = json.loads(path.read_text())
        config["listen"] = self.ports[i]
        config["ports"] = [self.ports[i] if i == j else self.proxies[(i, j)].port for j in range(self.n)]
        path.write_text(json.dumps(config))

    def start(self, *indexes: int) -> None:
        for i in indexes or range(self.n):
            with (self.folders[i] / "stderr.txt").open("ab") as log:
                command = [sys.executable, "-m", "tests.support.chaos_replica"]
                command.append(str(self.folders[i] / "config.json"))
                self.processes[i] = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=log)
        for i in indexes or range(self.n):
            stdout = self.processes[i].stdout
            assert stdout is not None
            assert stdout.readline() == b"ready\n", (self.folders[i] / "stderr.txt").read_text()

    def reached(self, i: int) -> int:
        """The highest sequence number that member ``i`` has handed out or knows to be final."""
        final = [int(line.split()[1]) for line in self.lines(i, lambda text: text.startswith("final"))]
        return max([0, *final, *self.decided(i)])

    def links_of(self, i: int) -> list[TcpProxy]:
        return [proxy for pair, proxy in self.proxies.items() if i in pair]

    async def until_reached(self, seq: int, count: int, client: CommitteeClient) -> None:
        """Ask again and again, as a coordinator does, until ``count`` members have ``seq``."""
        async with asyncio.timeout(STEP_S):
            while sum(self.reached(i) >= seq for i in range(self.n)) < count:
                await client.ask(ask(seq, self.asked[seq]))
                await asyncio.sleep(0.25)

    # ------------------------------------------------------------------ what happens to them

    async def step(self, client: CommitteeClient, trouble: str) -> None:
        """One value asked for, in the middle of ``trouble``; it is over when the value is on the chain."""
        seq = len(self.asked) + 1
        self.asked[seq] = b"value %d" % seq
        f = max_faulty(self.n)
        victims = self.rng.sample(range(self.n), self.n if trouble == "kill all" else f)
        for link in self.proxies.values():
            link.delay_s = self.rng.choice((0.0, 0.0, 0.005, 0.02))
        await client.ask(ask(seq, self.asked[seq]))
        await asyncio.sleep(self.rng.random() * 0.06)
        match trouble:
            case "kill" | "kill all":
                self._kill(victims)
                if trouble == "kill":
                    await self.until_reached(seq, self.n - f, client)
                await asyncio.to_thread(self.start, *victims)
            case "freeze":
                await self._freeze(victims, seq, client)
            case "cut":
                await self._cut(victims, seq, client)
        await self.until_reached(seq, self.n - f, client)
        assert self.chain.read()[seq] == value_digest(self.asked[seq]).hex()

    def _kill(self, victims: list[int]) -> None:
        for victim in victims:
            self.signal(victim, signal.SIGKILL)
        self.kills += len(victims)

    async def _freeze(self, victims: list[int], seq: int, client: CommitteeClient) -> None:
        for victim in victims:
            self.signal(victim, signal.SIGSTOP)
        try:
            await self.until_reached(seq, self.n - len(victims), client)
        finally:
            for victim in victims:
                self.signal(victim, signal.SIGCONT)

    async def _cut(self, victims: list[int], seq: int, client: CommitteeClient) -> None:
        links = [link for victim in victims for link in self.links_of(victim)]
        for link in links:
            link.cut()
        await self.until_reached(seq, self.n - len(victims), client)
        for link in links:
            link.mend()

    # ------------------------------------------------------------------ what must hold

    def check_everything(self) -> None:
        """After ``stop``: the chain holds what was asked for, and every log one word per place."""
        digests = {seq: value_digest(value).hex() for seq, value in self.asked.items()}
        assert self.chain.read() == digests
        for i in range(self.n):
            assert self.decided(i).items() <= digests.items()
            assert not self.lines(i, lambda text: text.startswith("evidence"))
        endorsed = [one_word_per_place(self.records(i)) for i in range(self.n)]
        assert sum(endorsed) >= quorum(self.n) * len(digests)

    def records(self, i: int) -> tuple[Record, ...]:
        instance = Instance(domain=DOMAIN, task=TASK, members=Members.of(self.addresses))
        with Wal(self.folders[i] / f"task-{TASK}.wal", instance, i) as wal:
            return wal.records


def one_word_per_place(records: tuple[Record, ...]) -> int:
    """How many endorsements a log holds. Fails when it holds two different statements for one place."""
    said: dict[tuple[object, ...], bytes] = {}
    replies = 0
    place: tuple[object, ...]
    for record in records:
        match record:
            case Sent(message=Reply() as reply):
                replies += 1
                place, word = ("Reply", reply.seq), reply.digest + reply.endorsement
            case Sent(message=ViewChange(vote=vote)):
                place, word = ("ViewChange", vote.view), vote.signature
            case Sent(message=PrePrepare() | Prepare() | Commit() as vote):
                place, word = (type(vote).__name__, vote.view, vote.seq), vote.digest
            case _:
                continue
        assert said.setdefault(place, word) == word, place
    return replies


async def _suffer(committee: Chaos, troubles: list[str]) -> None:
    async with committee.wired() as client:
        for trouble in troubles:
            await committee.step(client, trouble)
        for link in committee.proxies.values():
            link.delay_s = 0.0
        await committee.step(client, "none")
        await committee.until_reached(len(committee.asked), committee.n, client)


def _run(n: int, folder: Path, troubles: list[str], seed: int) -> Chaos:
    committee = Chaos(n, folder, seed)
    try:
        asyncio.run(_suffer(committee, troubles))
    finally:
        committee.stop()
    committee.check_everything()
    return committee


@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    ("n", "troubles"),
    [(4, ["kill", "freeze", "cut", "kill all", "none"]), (7, ["kill", "cut"])],
    ids=["4 members", "7 members"],
)
def test_committee__killed_frozen_and_cut__loses_nothing_and_signs_nothing_twice(
    n: int, troubles: list[str], tmp_path: Path
) -> None:
    _run(n, tmp_path, troubles, seed=n)


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("n", [4, 7])
def test_committee__fifty_kills_among_other_troubles__loses_nothing_and_signs_nothing_twice(
    n: int, tmp_path: Path
) -> None:
    rng = random.Random(n)
    troubles: list[str] = []
    kills = 0
    while kills < 50:
        troubles.append(rng.choices(("kill", "kill all", "freeze", "cut", "none"), (10, 1, 2, 3, 3))[0])
        kills += {"kill": max_faulty(n), "kill all": n}.get(troubles[-1], 0)
    assert _run(n, tmp_path, troubles, seed=100 + n).kills >= 50
