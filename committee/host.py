"""Runs replicas: applies every ``Output`` in the order it states, and connects log, transport, clock,
application.

Everything happens in one event loop. What arrives in one turn of the loop is flushed to disk together, and
only when something is to leave: records wait, in order, for the next message of their instance or the next
tick. So whatever a peer gets to see finds all that was persisted before it on the disk. What the application
is told meanwhile needs no flush: a decision proves itself, and a member that forgets one asks for it again.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Protocol

import structlog

from committee.errors import MessageRefused
from committee.guard import Guard
from committee.replica import Replica
from committee.state import NOTHING, Crypto, Decided, Output, Record, Rejected, ReplicaConfig, Send, Verify
from committee.transport import Transport
from committee.wal import Wal
from protocol.frames import Status
from protocol.ids import Address
from protocol.pbft_messages import Evidence, Message, Prepare, Request, value_digest

MAX_INSTANCES = 256
ROTATE_BYTES = 4 * 1024 * 1024
Heard = Callable[[int, bytes], None]
Accepted = Callable[[Prepare], None]
_log = structlog.get_logger("committee.host")


def _unheard(task: int, value: bytes) -> None:
    """Nobody wants to know."""


def _unheeded(message: Prepare) -> None:
    """Likewise."""


class Application(Protocol):
    """What a host tells its application, in the event loop, never blocking. Answers come through the host."""

    def verify(self, task: int, question: Verify) -> None:
        """Start a check; answer with ``Host.verdict``."""

    def decided(self, task: int, decided: Decided) -> None:
        """A value and its quorum of endorsements."""

    def rejected(self, task: int, rejected: Rejected) -> None:
        """Members found the primary's proposal false."""

    def evidence(self, task: int, evidence: Evidence) -> None:
        """Proof that a member signed two things."""

    def behind(self, task: int, seq: int) -> None:
        """Read the chain from ``seq`` on, then call ``Host.finalized``."""

    def tick(self) -> None:
        """Time went on by one tick, for the replicas before."""

    def message(self, peer: Address, kind: str, body: bytes) -> None:
        """An application message that ``peer`` handed over; raises PeerMisbehaved when it is not true."""

    def offered(self, kind: str, body: bytes) -> bytes:
        """The answer to a client's application message; raises PeerMisbehaved for one that is none."""


@dataclass(slots=True)
class _Running:
    replica: Replica
    wal: Wal
    rotate_at: int = ROTATE_BYTES
    overdue: bool = False  # records have waited for a message long enough
    persist: list[Record] = field(default_factory=list)
    send: list[Send] = field(default_factory=list)
    after: list[Callable[[], None]] = field(default_factory=list)


