"""One supervised local program: started, awaited, stopped or killed, and never outliving its parent."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

from anvil.errors import ProgramFailed

LEASH: Final = Path(__file__).with_name("leash.py")
GRACE_S: Final = 8.0
READY_TIMEOUT_S: Final = 30.0
READY_POLL_S: Final = 0.02
LOG_TAIL_BYTES: Final = 2_000


class LocalProgram:
    """A program with its own session and a log file, under a leash that dies with this process.

    ``pid`` is the leash's: SIGTERM to it ends the program gently, SIGKILL kills both at once (on Linux).
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str | Path],
        *,
        log: Path,
        cwd: Path | None = None,
        environment: Mapping[str, str] | None = None,
        user: str = "",
    ) -> None:
        self.name = name
        self.command = [str(part) for part in command]
        self.log = log
        self._cwd = cwd
        self._environment = environment
        self._user = user
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def running(self) -> bool:
        """True while the program has not ended."""
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int:
        """Process id to signal; ProgramFailed if it was never started."""
        return self._started().pid

    def start(self) -> None:
        """Start it; output is appended to the log. Starting a running program is an error in the caller."""
        if self.running:
            raise ProgramFailed(self.name, "is already running", "")
        self.log.parent.mkdir(parents=True, exist_ok=True)
        leash = [sys.executable, "-I", "-S", str(LEASH), str(os.getpid()), self._user, str(GRACE_S)]
        with self.log.open("ab") as output:
            self._process = subprocess.Popen(
                [*leash, *self.command],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=self._cwd,
                env=self._environment,
                start_new_session=True,
            )

    def wait_until(self, ready: Callable[[], bool], timeout_s: float = READY_TIMEOUT_S) -> None:
        """Block until ``ready()``.

        Raises:
            ProgramFailed: it ended, or was not ready within ``timeout_s`` (it is then killed).
        """
        deadline = time.monotonic() + timeout_s
        while not ready():
            code = self._started().poll()
            if code is not None:
                raise ProgramFailed(self.name, f"ended with code {code} before it was ready", self.log_tail())
            if time.monotonic() > deadline:
                self.kill()
                raise ProgramFailed(self.name, f"was not ready after {timeout_s:.0f} s", self.log_tail())
            time.sleep(READY_POLL_S)

    def stop(self) -> None:
        """End it gently, then by force; does nothing if it is not running."""
        if self._process is None or not self.running:
            return
        self._process.terminate()
        try:
            self._process.wait(timeout=2 * GRACE_S)
        except subprocess.TimeoutExpired:
            self.kill()

    def kill(self) -> None:
        """End it at once, as a crash would."""
        if self._process is None:
            return
        if self.running:
            self._process.send_signal(signal.SIGKILL)
        self._process.wait(timeout=GRACE_S)

    def log_tail(self) -> str:
        """The last ``LOG_TAIL_BYTES`` of what it printed."""
        try:
            with self.log.open("rb") as file:
                file.seek(max(0, self.log.stat().st_size - LOG_TAIL_BYTES))
                return file.read().decode("utf-8", "replace")
        except OSError:
            return ""

    def _started(self) -> "subprocess.Popen[bytes]":
        if self._process is None:
            raise ProgramFailed(self.name, "was never started", "")
        return self._process
