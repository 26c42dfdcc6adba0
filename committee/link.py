"""One websocket between two authenticated ends: a bounded outbox, a metered inbox, nothing else."""

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from websockets.asyncio.connection import Connection
from websockets.exceptions import ConnectionClosed

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
        while not self._items:
            self._filled.clear()
            await self._filled.wait()
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


class Link:
    """Runs until either side closes. ``address`` is None for a client."""

    def __init__(self, connection: Connection, address: Address | None, limits: LinkLimits) -> None:
        self.connection = connection
        self.address = address
        self.limits = limits
        self.outbox = Outbox(limits)
        self.offences = 0

    async def run(self, on_frame: Callable[["Link", Frame], None]) -> None:
        """Read and write until the connection ends. Raises PeerMisbehaved when the peer went too far."""
        writer = asyncio.create_task(self._write())
        try:
            await self._read(on_frame)
        except ConnectionClosed:
            pass
        finally:
            writer.cancel()
            await asyncio.gather(writer, return_exceptions=True)
            await self.connection.close()

    async def _write(self) -> None:
        while True:
            await self.connection.send(await self.outbox.next_frame())

    async def _read(self, on_frame: Callable[["Link", Frame], None]) -> None:
        loop, limits = asyncio.get_running_loop(), self.limits
        now = loop.time()
        frames = Bucket(limits.frames_per_s, limits.frames_per_s * limits.burst_s, now)
        volume = Bucket(limits.bytes_per_s, limits.bytes_per_s * limits.burst_s, now)
        async for data in self.connection:
            now = loop.time()
            if not frames.take(1, now) or not volume.take(len(data), now):
                raise FrameMalformed("more than its share")
            try:
                on_frame(self, decode_frame(data))
            except PeerMisbehaved as error:
                self.offend(1, error)

    def offend(self, count: int, error: PeerMisbehaved) -> None:
        """Count offences. Raises ``error`` when there are too many."""
        self.offences += count
        if self.offences > self.limits.offences:
            raise error
