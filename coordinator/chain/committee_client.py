"""Connections to the committee as a client: requests out; statuses, fault reports and attestations in.

Who listens at an endpoint proves it by the handshake. What arrives is not believed beyond that: a status
is one member's word, reports and attestations carry their own signature, and what counts is the certificate
on the chain.
"""

import asyncio
import json
import secrets
from collections import OrderedDict
from collections.abc import Callable
from typing import Final, Protocol

import structlog
from websockets.asyncio.client import connect
from websockets.asyncio.connection import Connection
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidURI

from protocol.attestation import Attestation
from protocol.errors import PeerMisbehaved, PotError
from protocol.evidence import FaultReport
from protocol.frames import (
    ATTESTATION_KIND,
    FAULT_KIND,
    MAX_FRAME_BYTES,
    App,
    Ask,
    Bucket,
    FrameMalformed,
    Hello,
    Status,
    Welcome,
    decode_frame,
    encode_frame,
    handshake_digest,
)
from protocol.ids import Address, TaskId
from protocol.parsing import peer_value
from protocol.pbft_messages import Request
from protocol.signing import is_signed_by

HANDSHAKE_TIMEOUT_S: Final = 5.0
RECONNECT_MIN_S: Final = 0.1
RECONNECT_MAX_S: Final = 5.0
REFRESH_S: Final = 2.0
MAX_LINKS: Final = 128
MAX_REQUESTS: Final = 256
FRAMES_PER_S: Final = 200.0
MAX_ENDPOINT: Final = 2_000
log = structlog.get_logger("coordinator.committee")


class CommitteeSink(Protocol):
    """Who is told. Called from a worker thread; may block for a short while and may raise PotError."""

    def on_status(self, member: Address, status: Status) -> None: ...
    def on_fault(self, report: FaultReport) -> None: ...
    def on_attestation(self, item: Attestation) -> None: ...


class _Outlet:
    """The newest request per task, for one member."""

    def __init__(self) -> None:
        self._waiting: OrderedDict[int, bytes] = OrderedDict()
        self._filled = asyncio.Event()

    def push(self, task: int, frame: bytes) -> None:
        self._waiting[task] = frame
        self._waiting.move_to_end(task)
        if len(self._waiting) > MAX_REQUESTS:
            self._waiting.popitem(last=False)
        self._filled.set()

    async def pop(self) -> bytes:
        while not self._waiting:
            self._filled.clear()
            await self._filled.wait()
        return self._waiting.popitem(last=False)[1]


