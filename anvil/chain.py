"""A local Ethereum chain: one Anvil process on a loopback port."""

import json
import secrets
import socket
import time
import urllib.error
import urllib.request
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Final

from anvil.errors import ProgramFailed
from anvil.program import LocalProgram
from anvil.toolchain import ensure_anvil

HOST: Final = "127.0.0.1"
PROBE_TIMEOUT_S: Final = 2.0
PORT_ATTEMPTS: Final = 3
PORT_RETRY_S: Final = 0.2
MAX_RPC_BYTES: Final = 1 << 20
#: Local chain ids lie between these: above the registered small ones, below the 2**53 of wallets.
CHAIN_ID_RANGE: Final = (10_000_000, 2**31)


def fresh_chain_id() -> int:
    """An id no wallet has seen: wallets cache nonces per chain id, so each fresh local chain gets its own."""
    low, high = CHAIN_ID_RANGE
    return low + secrets.randbelow(high - low)


def free_port() -> int:
    """A loopback TCP port that was free a moment ago; whoever uses it must be ready to lose the race."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port


@dataclass(frozen=True, slots=True, kw_only=True)
class AnvilOptions:
    """How a chain behaves.

    ``port`` 0 takes a free one. ``block_time_s`` None mines per transaction, a number mines on a clock.
    ``state_file`` keeps the chain over restarts and ``kill -9``, written every ``state_interval_s``.
    ``slots_in_an_epoch`` 1 lets the tags ``safe`` and ``finalized`` move; Anvil's default leaves them at 0.
    """

    chain_id: int
    port: int = 0
    block_time_s: int | None = None
    accounts: int = 10
    balance_ether: int = 10_000
    mnemonic: str | None = None
    state_file: Path | None = None
    state_interval_s: int = 2
    slots_in_an_epoch: int = 1

    def arguments(self) -> list[str]:
        """Anvil's command line for these options."""
        arguments = ["--silent", "--host", HOST, "--port", str(self.port), "--chain-id", str(self.chain_id)]
        arguments += ["--accounts", str(self.accounts), "--balance", str(self.balance_ether)]
        arguments += ["--slots-in-an-epoch", str(self.slots_in_an_epoch)]
        if self.block_time_s is not None:
            arguments += ["--block-time", str(self.block_time_s)]
        if self.mnemonic is not None:
            arguments += ["--mnemonic", self.mnemonic]
        if self.state_file is not None:
            arguments += ["--state", str(self.state_file), "--state-interval", str(self.state_interval_s)]
            arguments += ["--preserve-historical-states"]
        return arguments


class AnvilProcess:
    """Start, stop, kill and restart one chain; usable as a context manager.

    After the first start the port stays the same, so a restart is found under the same ``rpc_url``.
    """

    def __init__(self, options: AnvilOptions, *, log: Path) -> None:
        self.options = options
        self._log = log
        self._program: LocalProgram | None = None

    @property
    def chain_id(self) -> int:
        """The id this chain signs with."""
        return self.options.chain_id

    @property
    def rpc_url(self) -> str:
        """HTTP endpoint; known once the chain was started or a port was given."""
        return f"http://{HOST}:{self.options.port}"

    @property
    def running(self) -> bool:
        """True while the process lives."""
        return self._program is not None and self._program.running

    @property
    def pid(self) -> int:
        """Process id to signal; ProgramFailed if it was never started."""
        if self._program is None:
            raise ProgramFailed("anvil", "was never started", "")
        return self._program.pid

    def start(self) -> None:
        """Start and wait until the chain answers with its id.

        Raises:
            ToolchainError: no Anvil that fits; ProgramFailed: it did not become ready.
        """
        path = ensure_anvil().path
        given = self.options.port
        for attempt in range(1, PORT_ATTEMPTS + 1):
            self.options = replace(self.options, port=given or free_port())
            self._program = LocalProgram("anvil", [path, *self.options.arguments()], log=self._log)
            self._program.start()
            try:
                self._program.wait_until(self._answers)
            except ProgramFailed as error:
                # A free port may be lost to somebody else; a given one may be held by the chain just killed.
                if attempt == PORT_ATTEMPTS or "in use" not in error.log:
                    raise
                time.sleep(PORT_RETRY_S)
            else:
                return

    def stop(self) -> None:
        """End it gently, with its state written; does nothing if it is not running."""
        if self._program is not None:
            self._program.stop()

    def kill(self) -> None:
        """End it at once, as a crash would."""
        if self._program is not None:
            self._program.kill()

    def __enter__(self) -> "AnvilProcess":
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _answers(self) -> bool:
        body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "eth_chainId", "params": []}).encode()
        request = urllib.request.Request(
            self.rpc_url, data=body, headers={"content-type": "application/json"}
        )
        # Loopback is never asked through a proxy.
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(request, timeout=PROBE_TIMEOUT_S) as answer:
                reply = json.loads(answer.read(MAX_RPC_BYTES))
        except (urllib.error.URLError, OSError, ValueError):
            return False
        # Somebody else's chain on this port is not ours.
        return isinstance(reply, dict) and reply.get("result") == hex(self.chain_id)
