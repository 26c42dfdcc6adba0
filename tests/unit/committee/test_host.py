"""The host: the order of effects, and what ends a validator."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path

import pytest

from committee.errors import SafetyViolated
from committee.host import Host
from committee.state import Decided, Rejected, ReplicaConfig, Verify
from protocol.frames import Status
from protocol.ids import Address
from protocol.pbft_messages import Evidence, Message, PrePrepare, Request, value_digest
from tests.simulation.keys import TASK, committee

INSTANCE, CRYPTOS = committee(4)


class Recorder:
    """An application and a transport that write down what is done, in order."""

    def __init__(self) -> None:
        self.log: list[str] = []
        self.host: Host | None = None
        self.explode = False

    def verify(self, task: int, question: Verify) -> None:
        self.log.append("verify")
        if self.explode:
            raise RuntimeError("a bug")
        assert self.host is not None
        self.host.verdict(task, question.seq, question.digest, True)

    def decided(self, task: int, decided: Decided) -> None:
        self.log.append("decided")

    def rejected(self, task: int, rejected: Rejected) -> None:
        self.log.append("rejected")

    def evidence(self, task: int, evidence: Evidence) -> None:
        self.log.append("evidence")

    def behind(self, task: int, seq: int) -> None:
        self.log.append("behind")

    def message(self, peer: Address, kind: str, body: bytes) -> None:
        self.log.append("app")

    def tick(self) -> None:
        pass

    def offered(self, kind: str, body: bytes) -> bytes:
        self.log.append("offer")
        return body

    def send(self, to: Iterable[Address], message: Message) -> None:
        self.log.append(f"send {type(message).__name__}")

    def flush(self) -> None:
        """What is sent is written down at once."""

    def send_status(self, status: Status) -> None:
        self.log.append(f"status {status.status}")


def run(folder: Path, test: Callable[[Host, Recorder], Awaitable[None]], me: int = 0) -> None:
    async def whole() -> None:
        recorder = Recorder()
        host = recorder.host = Host(recorder, folder, tick_s=0.02)
        host.start(recorder)  # type: ignore[arg-type]
        host.add(ReplicaConfig(instance=INSTANCE, me=me), CRYPTOS[me])
        try:
            await test(host, recorder)
        finally:
            if host.failed.done():
                host.failed.exception()
            await host.stop()

    asyncio.run(whole())


async def turns(count: int = 5) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


def test_host__own_proposal__is_on_disk_before_it_is_sent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def test(host: Host, recorder: Recorder) -> None:
        original = host._running[TASK].wal.append

        def append(records: object) -> None:
            recorder.log.append("persist")
            original(records)  # type: ignore[arg-type]

        monkeypatch.setattr(host._running[TASK].wal, "append", append)
        host.request(TASK, 1, b"value")
        await turns()
        assert recorder.log.index("persist") < recorder.log.index("send PrePrepare")
        assert recorder.log.index("verify") < recorder.log.index("persist")
        assert "status checking" in recorder.log

    run(tmp_path, test)


def test_host__disk_fails__sends_nothing_more_and_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def test(host: Host, recorder: Recorder) -> None:
        def full(records: object) -> None:
            raise OSError("no space left")

        monkeypatch.setattr(host._running[TASK].wal, "append", full)
        host.request(TASK, 1, b"value")
        await turns()
        assert not [entry for entry in recorder.log if entry.startswith("send")]
        with pytest.raises(OSError, match="no space"):
            await host.failed
        host.request(TASK, 2, b"value")
        await turns()
        assert not [entry for entry in recorder.log if entry.startswith("send")]

    run(tmp_path, test)


def test_host__bug_in_the_application__stops_the_validator(tmp_path: Path) -> None:
    async def test(host: Host, recorder: Recorder) -> None:
        asyncio.get_running_loop().set_exception_handler(lambda loop, context: None)
        recorder.explode = True
        host.request(TASK, 1, b"value")
        await turns()
        with pytest.raises(RuntimeError, match="a bug"):
            await host.failed

    run(tmp_path, test)


def test_host__broken_committee__stops_the_validator(tmp_path: Path) -> None:
    async def test(host: Host, recorder: Recorder) -> None:
        replica = host.replica(TASK)
        replica.broken = SafetyViolated(1, b"one", b"two")
        host.finalized(TASK, 1)
        await turns()
        with pytest.raises(SafetyViolated, match="stops signing"):
            await host.failed

    run(tmp_path, test)


def test_host__peers_messages__counts_those_that_break_the_rules(tmp_path: Path) -> None:
    async def test(host: Host, recorder: Recorder) -> None:
        forged = PrePrepare(
            task=TASK, view=0, seq=1, digest=value_digest(b"v"), sender=0, signature=bytes(65), value=b"v"
        )
        other_task = Request(task=TASK + 1, seq=1, value=b"v")
        assert host.on_messages([forged, other_task]) == 1

    run(tmp_path, test, me=1)


def test_host__unknown_task__is_told_to_clients(tmp_path: Path) -> None:
    async def test(host: Host, recorder: Recorder) -> None:
        host.request(TASK + 5, 1, b"value")
        host.finalized(TASK + 5, 1)
        host.verdict(TASK + 5, 1, bytes(32), True)
        assert "status unknown task" in recorder.log

    run(tmp_path, test)


def test_host__same_task_twice__is_refused_and_after_removal_comes_back_from_its_log(tmp_path: Path) -> None:
    async def test(host: Host, recorder: Recorder) -> None:
        config = ReplicaConfig(instance=INSTANCE, me=0)
        with pytest.raises(ValueError, match="runs already"):
            host.add(config, CRYPTOS[0])
        host.request(TASK, 1, b"value")
        await turns()
        before = host.replica(TASK).snapshot()
        host.remove(TASK)
        assert host.tasks == frozenset()
        host.add(config, CRYPTOS[0])
        assert host.replica(TASK).snapshot() == before

    run(tmp_path, test)


def test_host__time_passes__ticks(tmp_path: Path) -> None:
    async def test(host: Host, recorder: Recorder) -> None:
        async with asyncio.timeout(5):
            while host.replica(TASK).now < 3:
                await asyncio.sleep(0.01)

    run(tmp_path, test)


def test_host__long_log__is_rotated_to_a_snapshot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def test(host: Host, recorder: Recorder) -> None:
        running = host._running[TASK]
        running.rotate_at = 1
        before = running.wal.size
        host.request(TASK, 1, b"value")
        await turns()
        assert running.rotate_at > before
        assert running.wal.size < running.rotate_at

    run(tmp_path, test)
