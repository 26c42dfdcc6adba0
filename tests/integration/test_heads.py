"""Blocks that a real Anvil pushes, and followers of endpoints that push none."""

import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest
from websockets.sync.server import ServerConnection, serve

from anvil.chain import AnvilOptions, AnvilProcess, fresh_chain_id
from protocol.chain.client import ChainClient
from protocol.chain.heads import QUIET_S, HeadBell, socket_url

SOON_S = 30.0


def eventually(true: Callable[[], bool]) -> None:
    end = time.monotonic() + SOON_S
    while not true():
        assert time.monotonic() < end, "nothing happened"
        time.sleep(0.01)


class Listener:
    """Counts rings."""

    def __init__(self, rpc_url: str) -> None:
        self.rings = 0
        self.bell = HeadBell(rpc_url, self._ring)
        self.bell.start()

    def rang_after(self, rings: int) -> bool:
        return self.rings > rings

    def _ring(self) -> None:
        self.rings += 1


@pytest.fixture
def anvil(tmp_path: Path) -> Iterator[AnvilProcess]:
    with AnvilProcess(AnvilOptions(chain_id=fresh_chain_id()), log=tmp_path / "anvil.log") as chain:
        yield chain


def test_bell__rings_for_every_block__and_stops_at_once(anvil: AnvilProcess) -> None:
    listener, client = Listener(anvil.rpc_url), ChainClient(anvil.rpc_url)
    eventually(lambda: listener.bell.pushing)
    for rings in range(listener.rings, listener.rings + 3):
        client.rpc("evm_mine")
        eventually(partial(listener.rang_after, rings))
    began = time.monotonic()
    listener.bell.stop()
    assert time.monotonic() - began < SOON_S / 2
    eventually(lambda: not listener.bell.pushing)


def test_bell__of_a_node_that_goes_and_comes_back__rings_again(tmp_path: Path) -> None:
    options = AnvilOptions(chain_id=fresh_chain_id())
    with AnvilProcess(options, log=tmp_path / "first.log") as first:
        url = first.rpc_url
        listener = Listener(url)
        eventually(lambda: listener.bell.pushing)
    eventually(lambda: not listener.bell.pushing)
    before = listener.rings
    port = int(url.rsplit(":", 1)[1])
    with AnvilProcess(AnvilOptions(chain_id=options.chain_id, port=port), log=tmp_path / "second.log"):
        eventually(lambda: listener.bell.pushing and listener.rings > before)
        listener.bell.stop()


@pytest.mark.parametrize("answer", ['{"id":1,"error":{"code":-32601}}', "[]", "nonsense", '"words"'])
def test_bell__of_a_node_without_subscriptions__is_not_relied_on(answer: str) -> None:
    def handle(connection: ServerConnection) -> None:
        connection.recv()
        connection.send(answer)
        connection.recv()

    with serve(handle, "127.0.0.1", 0) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        listener = Listener(f"http://127.0.0.1:{server.socket.getsockname()[1]}")
        eventually(lambda: listener.rings > 0)
        assert not listener.bell.pushing
        assert listener.bell.pause_s(0.1) == 0.1
        listener.bell.stop()
        server.shutdown()


def test_pause__is_long_only_while_heads_are_pushed(anvil: AnvilProcess) -> None:
    listener = Listener(anvil.rpc_url)
    eventually(lambda: listener.bell.pushing)
    assert listener.bell.pause_s(0.1) == QUIET_S
    assert listener.bell.pause_s(7.0) == 7.0
    listener.bell.stop()
    assert listener.bell.pause_s(0.1) == 0.1


@pytest.mark.parametrize(
    ("rpc", "socket"),
    [
        ("http://127.0.0.1:8545", "ws://127.0.0.1:8545"),
        ("https://node.example/v2/key", "wss://node.example/v2/key"),
        ("https://me:word@node.example", "wss://me:word@node.example"),
    ],
)
def test_socket_url__is_the_endpoint_s_own(rpc: str, socket: str) -> None:
    assert socket_url(rpc) == socket
