"""Starts programs, watches them, kills and restarts them on request; one log file for each."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import psutil

from anvil.errors import ProgramFailed
from anvil.processes import STOP_TIMEOUT_S, Entry, ProcessTable, entry_of, stop

POLL_S: Final = 0.05
LOG_TAIL_BYTES: Final = 4_000
LAST_LINES: Final = 2
LAST_WORDS_CHARS: Final = 400
_WRAPPER: Final = Path(__file__).with_name("die_with_parent.py")


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """A command line and the environment it gets beside the inherited one. Secrets are named by files,
    never here."""

    name: str
    command: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Exited:
    """A program that ended; ``code`` is its exit status, negative for a signal, None where nobody could
    ask."""

    name: str
    code: int | None


class Supervisor:
    """The programs of one network under ``folder``. With ``attached`` they die with this process, else they
    live in sessions of their own until ``stop``. To be used from one thread that outlives them: the kernel
    ties an attached program to the thread that started it."""

    def __init__(self, folder: Path, *, attached: bool) -> None:
        self._logs = folder / "logs"
        self._attached = attached
        self._programs: dict[str, Program] = {}
        self._children: dict[str, subprocess.Popen[bytes]] = {}
        self.table = ProcessTable(folder / "processes.json")

    def start(self, program: Program) -> int:
        """Start it and return its process id. Raises ProgramFailed when it cannot be executed or runs
        already."""
        entry = self.table.get(program.name)
        if entry is not None and entry.running:
            raise ProgramFailed(program.name, f"runs already (process {entry.pid})", "nothing was started")
        self._logs.mkdir(parents=True, exist_ok=True)
        log = self.log_path(program.name)
        wrapper = (sys.executable, "-I", "-S", str(_WRAPPER), str(os.getpid())) if self._attached else ()
        try:
            with log.open("ab") as output:
                child = subprocess.Popen(
                    (*wrapper, *program.command),
                    env={**inherited_environment(), **program.environment},
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    # Also attached ones: Ctrl-C on the terminal reaches the supervisor, which stops them in
                    # order.
                    start_new_session=True,
                )
        except OSError as error:
            raise ProgramFailed(program.name, f"cannot be executed ({error})", "") from error
        self._programs[program.name], self._children[program.name] = program, child
        self.table.put(entry_of(program.name, child.pid, program.command, log))
        return child.pid

    def kill(self, name: str) -> int:
        """``kill -9`` and reap; returns the process id. Raises ProgramFailed when it does not run."""
        entry = self._running(name)
        process = entry.process
        if process is not None:
            process.kill()
        self._children[name].wait(timeout=10)
        return entry.pid

    def restart(self, name: str) -> int:
        """Start a program again that ended, exactly as before."""
        return self.start(self._programs[name])

    def exited(self) -> list[Exited]:
        """Programs of this supervisor that are not running."""
        return [
            Exited(name=name, code=child.returncode)
            for name, child in self._children.items()
            if child.poll() is not None
        ]

    def wait_until(self, name: str, ready: Callable[[], bool], timeout_s: float) -> None:
        """Return once ``ready()``; it must answer fast. Raises ProgramFailed, with the end of the log, when
        the program ends first or ``timeout_s`` passes."""
        deadline = time.monotonic() + timeout_s
        while not ready():
            if (code := self._children[name].poll()) is not None:
                raise ProgramFailed(
                    name, f"ended with status {code} before it was ready", self.last_words(name)
                )
            if time.monotonic() > deadline:
                raise ProgramFailed(name, f"was not ready within {timeout_s:.0f} s", self.last_words(name))
            time.sleep(POLL_S)

    def stop(self, but: Iterable[str] = (), grace_s: float = STOP_TIMEOUT_S) -> list[str]:
        """End everything in the table except ``but``, by force after ``grace_s``; returns the names that had
        to be killed."""
        kept = frozenset(but)
        ending = [entry for entry in self.table if entry.name not in kept]
        killed = stop(ending, grace_s)
        for entry in ending:
            child = self._children.pop(entry.name, None)
            if child is not None:
                child.poll()
        self.table.remove([entry.name for entry in ending])
        return killed

    def peak_memory(self) -> dict[str, int]:
        """The most resident memory, in bytes, that each running program has had so far."""
        running = ((entry.name, entry.process) for entry in self.table)
        return {name: peak_memory(process.pid) for name, process in running if process is not None}

    def log_path(self, name: str) -> Path:
        return self._logs / f"{name}.log"

    def log_tail(self, name: str) -> str:
        """The last few thousand bytes a program said."""
        return tail(self.log_path(name), LOG_TAIL_BYTES)

    def last_words(self, name: str) -> str:
        """The last few lines a program said: what a sentence about its end can carry."""
        lines = [line.strip() for line in self.log_tail(name).splitlines() if line.strip()]
        return " | ".join(lines[-LAST_LINES:])[-LAST_WORDS_CHARS:]

    def _running(self, name: str) -> Entry:
        entry = self.table.get(name)
        if entry is None or name not in self._children or not entry.running:
            raise ProgramFailed(name, "does not run", self.last_words(name))
        return entry


def inherited_environment() -> dict[str, str]:
    """This process's environment without the settings of its user: a network gets its own."""
    return {name: value for name, value in os.environ.items() if not name.startswith("POT_")}


def peak_memory(pid: int) -> int:
    """The most resident memory of a process so far, in bytes; where the kernel keeps no peak, what it has
    now.
    """
    try:
        status = Path(f"/proc/{pid}/status").read_text("utf-8")
        return next(int(line.split()[1]) << 10 for line in status.splitlines() if line.startswith("VmHWM"))
    except (OSError, StopIteration):
        pass
    try:
        return int(psutil.Process(pid).memory_info().rss)
    except psutil.NoSuchProcess:
        return 0


def tail(path: Path, size: int) -> str:
    """The last ``size`` bytes of a file as text; empty when there is none."""
    try:
        with path.open("rb") as file:
            file.seek(0, os.SEEK_END)
            file.seek(max(0, file.tell() - size))
            return file.read().decode("utf-8", "replace")
    except OSError:
        return ""
