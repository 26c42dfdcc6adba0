"""Blob gateways and chain endpoints that break off, answer nonsense, or hold damaged files."""

import http.server
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from protocol.blobs import BlobCorrupt, BlobTooLarge, open_blob_store
from protocol.chain.client import ChainClient
from protocol.errors import ServiceUnreachable, VerificationFailed
from protocol.ids import sha256


@contextmanager
def server(answer: bytes) -> Iterator[str]:
    """An HTTP endpoint that answers every request with these raw bytes and hangs up."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def handle_one_request(self) -> None:
            self.rfile.readline()
            while self.rfile.readline().strip():
                pass
            self.wfile.write(answer)
            self.close_connection = True

    listener = http.server.HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=listener.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.server_port}"
    finally:
        listener.shutdown()
        listener.server_close()


def body(text: bytes, status: bytes = b"200 OK", length: int | None = None) -> bytes:
    size = len(text) if length is None else length
    return b"HTTP/1.1 %s\r\nContent-Length: %d\r\n\r\n%s" % (status, size, text)


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"nonsense\r\n\r\n",
        body(b"<html>not a chain</html>"),
        body(b"[]"),
        body(b"{}"),
        body(b"null"),
        body(b"7"),
        body(b"[" * 200_000),
        body(b'{"jsonrpc":"2.0","id":0,"result":"0x1"}', length=400),
        body(b'{"jsonrpc":"2.0","id":0,"result":{}}'),
        body(b'{"jsonrpc":"2.0","id":0,"result":"zzz"}'),
        body(b"busy", status=b"503 Service Unavailable"),
        body(b"slow down", status=b"429 Too Many Requests"),
    ],
)
def test_chain__endpoint_that_is_no_chain__is_unreachable_not_a_crash(answer: bytes) -> None:
    with server(answer) as url:
        client = ChainClient(url, timeout_s=2)
        with pytest.raises(ServiceUnreachable, match="the chain"):
            client.chain_id()
        with pytest.raises(ServiceUnreachable, match="the chain"):
            client.block()


def test_chain__nobody_listens__is_unreachable_with_exit_code_3() -> None:
    client = ChainClient("http://127.0.0.1:9", timeout_s=2)
    with pytest.raises(ServiceUnreachable, match=r"127\.0\.0\.1:9") as caught:
        client.block()
    assert caught.value.exit_code == 3


@pytest.mark.parametrize("answer", [b"", b"nonsense\r\n\r\n", body(b"hel", length=5)])
def test_blob_gateway__breaks_off__is_unreachable_not_a_crash(answer: bytes) -> None:
    with server(answer) as url, pytest.raises(ServiceUnreachable, match="blob gateway"):
        open_blob_store(url).get(sha256(b"hello"))


def test_blob_gateway__other_bytes__are_named_as_corrupt() -> None:
    with server(body(b"hullo")) as url, pytest.raises(BlobCorrupt, match=sha256(b"hello").hex()):
        open_blob_store(url).get(sha256(b"hello"))
    assert issubclass(BlobCorrupt, VerificationFailed)


def test_blob_gateway__ten_gigabytes_announced__is_refused_before_a_byte_is_read() -> None:
    """Of a body that never comes, nothing is waited for."""
    with (
        server(body(b"", length=10 << 30)) as url,
        pytest.raises(BlobTooLarge, match=rf"{10 << 30} bytes exceed the limit of 1024"),
    ):
        open_blob_store(url).get(sha256(b"hello"), 1024)


def test_blob_gateway__more_than_allowed_unannounced__is_read_up_to_the_limit() -> None:
    endless = b"HTTP/1.1 200 OK\r\n\r\n" + bytes(1 << 20)
    with server(endless) as url, pytest.raises(BlobTooLarge, match="limit of 1024"):
        open_blob_store(url).get(sha256(b"hello"), 1024)


def test_blob_store__truncated_file__is_healed_by_the_next_put(tmp_path: Path) -> None:
    """A power cut can leave an empty file under the right name; storing the blob again must mend it."""
    store = open_blob_store(tmp_path.as_uri())
    name = store.put(b"hello")
    (tmp_path / name.hex()[:2] / name.hex()).write_bytes(b"")
    assert store.put(b"hello") == name
    assert store.get(name) == b"hello"
