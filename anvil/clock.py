"""A few empty blocks after the last transaction: ``python -m anvil.clock URL``.

A local chain mines when a transaction comes, and then stands still; a public one goes on by itself. A
committee is drawn with the hash of a block to come, so a chain that stands still would leave it undrawn. A
chain that mined for ever would fill the disk of a network that stays.
"""

import json
import signal
import sys
import threading
import urllib.error
import urllib.request
from typing import Any, Final

TICK_S: Final = 0.5
QUIET_BLOCKS: Final = 4
"""Empty blocks after a transaction: a draw needs the second block after the task's, and is sent after the
third; one to spare."""
TIMEOUT_S: Final = 5.0
MAX_ANSWER_BYTES: Final = 1 << 24


class Chain:
    """What the clock asks of an Anvil; None when it does not answer."""

    def __init__(self, rpc_url: str) -> None:
        self._url = rpc_url
        # Loopback is never asked through a proxy.
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def ask(self, method: str, *params: Any) -> Any:
        """The result of one call, or None."""
        body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).encode()
        headers = {"content-type": "application/json"}
        request = urllib.request.Request(self._url, data=body, headers=headers)
        try:
            with self._opener.open(request, timeout=TIMEOUT_S) as answer:
                reply = json.loads(answer.read(MAX_ANSWER_BYTES))
        except (urllib.error.URLError, OSError, ValueError):
            return None
        return reply.get("result") if isinstance(reply, dict) else None


class Clock:
    """Mines an empty block when the chain stood still since the last tick, QUIET_BLOCKS in a row at most."""

    def __init__(self, chain: Chain) -> None:
        self._chain = chain
        self._seen = ""
        self._empty = 0

    def tick(self) -> bool:
        """Look at the newest block; whether one was mined."""
        block = self._chain.ask("eth_getBlockByNumber", "latest", False)
        if not isinstance(block, dict):
            return False
        moved, self._seen = block["hash"] != self._seen, block["hash"]
        if block["transactions"]:
            self._empty = 0
        if moved or self._empty >= QUIET_BLOCKS:
            return False
        self._empty += 1
        self._chain.ask("evm_mine")
        mined = self._chain.ask("eth_getBlockByNumber", "latest", False)
        if isinstance(mined, dict) and not mined["transactions"]:
            self._seen = mined["hash"]
        return True


def run(rpc_url: str) -> int:
    """Tick until SIGTERM or SIGINT; returns 0."""
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    clock = Clock(Chain(rpc_url))
    while not ended.wait(TICK_S):
        clock.tick()
    return 0


if __name__ == "__main__":
    sys.exit(run(sys.argv[1]))
