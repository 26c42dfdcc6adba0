"""New blocks, told by the endpoint as they come: ``eth_subscribe`` on the websocket beside its HTTP.

Only a bell: what it rings for is read and checked over HTTP as before, so an endpoint that pushes nothing, or
nonsense, costs time and no truth. Anvil and the large providers listen for both on one address.
"""

import json
import logging
import threading
from collections.abc import Callable
from typing import Final

from urllib3.util import parse_url
from websockets.exceptions import InvalidURI, WebSocketException
from websockets.sync.client import ClientConnection, connect

from protocol.chain.rpc import proxy_of

log = logging.getLogger(__name__)

QUIET_S: Final = 1.0
"""How long a follower waits at most while heads are pushed: what waits for something else than a block."""
LEAST_S: Final = 0.05
"""Between two rings: a burst of blocks is read together."""
RETRY_S: Final = 1.0
RETRY_MAX_S: Final = 60.0
OPEN_TIMEOUT_S: Final = 5.0
CLOSE_TIMEOUT_S: Final = 0.2
JOIN_TIMEOUT_S: Final = 1.0
MAX_MESSAGE_BYTES: Final = 1 << 16
_SUBSCRIBE: Final = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "eth_subscribe", "params": ["newHeads"]})


class HeadBell:
    """Calls ``ring`` in a thread of its own for each block, and when a connection came or went. ``pushing``
    says whether blocks are told at present; when not, whoever follows the chain has to ask often."""

    def __init__(self, rpc_url: str, ring: Callable[[], object]) -> None:
        self._url = socket_url(rpc_url)
        self._proxy = proxy_of(rpc_url)
        self._ring = ring
        self._stopping = threading.Event()
        self._connection: ClientConnection | None = None
        self._thread = threading.Thread(target=self._run, name="heads", daemon=True)
        self._retry_s = RETRY_S
        self.pushing = False

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """End the thread, and wait for it JOIN_TIMEOUT_S at most: one that connects just now ends later."""
        self._stopping.set()
        connection = self._connection
        if connection is not None:
            connection.close()
        if self._thread.is_alive():
            self._thread.join(JOIN_TIMEOUT_S)

    def pause_s(self, asking_s: float) -> float:
        """How long to wait for the bell, when ``asking_s`` is the pause without one."""
        return max(QUIET_S, asking_s) if self.pushing else asking_s

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                self._listen()
            except InvalidURI:
                return
            except (OSError, WebSocketException, ValueError, ImportError, RecursionError) as error:
                self._retry_s = min(2 * self._retry_s, RETRY_MAX_S)
                log.debug("no blocks are pushed: %s", error)
            self._stopping.wait(self._retry_s)

    def _listen(self) -> None:
        """Until the connection ends, which is an exception unless we ended it."""
        with connect(
            self._url,
            open_timeout=OPEN_TIMEOUT_S,
            close_timeout=CLOSE_TIMEOUT_S,
            max_size=MAX_MESSAGE_BYTES,
            compression=None,
            proxy=self._proxy,
        ) as connection:
            self._connection = connection
            try:
                if self._stopping.is_set():
                    return
                connection.send(_SUBSCRIBE)
                if "result" not in _object(connection.recv(OPEN_TIMEOUT_S)):
                    raise ValueError("it offers no subscriptions")
                self.pushing, self._retry_s = True, RETRY_S
                self._ring()
                for _ in connection:
                    self._ring()
                    if self._stopping.wait(LEAST_S):
                        return
            finally:
                self._connection, self.pushing = None, False
                self._ring()


def socket_url(rpc_url: str) -> str:
    """The websocket at the address of an HTTP endpoint."""
    url = parse_url(rpc_url)
    return url._replace(scheme="wss" if url.scheme == "https" else "ws").url


def _object(message: str | bytes) -> dict[str, object]:
    found = json.loads(message)
    if not isinstance(found, dict):
        raise ValueError("it does not answer like a chain")
    return found