class Host:
    """The replicas of one validator. ``failed`` is completed with the error after which nothing more may be
    signed (a broken disk, a broken committee): the process should end. ``requested`` is told (task, value) of
    every request to a task that runs, also of those that come too late to be proposed; ``accepted`` gets
    every PREPARE of another member, before anybody has checked it."""

    def __init__(
        self,
        application: Application,
        log_folder: Path,
        tick_s: float = 0.1,
        requested: Heard = _unheard,
        accepted: Accepted = _unheeded,
    ) -> None:
        self._application = application
        self._requested = requested
        self._accepted = accepted
        self._folder = log_folder
        self._tick_s = tick_s
        self._running: dict[int, _Running] = {}
        self._transport: Transport | None = None
        self._ticker: asyncio.Task[None] | None = None
        self._flush_planned = False
        self._guard = Guard(self._fail)
        self.failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    @property
    def tasks(self) -> frozenset[int]:
        return frozenset(self._running)

    def replica(self, task: int) -> Replica:
        """For inspection. Raises KeyError."""
        return self._running[task].replica

    def start(self, transport: Transport) -> None:
        """Begin to tick and to send through ``transport``, whose receiver is this host."""
        self._transport = transport
        self._ticker = asyncio.create_task(self._keep_ticking())

    async def stop(self) -> None:
        """Stop ticking and close the logs."""
        if self._ticker is not None:
            self._ticker.cancel()
            await asyncio.gather(self._ticker, return_exceptions=True)
        if not self.failed.done():
            self._flush()
        for task in list(self._running):
            self.remove(task)

    def add(self, config: ReplicaConfig, crypto: Crypto) -> None:
        """Take part in an instance, from its log if there is one. Raises LogLocked, LogCorrupt, OSError; and
        ValueError beyond MAX_INSTANCES or for an instance that runs."""
        task = config.instance.task
        if task in self._running or len(self._running) >= MAX_INSTANCES:
            raise ValueError(f"task {task} runs already, or {MAX_INSTANCES} others do")
        wal = Wal(self._folder / f"task-{task}.wal", config.instance, config.me)
        running = _Running(Replica(config, crypto, wal.records), wal)
        wal.records = ()
        self._running[task] = running
        with self._guard:
            self._take(running, running.replica.start())

    def remove(self, task: int) -> None:
        """Leave an instance; its log stays on disk."""
        running = self._running.pop(task)
        try:
            with self._guard:
                self._persist(running)
        finally:
            running.wal.close()

    # ------------------------------------------------------------------ inputs

    def request(self, task: int, seq: int, value: bytes) -> None:
        self.on_request(Request(task=task, seq=seq, value=value))

    def verdict(self, task: int, seq: int, digest: bytes, ok: bool) -> None:
        """The application's answer to ``verify``; later ones overrule."""
        running = self._running.get(task)
        if running is not None:
            with self._guard:
                self._take(running, running.replica.verdict(seq, digest, ok))
            if not ok:
                self._tell(Status(task=task, seq=seq, digest=digest, status="rejected"))

    def finalized(self, task: int, seq: int) -> None:
        """Everything up to ``seq`` is final on the chain."""
        running = self._running.get(task)
        if running is not None:
            with self._guard:
                self._take(running, running.replica.finalized(seq))

    def on_messages(self, messages: list[Message]) -> int:
        """From the transport; returns how many broke the rules."""
        refused = 0
        with self._guard:
            for message in messages:
                running = self._running.get(message.task)
                if running is None:
                    continue
                if isinstance(message, Request):
                    self._requested(message.task, message.value)
                elif isinstance(message, Prepare):
                    self._accepted(message)
                try:
                    self._take(running, running.replica.step(message))
                except MessageRefused as error:
                    refused += 1
                    _log.info("message refused", task=message.task, reason=str(error))
        return refused

    def on_request(self, request: Request) -> None:
        """From a client or the application."""
        running = self._running.get(request.task)
        digest = value_digest(request.value)
        if running is None:
            self._tell(Status(task=request.task, seq=request.seq, digest=digest, status="unknown task"))
            return
        with self._guard:
            self._requested(request.task, request.value)
            output = running.replica.request(request.seq, request.value)
            self._take(running, output)
            if output.status is not None:
                status = output.status.value
                self._tell(Status(task=request.task, seq=request.seq, digest=digest, status=status))

    def on_app(self, peer: Address, kind: str, body: bytes) -> None:
        """From the transport."""
        self._application.message(peer, kind, body)

    def on_offer(self, kind: str, body: bytes) -> bytes:
        """From a client."""
        return self._application.offered(kind, body)

    async def _keep_ticking(self) -> None:
        loop = asyncio.get_running_loop()
        due = loop.time()
        while not self.failed.done():
            due = max(due + self._tick_s, loop.time())
            await asyncio.sleep(due - loop.time())
            self._tick()

    def _tick(self) -> None:
        for running in list(self._running.values()):
            with self._guard:
                running.overdue = bool(running.persist)
                self._take(running, running.replica.tick())
                self._plan_flush(running)
        with self._guard:
            self._application.tick()

    # ------------------------------------------------------------------ outputs

    def _fail(self, error: Exception) -> None:
        if not self.failed.done():
            _log.critical("this validator stops signing", reason=str(error))
            self.failed.set_exception(error)
        for running in self._running.values():
            running.persist, running.send, running.after = [], [], []

    def _take(self, running: _Running, output: Output) -> None:
        """Collect an output; all that is collected is applied together at the end of this turn of the
        loop."""
        if output is NOTHING or self.failed.done():
            return
        running.persist.extend(output.persist)
        running.send.extend(output.send)
        self._plan_callbacks(running, output)
        self._plan_flush(running)

    def _plan_flush(self, running: _Running) -> None:
        if not self._flush_planned and (running.send or running.after or running.overdue):
            self._flush_planned = True
            asyncio.get_running_loop().call_soon(self._flush)

    def _plan_callbacks(self, running: _Running, output: Output) -> None:
        app, task, after = self._application, running.replica.instance.task, running.after
        for question in output.verify:
            after.append(partial(app.verify, task, question))
        for decided in output.decided:
            digest = value_digest(decided.value)
            after.append(partial(app.decided, task, decided))
            status = Status(task=task, seq=decided.seq, digest=digest, status="decided")
            after.append(partial(self._tell, status))
        for rejected in output.rejected:
            after.append(partial(app.rejected, task, rejected))
        for evidence in output.evidence:
            after.append(partial(app.evidence, task, evidence))
        if output.behind is not None:
            after.append(partial(app.behind, task, output.behind))
        if output.view is not None:
            _log.info("view entered", task=task, view=output.view)

    def _flush(self) -> None:
        """Persist everything, then send, then tell the application."""
        self._flush_planned = False
        running = [r for r in self._running.values() if r.send or r.after or r.overdue]
        with self._guard:
            for one in running:
                if one.send or one.overdue:
                    self._persist(one)
            for one in running:
                self._send(one)
            if self._transport is not None:
                self._transport.flush()
            for one in running:
                after, one.after = one.after, []
                for callback in after:
                    callback()

    def _persist(self, running: _Running) -> None:
        records, running.persist, running.overdue = running.persist, [], False
        if not records:
            return
        running.wal.append(records)
        if running.wal.size > running.rotate_at:
            running.wal.rotate(running.replica.snapshot())
            running.rotate_at = 2 * running.wal.size + ROTATE_BYTES

    def _send(self, running: _Running) -> None:
        sends, running.send = running.send, []
        if self._transport is None:
            return
        addresses = running.replica.members.addresses
        for send in sends:
            to = addresses if send.to is None else (addresses[send.to],)
            self._transport.send(to, send.message)

    def _tell(self, status: Status) -> None:
        if self._transport is not None:
            self._transport.send_status(status)
