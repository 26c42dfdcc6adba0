"""Frames: cut where they are read, whatever pieces they come in, and left to the library when they are not
plain."""

import asyncio
import os
from collections.abc import Awaitable, Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from websockets.asyncio.client import connect
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from committee.framing import DiallingConnection, DirectConnection, ListeningConnection, head, measure
from protocol.frames import MAX_FRAME_BYTES

Pair = Callable[[DirectConnection, DirectConnection], Awaitable[None]]


@given(st.integers(0, 1 << 40), st.booleans())
def test_head__of_any_length__is_measured_as_it_was_made(length: int, masked: bool) -> None:
    made = head(length, masked=masked) + bytes(4 if masked else 0)
    assert measure(made, 0) == (len(made), length)
    assert measure(b"before" + made, 6) == (len(made), length)
    needed = len(made) - (4 if masked else 0)
    assert all(measure(made[:cut], 0) == (0, 0) for cut in range(needed) if cut < 2 or needed > 2)


def pair(test: Pair) -> None:
    """Run ``test`` with the two ends of a connection: the one that listens, the one that dialled."""

    async def whole() -> None:
        done = asyncio.Event()

        async def listen(connection: ServerConnection) -> None:
            if not accepted.done():
                assert isinstance(connection, DirectConnection)
                accepted.set_result(connection)
            await done.wait()

        accepted: asyncio.Future[DirectConnection] = asyncio.get_running_loop().create_future()
        async with (
            serve(
                listen,
                "127.0.0.1",
                0,
                compression=None,
                max_size=MAX_FRAME_BYTES,
                create_connection=ListeningConnection,
                close_timeout=1,
            ) as server,
            connect(
                f"ws://127.0.0.1:{next(iter(server.sockets)).getsockname()[1]}",
                compression=None,
                max_size=MAX_FRAME_BYTES,
                create_connection=DiallingConnection,
                close_timeout=1,
            ) as dialled,
        ):
            assert isinstance(dialled, DirectConnection)
            try:
                await test(await accepted, dialled)
            finally:
                done.set()

    asyncio.run(asyncio.wait_for(whole(), 30))


async def until(condition: Callable[[], bool]) -> None:
    while not condition():
        await asyncio.sleep(0.001)


def test_connection__messages_of_all_sizes_both_ways__arrive_whole_and_in_order() -> None:
    sent = [os.urandom(size) for size in (0, 1, 125, 126, 65_535, 65_536, 900_000, 7)]

    async def test(listening: DirectConnection, dialled: DirectConnection) -> None:
        for source, target in ((listening, dialled), (dialled, listening)):
            got: list[bytes] = []
            target.on_data = got.append
            for data in sent:
                source.write_whole(data)
            await until(lambda got=got: len(got) == len(sent))  # type: ignore[misc]
            assert got == sent

    pair(test)


@settings(max_examples=20, deadline=None)
@given(st.lists(st.integers(1, 200), max_size=8))
def test_connection__bytes_in_any_pieces__give_the_same_messages(cuts: list[int]) -> None:
    sent = [b"a", b"b" * 200, b"", b"c" * 70_000]
    stream = b"".join(head(len(data), masked=False) + data for data in sent)

    async def test(listening: DirectConnection, dialled: DirectConnection) -> None:
        got: list[bytes] = []
        dialled.on_data = got.append
        at = 0
        for cut in cuts:
            dialled.data_received(stream[at : at + cut])
            at += cut
        dialled.data_received(stream[at:])
        assert got == sent

    pair(test)


def test_connection__nobody_takes_directly__hands_messages_to_the_library() -> None:
    async def test(listening: DirectConnection, dialled: DirectConnection) -> None:
        dialled.write_whole(b"one")
        assert await listening.recv() == b"one"
        await listening.send("text")
        await listening.send([b"in ", b"pieces"])
        assert await dialled.recv() == "text"
        assert await dialled.recv() == b"in pieces"

    pair(test)


def test_connection__other_frames_between__are_the_librarys() -> None:
    async def test(listening: DirectConnection, dialled: DirectConnection) -> None:
        got: list[bytes] = []
        listening.on_data = got.append
        dialled.write_whole(b"one")
        async with asyncio.timeout(5):
            await (await dialled.ping())
            await dialled.send("text")
            assert await listening.recv() == "text"
        dialled.write_whole(b"two")
        await until(lambda: len(got) == 2)
        assert got == [b"one", b"two"]

    pair(test)


@pytest.mark.parametrize(
    "wrong",
    [
        head(MAX_FRAME_BYTES + 1, masked=False) + b"x",  # more than is ever read
        head(3, masked=True) + bytes(4) + b"abc",  # a listener does not mask
        b"\x82\x7f" + b"\xff" * 8,  # a length that does not exist
        b"\xf2\x01a",  # reserved bits
        b"\x87\x01a",  # an opcode that does not exist
    ],
)
def test_connection__wrong_frame__is_refused_by_the_library(wrong: bytes) -> None:
    async def test(listening: DirectConnection, dialled: DirectConnection) -> None:
        got: list[bytes] = []
        dialled.on_data = got.append
        dialled.data_received(wrong)
        dialled.data_received(bytes(100))
        with pytest.raises(ConnectionClosed):
            await dialled.recv()
        assert got == []

    pair(test)


def test_connection__closing__takes_no_more() -> None:
    async def test(listening: DirectConnection, dialled: DirectConnection) -> None:
        await dialled.close()
        dialled.write_whole(b"late")
        with pytest.raises(ConnectionClosed):
            await listening.recv()

    pair(test)
