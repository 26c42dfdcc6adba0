"""Endpoints that nobody answers at, and what is sent to those where somebody does."""

import base64
import http.server
import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from protocol.chain.rpc import RpcEndpoint, proxy_of
from protocol.errors import ServiceUnreachable


@contextmanager
def chain(
    answer: bytes = b'{"jsonrpc":"2.0","id":1,"result":"0x7"}',
) -> Iterator[tuple[int, list[tuple[str, object]]]]:
    """A server on loopback: its port, and (authorization, body) of each request."""
    seen: list[tuple[str, object]] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            seen.append((self.headers.get("Authorization") or "", json.loads(body)))
            self.send_response(200)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *args: object) -> None:
            pass

    listener = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=listener.serve_forever, args=(0.01,), daemon=True).start()
    try:
        yield listener.server_port, seen
    finally:
        listener.shutdown()
        listener.server_close()


def test_call__posts_json_rpc__and_credentials_only_where_the_url_has_some() -> None:
    with chain() as (port, seen):
        assert RpcEndpoint(f"http://127.0.0.1:{port}", 2.0).call("eth_chainId", [])["result"] == "0x7"
        RpcEndpoint(f"http://me:secret@127.0.0.1:{port}/v1", 2.0).call("eth_call", [1, "a"])
    assert seen[0] == ("", {"jsonrpc": "2.0", "id": 1, "method": "eth_chainId", "params": []})
    assert seen[1][0] == "Basic " + base64.b64encode(b"me:secret").decode()


def test_call__numbers_its_requests() -> None:
    with chain() as (port, seen):
        endpoint = RpcEndpoint(f"http://127.0.0.1:{port}", 2.0)
        for _ in range(3):
            endpoint.call("eth_blockNumber", [])
    assert [body["id"] for _, body in seen] == [1, 2, 3]  # type: ignore[index]


def test_call__nobody_listens__is_unreachable() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    with pytest.raises(ServiceUnreachable, match="connection refused or cut"):
        RpcEndpoint(f"http://127.0.0.1:{port}", 2.0).call("eth_chainId", [])


def test_call__no_answer__ends_in_time() -> None:
    with socket.create_server(("127.0.0.1", 0)) as mute:
        endpoint = RpcEndpoint(f"http://127.0.0.1:{mute.getsockname()[1]}", 0.2)
        with pytest.raises(ServiceUnreachable, match="no answer in time"):
            endpoint.call("eth_chainId", [])


@pytest.mark.parametrize("url", ["http://127.0.0.1:99999", "http://[::1", "nonsense"])
def test_endpoint__that_is_no_address__says_so(url: str) -> None:
    with pytest.raises(ServiceUnreachable, match="that is no address"):
        RpcEndpoint(url, 0.2)


def test_endpoint__behind_a_proxy__asks_the_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    with chain() as (port, seen):
        monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{port}")
        monkeypatch.setenv("no_proxy", "")
        RpcEndpoint("http://chain.invalid", 2.0).call("eth_chainId", [])
    assert len(seen) == 1


@pytest.mark.parametrize("exempt", ["127.0.0.1", "127.0.0.0/8"])
def test_proxy__of_an_exempt_address__is_none(monkeypatch: pytest.MonkeyPatch, exempt: str) -> None:
    monkeypatch.setenv("http_proxy", "http://proxy.invalid:3128")
    monkeypatch.setenv("no_proxy", exempt)
    assert proxy_of("http://127.0.0.1:8545") is None
    assert proxy_of("http://10.1.2.3:8545") == "http://proxy.invalid:3128"


def test_call__by_several_threads__keeps_their_connections() -> None:
    with chain() as (port, seen):
        endpoint = RpcEndpoint(f"http://127.0.0.1:{port}", 5.0)
        threads = [threading.Thread(target=endpoint.call, args=("eth_chainId", [])) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(seen) == 8
