"""The coordinator's word is a convenience: any answer, or none, leaves `pot task watch` working."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import ClassVar

import pytest

from pot.dispatch import Dispatch, read_dispatch
from protocol.ids import TaskId


class Coordinator(BaseHTTPRequestHandler):
    """Answers every request with ``answer``."""

    answer: ClassVar[bytes] = b""

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(self.answer)

    def log_message(self, *_: object) -> None:
        """Quiet."""


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    server = HTTPServer(("127.0.0.1", 0), Coordinator)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join(timeout=5)


def test_dispatch__coordinator_answers__says_what_is_computed(url: str) -> None:
    Coordinator.answer = json.dumps({"summary": {"round": 7, "note": "waits for miners"}}).encode()
    assert read_dispatch(url, TaskId(1)) == Dispatch(computed=7, note="waits for miners")


@pytest.mark.parametrize(
    "answer", [b"", b"[]", b"null", b'{"summary": 3}', b'{"summary": {"round": "x"}}', b"\xff"]
)
def test_dispatch__nonsense__is_no_answer(url: str, answer: bytes) -> None:
    Coordinator.answer = answer
    assert read_dispatch(url, TaskId(1)) is None


@pytest.mark.parametrize("nowhere", [None, "http://127.0.0.1:1", "file:///etc/passwd", "nonsense"])
def test_dispatch__nobody_there__is_no_answer(nowhere: str | None) -> None:
    assert read_dispatch(nowhere, TaskId(1)) is None
