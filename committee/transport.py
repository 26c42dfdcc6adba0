"""The committee's mesh of websockets, and the clients at its edge.

Members are told by address and endpoint (from the chain). Whoever has an endpoint is dialled by the members
below it in address order, and after a while by the others too; a member without one (behind NAT) dials all.
Two members that cannot reach each other talk through members that both reach. Nothing here decides what is
true.
"""

import asyncio
import secrets
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import structlog
from websockets.asyncio.client import connect
from websockets.asyncio.connection import Connection
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidURI

from committee.framing import DiallingConnection, DirectConnection, ListeningConnection
from committee.link import CLIENT_LIMITS, MEMBER_LIMITS, Link, bundles
from protocol.errors import PeerMisbehaved
from protocol.frames import (
    MAX_FRAME_BYTES,
    App,
    Ask,
    Bundle,
    Forward,
    Frame,
    FrameMalformed,
    Hello,
    Proof,
    Status,
    Welcome,
    decode_frame,
    encode_frame,
    handshake_digest,
)
from protocol.ids import Address
from protocol.pbft_messages import Message, MessageMalformed, Request, decode, encode
from protocol.signing import Signer, is_signed_by

MAX_CLIENTS = 32
MAX_HANDSHAKES = 32
RELAYS = 2
_log = structlog.get_logger("committee.transport")


@dataclass(frozen=True, slots=True, kw_only=True)
class TransportConfig:
    """``domain`` names the deployment (32 bytes). ``listen_host`` None: reach others, be reached by none;
    port 0 takes a free one."""

    domain: bytes
    listen_host: str | None = "127.0.0.1"
    listen_port: int = 0
    handshake_timeout_s: float = 5.0
    reconnect_min_s: float = 0.05
    reconnect_max_s: float = 5.0
    second_dialler_after_s: float = 5.0
    ban_s: float = 30.0


class Receiver(Protocol):
    """Who gets what arrives. Called in the event loop; must not block."""

    def on_messages(self, messages: list[Message]) -> int:
        """Agreement messages; returns how many broke the rules."""

    def on_request(self, request: Request) -> None:
        """A client's wish."""

    def on_app(self, peer: Address, kind: str, body: bytes) -> None:
        """An application message that member ``peer`` handed over. Raises PeerMisbehaved."""

    def on_offer(self, kind: str, body: bytes) -> bytes:
        """An application message of a client; returns the answer, for this client alone. Raises
        PeerMisbehaved."""


