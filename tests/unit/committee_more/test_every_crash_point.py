"""A member dies at each moment at which its disk changes, in each way a process can die there, and comes
back.

The hosts, replicas and logs are the real ones; only the wires between them are a table, so that a whole run
is the same every time and its persistence points can be counted.
"""

import asyncio
import os
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import pytest

import committee.host
from committee.host import Host
from committee.state import Decided, Record, Rejected, ReplicaConfig, Verify
from committee.transport import Transport
from committee.wal import Wal, _encoder, _frame
from protocol.ids import Address
from protocol.pbft_messages import (
    Commit,
    Evidence,
    Message,
    NewView,
    Prepare,
    PrePrepare,
    Reply,
    ViewChange,
    decode,
    encode,
)
from tests.simulation.keys import TASK
from tests.simulation.keys import committee as committee_of

N = 4
SEQS = 4
CHANGING_AT = 3  # here the primary's proposal is lost, so that a view change is part of the run
ROTATE_AT = 1_500
FORGETFUL = "nothing was ever written"
MOMENTS = ("before the write", "in mid-write", "written, not flushed", "flushed, not sent")


class Died(BaseException):
    """The process is gone: nothing catches this."""


@dataclass(slots=True)
class Doom:
    """Death at the ``point``-th change of the disk (counted from 1; 0: never), at ``moment``."""

    point: int = 0
    moment: str = ""
    passed: int = 0

    def due(self) -> bool:
        self.passed += 1
        return self.passed == self.point