class CommitteeClient:
    """Keeps a connection to every validator with an endpoint. ``request`` may be called from any thread;
    ``run`` belongs to one event loop.
    """

    def __init__(
        self, domain: bytes, endpoints: Callable[[], dict[Address, str]], sink: CommitteeSink
    ) -> None:
        """``domain`` is the EIP-712 separator; ``endpoints`` reads the pool and may raise
        ServiceUnreachable.
        """
        self._domain = domain
        self._read_endpoints = endpoints
        self._sink = sink
        self._loop: asyncio.AbstractEventLoop | None = None
        self._outlets: dict[Address, _Outlet] = {}
        self._links: dict[Address, tuple[str, asyncio.Task[None]]] = {}
        self.connected: set[Address] = set()

    def request(self, task_id: TaskId, members: tuple[Address, ...], seq: int, value: bytes) -> None:
        """Ask ``members`` for ``value``. Never waits; what cannot leave is asked again by whoever cares."""
        frame = encode_frame(Ask(request=Request(task=task_id, seq=seq, value=value)))
        loop = self._loop
        if loop is not None and not loop.is_closed():
            loop.call_soon_threadsafe(self._push, members, task_id, frame)

    def _push(self, members: tuple[Address, ...], task_id: TaskId, frame: bytes) -> None:
        for member in members[:MAX_LINKS]:
            self._outlets.setdefault(member, _Outlet()).push(task_id, frame)

    async def run(self) -> None:
        """Until cancelled."""
        self._loop = asyncio.get_running_loop()
        try:
            while True:
                try:
                    self._meet(await asyncio.to_thread(self._read_endpoints))
                except PotError as error:
                    log.warning("endpoints not read", why=str(error))
                await asyncio.sleep(REFRESH_S)
        finally:
            self._loop = None
            tasks = [task for _, task in self._links.values()]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def _meet(self, endpoints: dict[Address, str]) -> None:
        usable = {a: url for a, url in endpoints.items() if is_endpoint(url)}
        for address, (url, task) in list(self._links.items()):
            if usable.get(address) != url:
                task.cancel()
                del self._links[address]
        for address in sorted(usable)[:MAX_LINKS]:
            if address not in self._links:
                task = asyncio.create_task(self._keep(address, usable[address]))
                self._links[address] = (usable[address], task)

    async def _keep(self, address: Address, url: str) -> None:
        delay, loop = RECONNECT_MIN_S, asyncio.get_running_loop()
        while True:
            started = loop.time()
            try:
                await self._dial(address, url)
            except (OSError, TimeoutError, InvalidHandshake, InvalidURI, ConnectionClosed) as error:
                log.debug("validator not reached", validator=address, why=str(error))
            except PeerMisbehaved as error:
                log.warning("validator refused", validator=address, why=str(error))
                delay = RECONNECT_MAX_S
            lasted = loop.time() - started
            delay = RECONNECT_MIN_S if lasted > RECONNECT_MAX_S else min(2 * delay, RECONNECT_MAX_S)
            await asyncio.sleep(delay)

    async def _dial(self, address: Address, url: str) -> None:
        async with connect(
            url,
            max_size=MAX_FRAME_BYTES,
            compression=None,
            open_timeout=HANDSHAKE_TIMEOUT_S,
            close_timeout=1,
            proxy=None,
        ) as connection:
            async with asyncio.timeout(HANDSHAKE_TIMEOUT_S):
                await greet_validator(connection, self._domain, address)
            outlet = self._outlets.setdefault(address, _Outlet())
            writer = asyncio.create_task(_write(connection, outlet))
            self.connected.add(address)
            try:
                await self._read(connection, address)
            finally:
                self.connected.discard(address)
                writer.cancel()
                await asyncio.gather(writer, return_exceptions=True)

    async def _read(self, connection: Connection, address: Address) -> None:
        loop = asyncio.get_running_loop()
        bucket = Bucket(FRAMES_PER_S, 2 * FRAMES_PER_S, loop.time())
        async for data in connection:
            if not bucket.take(1, loop.time()):
                raise FrameMalformed("more than its share")
            frame = decode_frame(data)
            try:
                await asyncio.to_thread(self._take, address, frame)
            except (PotError, RecursionError) as error:  # the latter: JSON nested without end
                log.warning("not taken from a validator", validator=address, why=str(error))

    def _take(self, address: Address, frame: object) -> None:
        match frame:
            case Status():
                self._sink.on_status(address, frame)
            case App(kind=kind, body=body) if kind == FAULT_KIND:
                with peer_value("fault report"):
                    report = FaultReport.from_json(json.loads(body))
                self._sink.on_fault(report)
            case App(kind=kind, body=body) if kind == ATTESTATION_KIND:
                with peer_value("attestation"):
                    item = Attestation.from_json(json.loads(body))
                self._sink.on_attestation(item)
            case _:
                raise FrameMalformed(f"{type(frame).__name__} has no place here")


async def greet_validator(connection: Connection, domain: bytes, expected: Address) -> None:
    """The handshake of a client: afterwards it is ``expected`` who listens. Raises PeerMisbehaved."""
    nonce = secrets.token_bytes(32)
    await connection.send(encode_frame(Hello(domain=domain, address="", nonce=nonce)))
    welcome = decode_frame(await connection.recv())
    if not isinstance(welcome, Welcome) or welcome.address != expected:
        raise FrameMalformed(f"{expected} does not listen there")
    digest = handshake_digest(domain, expected, "", welcome.nonce, nonce)
    if not is_signed_by(digest, welcome.signature, expected):
        raise FrameMalformed(f"{expected} did not prove itself")


async def _write(connection: Connection, outlet: _Outlet) -> None:
    while True:
        await connection.send(await outlet.pop())


def is_endpoint(url: str) -> bool:
    """Whether a client dials what a validator has published."""
    return url.startswith(("ws://", "wss://")) and len(url) <= MAX_ENDPOINT
