"""For whoever has a value to certify: ask the validators, hear what becomes of it. It proves nothing about
itself and believes nothing it hears; certificates are checked by their signatures."""

import asyncio
import secrets
from collections.abc import Callable, Mapping

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidURI

from protocol.errors import PeerMisbehaved
from protocol.frames import (
    MAX_FRAME_BYTES,
    App,
    Ask,
    FrameMalformed,
    Hello,
    Status,
    Welcome,
    decode_frame,
    encode_frame,
    handshake_digest,
)
from protocol.ids import Address
from protocol.pbft_messages import Request
from protocol.signing import is_signed_by

MAX_WAITING = 1024
"""Statuses and application messages that wait for the reader; then the newest are dropped."""
HANDSHAKE_TIMEOUT_S = 5.0
RECONNECT_MAX_S = 5.0

News = tuple[Address, Status | App]
"""Which validator says what. Only its connection is authenticated: an App body carries its own signature."""


class CommitteeClient:
    """Keeps a connection to every validator that it is told about. ``ask`` and ``close`` never fail."""

    def __init__(self, domain: bytes, jitter: Callable[[], float]) -> None:
        """``domain`` is the deployment's 32 bytes; ``jitter`` returns numbers in [0, 1)."""
        self._domain = domain
        self._jitter = jitter
        self._endpoints: dict[Address, str] = {}
        self._tasks: dict[Address, asyncio.Task[None]] = {}
        self._open: dict[Address, ClientConnection] = {}
        self._news: asyncio.Queue[News] = asyncio.Queue(MAX_WAITING)

    @property
    def connected(self) -> frozenset[Address]:
        return frozenset(self._open)

    def set_validators(self, endpoints: Mapping[Address, str]) -> None:
        """The validators to talk to; those without an endpoint are heard of through the others."""
        changed = {a for a in self._tasks if self._endpoints.get(a) != endpoints.get(a)}
        self._endpoints = dict(endpoints)
        for address in changed:
            self._tasks.pop(address).cancel()
        for address, url in self._endpoints.items():
            if url and address not in self._tasks:
                self._tasks[address] = asyncio.create_task(self._keep(address, url))

    async def ask(self, request: Request) -> int:
        """Send a request to every connected validator; returns to how many."""
        frame = encode_frame(Ask(request=request))
        sends = (connection.send(frame) for connection in list(self._open.values()))
        results = await asyncio.gather(*sends, return_exceptions=True)
        return sum(1 for result in results if result is None)

    async def news(self) -> News:
        """The next status or application message; waits for one."""
        return await self._news.get()

    async def close(self) -> None:
        tasks = list(self._tasks.values())
        self._tasks.clear()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _keep(self, address: Address, url: str) -> None:
        delay = 0.05
        while True:
            try:
                await self._listen(address, url)
                delay = 0.05
            except (OSError, TimeoutError, InvalidHandshake, InvalidURI, ConnectionClosed, PeerMisbehaved):
                delay = min(2 * delay, RECONNECT_MAX_S)
            await asyncio.sleep(delay * (0.5 + self._jitter()))

    async def _listen(self, address: Address, url: str) -> None:
        async with connect(
            url,
            max_size=MAX_FRAME_BYTES,
            compression=None,
            open_timeout=HANDSHAKE_TIMEOUT_S,
            close_timeout=1,
            proxy=None,
        ) as connection:
            async with asyncio.timeout(HANDSHAKE_TIMEOUT_S):
                await self._greet(connection, address)
            self._open[address] = connection
            try:
                async for data in connection:
                    frame = decode_frame(data)
                    if isinstance(frame, Status | App) and not self._news.full():
                        self._news.put_nowait((address, frame))
            finally:
                if self._open.get(address) is connection:
                    del self._open[address]

    async def _greet(self, connection: ClientConnection, address: Address) -> None:
        nonce = secrets.token_bytes(32)
        await connection.send(encode_frame(Hello(domain=self._domain, address="", nonce=nonce)))
        welcome = decode_frame(await connection.recv())
        if not isinstance(welcome, Welcome) or welcome.address != address:
            raise FrameMalformed(f"{address} does not listen there")
        digest = handshake_digest(self._domain, address, "", welcome.nonce, nonce)
        if not is_signed_by(digest, welcome.signature, address):
            raise FrameMalformed(f"{address} did not prove itself")