class Transport:
    """Start it, send, stop it. Sending never waits and never fails: what cannot leave is dropped."""

    def __init__(
        self, config: TransportConfig, signer: Signer, receiver: Receiver, jitter: Callable[[], float]
    ) -> None:
        """``jitter`` returns numbers in [0, 1): the randomness of reconnects."""
        self.config = config
        self._signer = signer
        self._receiver = receiver
        self._jitter = jitter
        self._endpoints: dict[Address, str] = {}
        self._links: dict[Address, Link] = {}
        self._clients: set[Link] = set()
        self._diallers: dict[Address, asyncio.Task[None]] = {}
        self._banned: dict[Address, float] = {}
        self._handshakes = 0
        self._waiting: list[tuple[Sequence[Address], list[bytes]]] = []
        self._flush_planned = False
        self._server: Server | None = None

    @property
    def port(self) -> int:
        """The port that is listened on; 0 when none is."""
        if self._server is None:
            return 0
        return int(next(iter(self._server.sockets)).getsockname()[1])

    @property
    def connected(self) -> frozenset[Address]:
        """The members that a link is open to."""
        return frozenset(self._links)

    async def start(self) -> None:
        """Listen, if so configured. Raises OSError when the port is taken."""
        if self.config.listen_host is not None:
            self._server = await serve(
                self._accept,
                self.config.listen_host,
                self.config.listen_port,
                max_size=MAX_FRAME_BYTES,
                compression=None,
                create_connection=ListeningConnection,
                open_timeout=self.config.handshake_timeout_s,
                close_timeout=1,
            )

    async def stop(self) -> None:
        """Close everything."""
        tasks = list(self._diallers.values())
        self._diallers.clear()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        links = [*self._links.values(), *self._clients]
        await asyncio.gather(*(link.connection.close() for link in links), return_exceptions=True)
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()

    def set_members(self, endpoints: Mapping[Address, str]) -> None:
        """The members to talk to, with their endpoints (``ws://...``, empty: cannot be dialled). Call it
        again when the chain says something else; links to others are closed."""
        me = self._signer.address
        self._endpoints = {address: url for address, url in endpoints.items() if address != me}
        for address in [a for a in self._diallers if a not in self._endpoints]:
            self._diallers.pop(address).cancel()
        for address in [a for a in self._links if a not in self._endpoints]:
            self._spawn_close(self._links[address])
        for address in self._endpoints:
            if address not in self._diallers:
                self._diallers[address] = asyncio.create_task(self._keep_dialling(address))

    # ------------------------------------------------------------------ sending

    def send(self, to: Sequence[Address], message: Message) -> None:
        """Send an agreement message to members (the own address is skipped). It leaves with ``flush``, or
        else in the next turn of the loop, together with what else is sent until then."""
        body, waiting = encode(message), self._waiting
        if waiting and waiting[-1][0] == to:
            waiting[-1][1].append(body)
        else:
            waiting.append((to, [body]))
        if not self._flush_planned:
            self._flush_planned = True
            asyncio.get_running_loop().call_soon(self.flush)

    def flush(self) -> None:
        """Write what was sent up to now. Members are mostly told the same, so it is encoded once."""
        if not self._flush_planned:
            return
        self._flush_planned = False
        waiting, self._waiting = self._waiting, []
        for to, bodies in waiting:
            for together in bundles(bodies):
                self._push(to, together)
        for link in list(self._links.values()):
            link.flush()

    def _push(self, to: Sequence[Address], bodies: tuple[bytes, ...]) -> None:
        frame, links = encode_frame(Bundle(bodies=bodies)), self._links
        cannot_listen = self.config.listen_host is None
        for address in to:
            link = links.get(address)
            if link is not None:
                link.outbox.push(frame)
            elif cannot_listen and address != self._signer.address and not self._endpoints.get(address):
                self._send_around(address, bodies)

    def _send_around(self, address: Address, bodies: tuple[bytes, ...]) -> None:
        """Both ends can only dial: pass it through members that both have dialled."""
        frame = encode_frame(Forward(to=address, bodies=bodies))
        for link in list(self._links.values())[:RELAYS]:
            link.outbox.push(frame)

    def send_app(self, kind: str, body: bytes, to: Iterable[Address] | None = None) -> None:
        """Send an application message to members, or to every member and client when ``to`` is None."""
        frame = encode_frame(App(kind=kind, body=body))
        links = [*self._links.values(), *self._clients] if to is None else self._links_to(to)
        for link in links:
            link.outbox.push(frame)
            link.flush()

    def tell_clients(self, kind: str, body: bytes) -> None:
        """Send an application message to every client."""
        frame = encode_frame(App(kind=kind, body=body))
        for link in self._clients:
            link.outbox.push(frame)
            link.flush()

    def _links_to(self, addresses: Iterable[Address]) -> list[Link]:
        return [self._links[address] for address in addresses if address in self._links]

    def send_status(self, status: Status) -> None:
        """Tell every client."""
        frame = encode_frame(status)
        for link in self._clients:
            link.outbox.push(frame)
            link.flush()

    # ------------------------------------------------------------------ receiving

    def _on_frame(self, link: Link, frame: Frame) -> None:
        match frame:
            case Bundle(bodies=bodies, relayed=relayed) if link.address is not None:
                self._on_bundle(link, bodies, relayed)
            case Forward(to=to, bodies=bodies) if link.address is not None:
                target = self._links.get(Address(to))
                if target is not None:
                    target.outbox.push(encode_frame(Bundle(bodies=bodies, relayed=True)))
                    target.flush()
            case App(kind=kind, body=body) if link.address is not None:
                self._receiver.on_app(link.address, kind, body)
            case App(kind=kind, body=body):
                answer = self._receiver.on_offer(kind, body)
                link.outbox.push(encode_frame(App(kind=kind, body=answer)))
                link.flush()
            case Ask(request=request):
                self._receiver.on_request(request)
            case _:
                raise FrameMalformed(f"{type(frame).__name__} has no place here")

    def _on_bundle(self, link: Link, bodies: tuple[bytes, ...], relayed: bool) -> None:
        messages, offences = [], 0
        for body in bodies:
            try:
                messages.append(decode(body))
            except MessageMalformed:
                offences += 1
        offences += self._receiver.on_messages(messages)
        if offences and not relayed:
            link.offend(offences, FrameMalformed(f"{offences} messages that break the rules"))

    # ------------------------------------------------------------------ connections

    async def _accept(self, connection: ServerConnection) -> None:
        assert isinstance(connection, DirectConnection)
        if self._handshakes >= MAX_HANDSHAKES:
            await connection.close(1013, "busy")
            return
        self._handshakes += 1
        try:
            async with asyncio.timeout(self.config.handshake_timeout_s):
                address = await self._greet_dialler(connection)
        except (PeerMisbehaved, TimeoutError, ConnectionClosed) as error:
            _log.info("dialler refused", reason=str(error))
            await connection.close(1008, "handshake")
            return
        finally:
            self._handshakes -= 1
        if address is None:
            await self._serve_client(connection)
        else:
            await self._run(Link(connection, address, MEMBER_LIMITS))

    async def _greet_dialler(self, connection: Connection) -> Address | None:
        """Raises PeerMisbehaved unless a member proves who it is, or a client asks politely."""
        hello = decode_frame(await connection.recv())
        if not isinstance(hello, Hello) or hello.domain != self.config.domain:
            raise FrameMalformed("not a Hello of this network")
        me, nonce = self._signer.address, secrets.token_bytes(32)
        digest = handshake_digest(self.config.domain, me, hello.address, nonce, hello.nonce)
        welcome = Welcome(address=me, nonce=nonce, signature=self._signer.sign(digest))
        await connection.send(encode_frame(welcome))
        if not hello.address:
            return None
        address = Address(hello.address)
        proof = decode_frame(await connection.recv())
        digest = handshake_digest(self.config.domain, address, me, hello.nonce, nonce)
        if not isinstance(proof, Proof) or not is_signed_by(digest, proof.signature, address):
            raise FrameMalformed(f"{address[:42]} did not prove itself")
        self._check_welcome_here(address)
        return address

    def _check_welcome_here(self, address: Address) -> None:
        if address not in self._endpoints:
            raise FrameMalformed(f"{address} is no member")
        if self._banned.get(address, 0) > asyncio.get_running_loop().time():
            raise FrameMalformed(f"{address} is banned for a while")

    async def _greet_listener(self, connection: Connection, expected: Address) -> None:
        me, nonce, domain = self._signer.address, secrets.token_bytes(32), self.config.domain
        await connection.send(encode_frame(Hello(domain=domain, address=me, nonce=nonce)))
        welcome = decode_frame(await connection.recv())
        if not isinstance(welcome, Welcome) or welcome.address != expected:
            raise FrameMalformed(f"{expected} does not listen there")
        digest = handshake_digest(domain, expected, me, welcome.nonce, nonce)
        if not is_signed_by(digest, welcome.signature, expected):
            raise FrameMalformed(f"{expected} did not prove itself")
        proof = handshake_digest(domain, me, expected, nonce, welcome.nonce)
        await connection.send(encode_frame(Proof(signature=self._signer.sign(proof))))
        self._check_welcome_here(expected)

    async def _keep_dialling(self, address: Address) -> None:
        config, loop = self.config, asyncio.get_running_loop()
        delay = config.reconnect_min_s
        if config.listen_host is not None and int(self._signer.address, 16) > int(address, 16):
            await asyncio.sleep(config.second_dialler_after_s)
        while True:
            link = self._links.get(address)
            if link is not None:
                await link.connection.wait_closed()
            elif self._endpoints[address]:
                started = loop.time()
                await self._dial(address)
                lasted = loop.time() - started
                delay = config.reconnect_min_s if lasted > config.reconnect_max_s else 2 * delay
            delay = min(delay, config.reconnect_max_s)
            await asyncio.sleep(delay * (0.5 + self._jitter()))

    async def _dial(self, address: Address) -> None:
        config = self.config
        try:
            async with connect(
                self._endpoints[address],
                max_size=MAX_FRAME_BYTES,
                compression=None,
                create_connection=DiallingConnection,
                open_timeout=config.handshake_timeout_s,
                close_timeout=1,
                proxy=None,
            ) as connection:
                assert isinstance(connection, DirectConnection)
                async with asyncio.timeout(config.handshake_timeout_s):
                    await self._greet_listener(connection, address)
                await self._run(Link(connection, address, MEMBER_LIMITS))
        except (OSError, TimeoutError, InvalidHandshake, InvalidURI, ConnectionClosed) as error:
            _log.debug("member not reached", member=address, reason=str(error))
        except PeerMisbehaved as error:
            _log.warning("member refused", member=address, reason=str(error))

    async def _run(self, link: Link) -> None:
        """Use a member's link until it ends; the newest link to a member is the one that counts."""
        address = link.address
        assert address is not None
        older = self._links.get(address)
        self._links[address] = link
        if older is not None:
            await older.connection.close(1000, "replaced")
        _log.info("linked", member=address)
        try:
            await link.run(self._on_frame)
        except PeerMisbehaved as error:
            _log.warning("member cut off", member=address, reason=str(error))
            self._banned[address] = asyncio.get_running_loop().time() + self.config.ban_s
        finally:
            if self._links.get(address) is link:
                del self._links[address]

    async def _serve_client(self, connection: DirectConnection) -> None:
        if len(self._clients) >= MAX_CLIENTS:
            await connection.close(1013, "too many clients")
            return
        link = Link(connection, None, CLIENT_LIMITS)
        self._clients.add(link)
        try:
            await link.run(self._on_frame)
        except PeerMisbehaved as error:
            _log.info("client cut off", reason=str(error))
        finally:
            self._clients.discard(link)

    def _spawn_close(self, link: Link) -> None:
        task = asyncio.create_task(link.connection.close(1000, "no longer a member"))
        task.add_done_callback(lambda done: done.exception() if not done.cancelled() else None)
