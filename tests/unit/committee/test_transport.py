"""The mesh over loopback: who gets in, who is cut off, what is bounded."""

import asyncio
import contextlib
import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from committee.framing import DiallingConnection, DirectConnection
from committee.link import BUNDLE_BYTES, CLIENT_LIMITS, Link, LinkLimits, Outbox, bundles
from committee.transport import Transport, TransportConfig
from protocol.errors import PeerMisbehaved
from protocol.frames import (
    MAX_BUNDLE,
    App,
    Ask,
    Bucket,
    Bundle,
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
from protocol.pbft_messages import Message, Prepare, Request
from protocol.signing import KeySigner
from tests.simulation.keys import DOMAIN, TASK, committee

SIGNERS = [KeySigner(hashlib.sha256(b"transport %d" % i).digest()) for i in range(4)]
SIGNERS.sort(key=lambda signer: int(signer.address, 16))
STRANGER = KeySigner(hashlib.sha256(b"stranger").digest())
REQUEST = Request(task=TASK, seq=1, value=b"value")


class Inbox:
    """Remembers what arrives."""

    def __init__(self) -> None:
        self.messages: list[Message] = []
        self.requests: list[Request] = []
        self.apps: list[tuple[Address, str, bytes]] = []

    def on_messages(self, messages: list[Message]) -> int:
        self.messages.extend(messages)
        return 0

    def on_request(self, request: Request) -> None:
        self.requests.append(request)

    def on_app(self, peer: Address, kind: str, body: bytes) -> None:
        if kind == "lie":
            raise PeerMisbehaved("app", "a lie")
        self.apps.append((peer, kind, body))

    def on_offer(self, kind: str, body: bytes) -> bytes:
        if kind == "lie":
            raise PeerMisbehaved("app", "a lie")
        return body[::-1]


async def until(condition: Callable[[], bool], timeout_s: float = 5) -> None:
    async with asyncio.timeout(timeout_s):
        while not condition():
            await asyncio.sleep(0.005)


@asynccontextmanager
async def transport(i: int, port: int = 0, *, listens: bool = True) -> AsyncIterator[tuple[Transport, Inbox]]:
    inbox = Inbox()
    config = TransportConfig(
        domain=DOMAIN,
        listen_host="127.0.0.1" if listens else None,
        listen_port=port,
        second_dialler_after_s=0.2,
        reconnect_max_s=0.2,
        handshake_timeout_s=0.5,
        ban_s=0.3,
    )
    one = Transport(config, SIGNERS[i], inbox, lambda: 0.5)
    await one.start()
    try:
        yield one, inbox
    finally:
        await one.stop()


@asynccontextmanager
async def mesh(n: int, hidden: frozenset[int] = frozenset()) -> AsyncIterator[list[tuple[Transport, Inbox]]]:
    async with AsyncExitStack() as stack:
        made = [await stack.enter_async_context(transport(i, listens=i not in hidden)) for i in range(n)]
        endpoints = {
            SIGNERS[i].address: "" if i in hidden else f"ws://127.0.0.1:{one.port}"
            for i, (one, _) in enumerate(made)
        }
        for one, _ in made:
            one.set_members(endpoints)
        yield made


def prepare(seq: int = 1) -> Prepare:
    instance, cryptos = committee(4)
    return Prepare.signed(instance, cryptos[0].signer, sender=0, view=0, seq=seq, digest=bytes(32))


def run(test: Callable[[], Awaitable[None]]) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(20):
            await test()

    asyncio.run(bounded())


def test_mesh__three_members__exchange_messages_in_order_and_application_messages() -> None:
    async def test() -> None:
        async with mesh(3) as made:
            await until(lambda: all(len(one.connected) == 2 for one, _ in made))
            messages = [prepare(seq) for seq in range(1, 2 * MAX_BUNDLE)]
            for message in messages:
                made[0][0].send([signer.address for signer in SIGNERS[:3]], message)
            made[1][0].send_app("fault", b"body", [SIGNERS[2].address])
            await until(lambda: len(made[1][1].messages) == len(made[2][1].messages) == len(messages))
            assert made[1][1].messages == messages
            assert made[0][1].messages == []
            await until(lambda: made[2][1].apps == [(SIGNERS[1].address, "fault", b"body")])

    run(test)


def test_mesh__two_members_that_cannot_be_dialled__talk_through_a_third() -> None:
    async def test() -> None:
        async with mesh(3, hidden=frozenset({0, 2})) as made:
            await until(lambda: len(made[1][0].connected) == 2)
            made[0][0].send([SIGNERS[2].address], prepare())
            await until(lambda: made[2][1].messages == [prepare()])
            assert SIGNERS[2].address not in made[0][0].connected

    run(test)


def test_mesh__member_dropped_from_the_chain__is_disconnected() -> None:
    async def test() -> None:
        async with mesh(2) as made:
            await until(lambda: all(len(one.connected) == 1 for one, _ in made))
            made[0][0].set_members({})
            await until(lambda: not made[0][0].connected)

    run(test)


def test_mesh__member_restarted_at_the_same_port__is_linked_again() -> None:
    async def test() -> None:
        async with transport(0) as (one, _):
            async with transport(1) as (other, _):
                port = other.port
                endpoints = {SIGNERS[1].address: f"ws://127.0.0.1:{port}", SIGNERS[0].address: ""}
                one.set_members(endpoints)
                other.set_members(endpoints)
                await until(lambda: bool(one.connected))
            await until(lambda: not one.connected)
            async with transport(1, port) as (other, _):
                other.set_members(endpoints)
                await until(lambda: bool(one.connected))

    run(test)


# ---------------------------------------------------------------------- strangers


async def dial(
    one: Transport, signer: KeySigner | None, claimed: str, domain: bytes = DOMAIN
) -> ClientConnection:
    connection = await connect(f"ws://127.0.0.1:{one.port}", proxy=None, compression=None)
    nonce = bytes(32)
    await connection.send(encode_frame(Hello(domain=domain, address=claimed, nonce=nonce)))
    welcome = decode_frame(await connection.recv())
    assert isinstance(welcome, Welcome)
    if signer is not None:
        digest = handshake_digest(DOMAIN, Address(claimed), welcome.address, nonce, welcome.nonce)
        await connection.send(encode_frame(Proof(signature=signer.sign(digest))))
    return connection


async def is_closed(connection: ClientConnection) -> bool:
    try:
        async with asyncio.timeout(3):
            while True:
                await connection.recv()
    except ConnectionClosed:
        return True


def test_handshake__impostor_stranger_or_other_network__is_closed() -> None:
    async def test() -> None:
        async with transport(0) as (one, _):
            one.set_members({SIGNERS[1].address: ""})
            assert await is_closed(await dial(one, STRANGER, SIGNERS[1].address))
            assert await is_closed(await dial(one, STRANGER, STRANGER.address))
            with pytest.raises(ConnectionClosed):
                await dial(one, SIGNERS[1], SIGNERS[1].address, bytes(32))
            assert not one.connected

    run(test)


def test_handshake__nothing_said__ends_by_itself() -> None:
    async def test() -> None:
        async with transport(0) as (one, _):
            connection = await connect(f"ws://127.0.0.1:{one.port}", proxy=None)
            assert await is_closed(connection)

    run(test)


def test_dialler__another_key_listens_there__does_not_link() -> None:
    async def test() -> None:
        async with transport(0) as (one, _), transport(2) as (other, _):
            other.set_members({SIGNERS[0].address: ""})
            one.set_members({SIGNERS[1].address: f"ws://127.0.0.1:{other.port}"})
            await asyncio.sleep(0.4)
            assert not one.connected

    run(test)


def test_client__asks_and_hears__but_may_say_nothing_else() -> None:
    async def test() -> None:
        async with transport(0) as (one, inbox):
            client = await dial(one, None, "")
            await client.send(encode_frame(Ask(request=REQUEST)))
            await until(lambda: inbox.requests == [REQUEST])
            status = Status(task=TASK, seq=1, digest=bytes(32), status="decided")
            one.send_status(status)
            one.send_app("fault", b"body")
            assert decode_frame(await client.recv()) == status
            assert decode_frame(await client.recv()) == App(kind="fault", body=b"body")
            for _ in range(CLIENT_LIMITS.offences + 1):
                await client.send(encode_frame(Bundle(bodies=(b"x",))))
            assert await is_closed(client)
            assert inbox.messages == []

    run(test)


def test_client__application_message__is_answered_to_this_client_alone() -> None:
    async def test() -> None:
        async with transport(0) as (one, inbox):
            client, other = await dial(one, None, ""), await dial(one, None, "")
            await client.send(encode_frame(App(kind="word", body=b"abc")))
            assert decode_frame(await client.recv()) == App(kind="word", body=b"cba")
            for _ in range(CLIENT_LIMITS.offences + 1):
                await client.send(encode_frame(App(kind="lie", body=b"")))
            assert await is_closed(client)
            one.send_app("fault", b"body")
            assert decode_frame(await other.recv()) == App(kind="fault", body=b"body")
            assert inbox.apps == []

    run(test)


def test_client__floods__is_cut_off() -> None:
    async def test() -> None:
        async with transport(0) as (one, inbox):
            client = await dial(one, None, "")
            with contextlib.suppress(ConnectionClosed):
                for _ in range(2_000):
                    await client.send(encode_frame(Ask(request=REQUEST)))
            assert await is_closed(client)
            assert len(inbox.requests) <= CLIENT_LIMITS.frames_per_s * CLIENT_LIMITS.burst_s + 20

    run(test)


@pytest.mark.parametrize(
    "junk",
    [b"", b"\xc1", b"junk", encode_frame(Bundle(bodies=(b"junk",))), encode_frame(App(kind="lie", body=b""))],
)
def test_member__talks_junk__is_cut_off_and_stays_out_for_a_while(junk: bytes) -> None:
    async def test() -> None:
        async with transport(0) as (one, _):
            one.set_members({SIGNERS[1].address: ""})
            member = await dial(one, SIGNERS[1], SIGNERS[1].address)
            await until(lambda: bool(one.connected))
            for _ in range(70):
                await member.send(junk)
            assert await is_closed(member)
            assert await is_closed(await dial(one, SIGNERS[1], SIGNERS[1].address))
            await asyncio.sleep(0.35)
            again = await dial(one, SIGNERS[1], SIGNERS[1].address)
            await until(lambda: bool(one.connected))
            await again.close()

    run(test)


# ---------------------------------------------------------------------- parts


def test_link__peer_that_reads_late__gets_everything_in_order() -> None:
    async def test() -> None:
        got: list[bytes] = []
        late, done = asyncio.Event(), asyncio.Event()

        async def listen(connection: ServerConnection) -> None:
            await late.wait()
            async for data in connection:
                got.append(bytes(data))  # type: ignore[arg-type]
                if len(got) == 40:
                    done.set()

        async with serve(listen, "127.0.0.1", 0, compression=None, max_size=None) as server:
            port = next(iter(server.sockets)).getsockname()[1]
            async with connect(
                f"ws://127.0.0.1:{port}", compression=None, create_connection=DiallingConnection
            ) as connection:
                assert isinstance(connection, DirectConnection)
                link = Link(connection, None, LinkLimits())
                running = asyncio.create_task(link.run(lambda link, frame: None))
                for k in range(40):
                    link.outbox.push(bytes([k]) * 500_000)
                    link.flush()
                assert link.connection.transport.get_write_buffer_size()
                late.set()
                async with asyncio.timeout(20):
                    await done.wait()
            await running
        assert [(data[0], len(data)) for data in got] == [(k, 500_000) for k in range(40)]

    run(test)


def test_outbox__full__drops_the_oldest() -> None:
    box = Outbox(LinkLimits(outbox_frames=3, outbox_bytes=100))
    for k in range(5):
        box.push(b"%d" % k)
    assert box.dropped == 2
    assert [box.take() for _ in range(4)] == [b"2", b"3", b"4", None]
    box.push(bytes(101))
    assert box.dropped == 3
    assert box.take() is None


def test_bundles__many_or_large_messages__are_split_in_order() -> None:
    assert list(bundles([])) == []
    small = [b"%d" % k for k in range(2 * MAX_BUNDLE + 1)]
    assert [len(together) for together in bundles(small)] == [MAX_BUNDLE, MAX_BUNDLE, 1]
    assert [body for together in bundles(small) for body in together] == small
    large = [bytes(BUNDLE_BYTES + 1), bytes(BUNDLE_BYTES - 1), b"1", b"2"]
    assert list(bundles(large)) == [(large[0],), (large[1], b"1"), (b"2",)]


def test_bucket__burst_then_rate__lets_through_no_more() -> None:
    bucket = Bucket(rate=10, burst=20, now=0)
    assert sum(bucket.take(1, 0) for _ in range(100)) == 20
    assert sum(bucket.take(1, 1) for _ in range(100)) == 10
    assert sum(bucket.take(1, 100) for _ in range(100)) == 20


@pytest.mark.parametrize("data", ["text", b"", b"\x91\x63", b"\xff" * 40])
def test_frame__malformed__raises_only_that(data: bytes | str) -> None:
    with pytest.raises(FrameMalformed):
        decode_frame(data)


def test_frame__each_kind__survives_the_round_trip() -> None:
    frames: list[Frame] = [
        Hello(domain=DOMAIN, address="", nonce=bytes(32)),
        Ask(request=REQUEST),
        App(kind="k", body=b""),
        Bundle(bodies=(b"x",), relayed=True),
    ]
    assert [decode_frame(encode_frame(frame)) for frame in frames] == frames
