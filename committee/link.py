"""One websocket between two authenticated ends: a bounded outbox, a metered inbox, nothing else.

Latency decides here: a frame is handled in the callback that read it, and written in the turn of the loop
that made it, without waking a task in between. Only a peer that does not keep up is written to by a task.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from websockets.asyncio.client import ClientConnection
from websockets.asyncio.connection import Connection, broadcast
from websockets.asyncio.server import ServerConnection
from websockets.exceptions import ConnectionClosed
from websockets.frames import Frame as Fragment
from websockets.frames import Opcode
from websockets.http11 import Request, Response

from protocol.errors import PeerMisbehaved
from protocol.frames import MAX_BUNDLE, Bucket, Bundle, Frame, FrameMalformed, decode_frame, encode_frame
from protocol.ids import Address

BUNDLE_BYTES = 256 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkLimits:
    """Per connection. Beyond the rates a peer is cut off; beyond the outbox its oldest messages are dropped
    (the agreement repeats what matters)."""

    frames_per_s: float = 5_000
    bytes_per_s: float = 16 * 1024 * 1024
    burst_s: float = 2.0
    outbox_messages: int = 4_096
    outbox_bytes: int = 32 * 1024 * 1024
    offences: int = 64


MEMBER_LIMITS = LinkLimits()
CLIENT_LIMITS = LinkLimits(
    frames_per_s=50, bytes_per_s=1024 * 1024, outbox_messages=512, outbox_bytes=4 * 1024 * 1024, offences=16
)


class Outbox:
    """Frames and message bodies waiting to be written, oldest dropped when full."""

    def __init__(self, limits: LinkLimits) -> None:
        self._limits = limits
        self._items: deque[tuple[bool, bytes]] = deque()  # (is a message body, bytes)
        self._bytes = 0
        self._filled = asyncio.Event()
        self.dropped = 0

    def push(self, data: bytes, *, body: bool) -> None:
        self._items.append((body, data))
        self._bytes += len(data)
        limits = self._limits
        while len(self._items) > limits.outbox_messages or self._bytes > limits.outbox_bytes:
            self._bytes -= len(self._items.popleft()[1])
            self.dropped += 1
        self._filled.set()

    async def next_frame(self) -> bytes:
        """The next frame to write; waiting message bodies travel together."""
        while (frame := self.take_frame()) is None:
            self._filled.clear()
            await self._filled.wait()
        return frame

    def take_frame(self) -> bytes | None:
        """The next frame to write, if there is one."""
        if not self._items:
            return None
        is_body, data = self._pop()
        if not is_body:
            return data
        bodies, size = [data], len(data)
        while self._items and self._items[0][0] and len(bodies) < MAX_BUNDLE:
            size += len(self._items[0][1])
            if size > BUNDLE_BYTES:
                break
            bodies.append(self._pop()[1])
        return encode_frame(Bundle(bodies=tuple(bodies)))

    def _pop(self) -> tuple[bool, bytes]:
        item = self._items.popleft()
        self._bytes -= len(item[1])
        return item


class _Direct(Connection):
    """Hands whole binary messages to ``on_data``, when it is set, in the callback that read them."""

    on_data: Callable[[bytes], None] | None = None

    def process_event(self, event: Fragment | Request | Response) -> None:
        whole = isinstance(event, Fragment) and event.opcode is Opcode.BINARY and event.fin
        if self.on_data is not None and whole and isinstance(event, Fragment):
            self.on_data(bytes(event.data))
        else:
            super().process_event(event)


class DiallingConnection(_Direct, ClientConnection):
    """For ``connect``."""


class ListeningConnection(_Direct, ServerConnection):
    """For ``serve``."""


class Link:
    """Runs until either side closes. ``address`` is None for a client."""

    def __init__(self, connection: Connection, address: Address | None, limits: LinkLimits) -> None:
        self.connection = connection
        self.address = address
        self.limits = limits
        self.outbox = Outbox(limits)
        self.offences = 0
        self._ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._congested = asyncio.Event()

    # ------------------------------------------------------------------ writing

    def flush(self) -> None:
        """Write what waits in the outbox, as far as the peer keeps up; the rest follows by itself."""
        if self._congested.is_set():
            return
        while not self.connection.transport.get_write_buffer_size():
            frame = self.outbox.take_frame()
            if frame is None:
                return
            broadcast((self.connection,), frame)
        self._congested.set()

    async def _write_to_slow_peer(self) -> None:
        while True:
            await self._congested.wait()
            frame = self.outbox.take_frame()
            if frame is None:
                self._congested.clear()
            else:
                await self.connection.send(frame)

    # ------------------------------------------------------------------ reading

    async def run(self, on_frame: Callable[["Link", Frame], None]) -> None:
        """Read and write until the connection ends. Raises PeerMisbehaved when the peer went too far."""
        jobs = [
            asyncio.create_task(self._read(on_frame)),
            asyncio.create_task(self._write_to_slow_peer()),
            self._ended,
        ]
        try:
            await asyncio.wait(jobs, return_when=asyncio.FIRST_COMPLETED)
        finally:
            if isinstance(self.connection, _Direct):
                self.connection.on_data = None
            for job in jobs:
                job.cancel()
            results = await asyncio.gather(*jobs, return_exceptions=True)
            await self.connection.close()
        for result in results:
            if isinstance(result, Exception) and not isinstance(result, ConnectionClosed):
                raise result

    async def _read(self, on_frame: Callable[["Link", Frame], None]) -> None:
        loop, limits = asyncio.get_running_loop(), self.limits
        now = loop.time()
        frames = Bucket(limits.frames_per_s, limits.frames_per_s * limits.burst_s, now)
        volume = Bucket(limits.bytes_per_s, limits.bytes_per_s * limits.burst_s, now)

        def take(data: bytes | str) -> None:
            now = loop.time()
            if not frames.take(1, now) or not volume.take(len(data), now):
                raise FrameMalformed("more than its share")
            try:
                on_frame(self, decode_frame(data))
            except PeerMisbehaved as error:
                self.offend(1, error)

        def take_directly(data: bytes) -> None:
            if self._ended.done():
                return
            try:
                take(data)
            except Exception as error:  # noqa: BLE001 - ``run`` raises it: this caller is the event loop
                self._ended.set_exception(error)

        if isinstance(self.connection, _Direct):
            self.connection.on_data = take_directly
        async for data in self.connection:  # what arrived before, in pieces, or as text
            take(data)

    def offend(self, count: int, error: PeerMisbehaved) -> None:
        """Count offences. Raises ``error`` when there are too many."""
        self.offences += count
        if self.offences > self.limits.offences:
            raise error