class MortalWal(Wal):
    def __init__(self, path: Path, instance: Any, member: int, doom: Doom) -> None:
        super().__init__(path, instance, member)
        self._doom = doom

    def append(self, records: Any) -> None:
        if not self._doom.due():
            if self._doom.moment != FORGETFUL:
                super().append(records)
            return
        frame = _frame(_encoder.encode(tuple(records)))
        match self._doom.moment:
            case "in mid-write":
                os.pwrite(self._file, frame[: len(frame) // 2], self.size)
            case "written, not flushed":
                os.pwrite(self._file, frame, self.size)
            case "flushed, not sent":
                super().append(records)
        raise Died

    def rotate(self, records: Any) -> None:
        if not self._doom.due():
            super().rotate(records)
            return
        fresh = self.path.with_name(self.path.name + ".fresh")
        data = _frame(_encoder.encode(self._identity)) + _frame(_encoder.encode(tuple(records)))
        match self._doom.moment:
            case "in mid-write":
                fresh.write_bytes(data[: len(data) // 2])
            case "written, not flushed":
                fresh.write_bytes(data)
            case "flushed, not sent":
                super().rotate(records)
        raise Died


class HandHost(Host):
    """Ticks when told to."""

    def tick(self) -> None:
        self._tick()


@dataclass(slots=True)
class App:
    """Everything is true; every second decision is final at once."""

    table: "Table"
    me: int
    host: Host | None = None

    def verify(self, task: int, question: Verify) -> None:
        assert self.host is not None
        self.host.verdict(task, question.seq, question.digest, True)

    def decided(self, task: int, decided: Decided) -> None:
        assert self.host is not None
        assert self.table.decided.setdefault(decided.seq, decided.value) == decided.value
        self.table.reached[self.me] = decided.seq
        if decided.seq % 2 == 0:
            self.host.finalized(task, decided.seq)

    def rejected(self, task: int, rejected: Rejected) -> None:
        raise AssertionError("nothing is false here")

    def evidence(self, task: int, evidence: Evidence) -> None:
        raise AssertionError(f"evidence against an honest member: {evidence}")

    def behind(self, task: int, seq: int) -> None:
        """Peers keep enough."""

    def message(self, peer: Address, kind: str, body: bytes) -> None:
        raise AssertionError("there are no such messages here")

    def tick(self) -> None:
        pass

    def offered(self, kind: str, body: bytes) -> bytes:
        raise AssertionError("there are no clients here")


@dataclass(slots=True)
class Wire:
    """One life of a member's connections; what a dead life still sends goes nowhere."""

    table: "Table"
    me: int
    life: int

    def send(self, to: Iterator[Address], message: Message) -> None:
        if self.life == self.table.lives[self.me]:
            self.table.carry(self.me, set(to), encode(message))

    def flush(self) -> None:
        """What is sent is in the mail at once."""

    def send_status(self, status: object) -> None:
        """Nobody listens."""


@dataclass(slots=True)
class Table:
    folder: Path
    victim: int
    doom: Doom
    instance: Any = None
    cryptos: Any = ()
    hosts: dict[int, HandHost] = field(default_factory=dict)
    lives: list[int] = field(default_factory=lambda: [0] * N)
    decided: dict[int, bytes] = field(default_factory=dict)
    reached: list[int] = field(default_factory=lambda: [0] * N)
    words: dict[tuple[object, ...], bytes] = field(default_factory=dict)
    mail: deque[tuple[int, int, bytes]] = field(default_factory=deque)
    deaths: int = 0
    failures: list[BaseException] = field(default_factory=list)

    def rise(self, i: int) -> None:
        app = App(self, i)
        host = app.host = HandHost(app, self.folder / str(i), tick_s=3600.0)
        host.start(cast(Transport, Wire(self, i, self.lives[i])))
        config = ReplicaConfig(
            instance=self.instance,
            me=i,
            view_timeout_ticks=6,
            max_check_ticks=20,
            retransmit_ticks=2,
            window=4,
        )
        self.hosts[i] = host
        host.add(config, self.cryptos[i])
        host._running[TASK].rotate_at = ROTATE_AT

    def die(self) -> None:
        """Called where a process of its own would be gone. The kernel gives its lock back."""
        host = self.hosts.pop(self.victim)
        self.lives[self.victim] += 1
        self.deaths += 1
        assert host._ticker is not None
        host._ticker.cancel()
        for running in host._running.values():
            running.wal.close()

    def carry(self, source: int, to: set[Address], body: bytes) -> None:
        message = decode(body)
        self._check_word(source, message)
        if isinstance(message, PrePrepare) and (message.view, message.seq) == (0, CHANGING_AT):
            return
        for target in range(N):
            if target != source and self.instance.members.addresses[target] in to:
                self.mail.append((source, target, body))

    def _check_word(self, source: int, message: Message) -> None:
        """What leaves a member is the same whenever it leaves, before and after its death."""
        place: tuple[int, ...]
        match message:
            case PrePrepare() | Prepare() | Commit():
                place, word = (message.view, message.seq), message.digest
            case Reply():
                place, word = (message.seq,), message.digest + message.endorsement
            case ViewChange(vote=vote):
                place, word = (vote.view,), vote.signature
            case NewView():
                place, word = (message.view,), message.signature
            case _:
                return
        if getattr(message, "sender", source) == source:
            key = (source, type(message).__name__, *place)
            assert self.words.setdefault(key, word) == word, key

    async def settle(self) -> None:
        for _ in range(5_000):
            for _ in range(4):  # a turn to take in, one to flush, and what their callbacks cause
                await asyncio.sleep(0)
            if not self.mail:
                return
            _, target, body = self.mail.popleft()
            if target in self.hosts:
                assert self.hosts[target].on_messages([decode(body)]) == 0
        raise AssertionError("they never stop talking")

    async def run(self) -> None:
        loop = asyncio.get_running_loop()

        def on_error(_: Any, context: dict[str, Any]) -> None:
            error = context.get("exception")
            if isinstance(error, Died):
                self.die()
            elif error is not None:
                self.failures.append(error)

        loop.set_exception_handler(on_error)
        for i in range(N):
            self.rise(i)
        for seq in range(1, SEQS + 1):
            await self._until(seq)
        for i in list(self.hosts):
            try:
                await self.hosts[i].stop()
            except Died:
                self.die()
        assert not self.failures, self.failures

    def _ask(self, seq: int) -> None:
        """Two values compete. A member that comes back hears of the other one first, and would sign that if
        it did not know what it has signed."""
        for i, host in self.hosts.items():
            values = [b"value %d" % seq, b"other %d" % seq]
            for value in values[:: -1 if self.lives[i] else 1]:
                host.request(TASK, seq, value)

    async def _until(self, seq: int) -> None:
        for turn in range(150):
            if turn % 10 == 0:
                self._ask(seq)
            await self.settle()
            assert not self.failures, self.failures
            if len(self.hosts) == N and min(self.reached) >= seq:
                return
            for i in range(N):
                if i in self.hosts:
                    self.hosts[i].tick()
                elif turn % 3 == 2:
                    self.rise(i)
                    self._ask(seq)
        raise AssertionError(f"{self.reached} are reached; {seq} was asked for")


def run(folder: Path, victim: int, doom: Doom, monkeypatch: pytest.MonkeyPatch) -> Table:
    instance, cryptos = committee_of(N)
    table = Table(folder, victim, doom, instance, cryptos)

    def open_wal(path: Path, instance: Any, member: int) -> Wal:
        return MortalWal(path, instance, member, doom if member == victim else Doom())

    monkeypatch.setattr(committee.host, "Wal", open_wal)
    asyncio.run(table.run())
    assert all(table.decided[s] in (b"value %d" % s, b"other %d" % s) for s in range(1, SEQS + 1))
    return table


def records_on_disk(table: Table) -> tuple[Record, ...]:
    with Wal(table.folder / str(table.victim) / f"task-{TASK}.wal", table.instance, table.victim) as wal:
        return wal.records


@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("victim", [0, 1, 3], ids=["first primary", "second primary", "backup"])
def test_host__killed_at_every_persistence_point__signs_nothing_twice_and_loses_nothing(
    victim: int, moment: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    unharmed = Doom()
    run(tmp_path / "unharmed", victim, unharmed, monkeypatch)
    assert unharmed.passed > 10
    for point in range(1, unharmed.passed + 1):
        table = run(tmp_path / f"point-{point}", victim, Doom(point, moment), monkeypatch)
        assert table.deaths == 1
        assert records_on_disk(table)


def test_this_check__of_a_log_that_forgets__finds_the_second_word(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = 0
    for point in range(1, 8):
        try:
            run(tmp_path / f"point-{point}", 0, Doom(point, FORGETFUL), monkeypatch)
        except AssertionError as error:
            found += "PrePrepare" in str(error)
    assert found > 0
