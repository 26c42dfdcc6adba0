"""One websocket between two authenticated ends: a bounded outbox, a metered inbox, nothing else.

Latency decides here: a frame is handled in the callback that read it, and written in the turn of the loop
that made it, without waking a task in between. Only a peer that does not keep up is written to by a task.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from websockets.exceptions import ConnectionClosed

from committee.framing import DirectConnection
from protocol.errors import PeerMisbehaved
from protocol.frames import MAX_BUNDLE, Bucket, Frame, FrameMalformed, decode_frame
from protocol.ids import Address

BUNDLE_BYTES = 256 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkLimits:
    """Per connection. Beyond the rates a peer is cut off; beyond the outbox its oldest frames are dropped
    (the agreement repeats what matters)."""

    frames_per_s: float = 5_000
    bytes_per_s: float = 16 * 1024 * 1024
    burst_s: float = 2.0
    outbox_frames: int = 4_096
    outbox_bytes: int = 32 * 1024 * 1024
    offences: int = 64


MEMBER_LIMITS = LinkLimits()
CLIENT_LIMITS = LinkLimits(
    frames_per_s=50, bytes_per_s=1024 * 1024, outbox_frames=512, outbox_bytes=4 * 1024 * 1024, offences=16
)


class Outbox:
    """Frames waiting to be written, oldest dropped when full."""

    def __init__(self, limits: LinkLimits) -> None:
        self._limits = limits
        self._frames: deque[bytes] = deque()
        self._bytes = 0
        self.dropped = 0

    def push(self, frame: bytes) -> None:
        frames, limits = self._frames, self._limits
        frames.append(frame)
        self._bytes += len(frame)
        while len(frames) > limits.outbox_frames or self._bytes > limits.outbox_bytes:
            self._bytes -= len(frames.popleft())
            self.dropped += 1

    def take(self) -> bytes | None:
        """The next frame to write, if there is one."""
        if not self._frames:
            return None
        frame = self._frames.popleft()
        self._bytes -= len(frame)
        return frame


def bundles(bodies: Sequence[bytes]) -> Iterator[tuple[bytes, ...]]:
    """The messages that travel together: as many as fit into MAX_BUNDLE and, if more than one,
    BUNDLE_BYTES."""
    start, size = 0, 0
    for at, body in enumerate(bodies):
        size += len(body)
        if at > start and (size > BUNDLE_BYTES or at - start == MAX_BUNDLE):
            yield tuple(bodies[start:at])
            start, size = at, len(body)
    if bodies:
        yield tuple(bodies[start:])


class Link:
    """Runs until either side closes. ``address`` is None for a client."""

    def __init__(self, connection: DirectConnection, address: Address | None, limits: LinkLimits) -> None:
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
            frame = self.outbox.take()
            if frame is None:
                return
            self.connection.write_whole(frame)
        self._congested.set()

    async def _write_to_slow_peer(self) -> None:
        while True:
            await self._congested.wait()
            frame = self.outbox.take()
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

        self.connection.on_data = take_directly
        async for data in self.connection:  # what arrived before, in pieces, or as text
            take(data)

    def offend(self, count: int, error: PeerMisbehaved) -> None:
        """Count offences. Raises ``error`` when there are too many."""
        self.offences += count
        if self.offences > self.limits.offences:
            raise error
