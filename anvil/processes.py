"""The process table of one local network: a file that says which processes belong to it.

Process ids are reused, so each entry carries the process's start time; an entry whose time differs is nobody.
"""

import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Final

import msgspec
import psutil

STOP_TIMEOUT_S: Final = 10.0
#: Start times are read from the kernel with this resolution, in seconds.
START_RESOLUTION_S: Final = 0.05


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One started process: ``started`` is its start time in Unix seconds."""

    name: str
    pid: int
    started: float
    command: list[str]
    log: str

    @property
    def process(self) -> psutil.Process | None:
        """The running process, or None when it has ended (a zombie has)."""
        try:
            process = psutil.Process(self.pid)
            same = abs(process.create_time() - self.started) <= START_RESOLUTION_S
            return process if same and process.status() != psutil.STATUS_ZOMBIE else None
        except psutil.NoSuchProcess:
            return None

    @property
    def running(self) -> bool:
        return self.process is not None


def entry_of(name: str, pid: int, command: Iterable[str], log: Path) -> Entry:
    """The entry of a process that was just started. Raises psutil.NoSuchProcess when it is gone already."""
    started = psutil.Process(pid).create_time()
    return Entry(name=name, pid=pid, started=started, command=list(command), log=str(log))


class ProcessTable:
    """Entries by name, written through to ``path`` at each change so that another command finds them."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._entries = {entry.name: entry for entry in _read(path)}

    def __iter__(self) -> Iterator[Entry]:
        return iter(list(self._entries.values()))

    def get(self, name: str) -> Entry | None:
        return self._entries.get(name)

    def put(self, entry: Entry) -> None:
        self._entries[entry.name] = entry
        self._write()

    def remove(self, names: Iterable[str]) -> None:
        for name in names:
            self._entries.pop(name, None)
        self._write()

    def _write(self) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        part = self._path.with_suffix(".part")
        part.write_bytes(msgspec.json.format(msgspec.json.encode(list(self._entries.values()))))
        part.replace(self._path)


def _read(path: Path) -> list[Entry]:
    try:
        return msgspec.json.decode(path.read_bytes(), type=list[Entry])
    except (OSError, msgspec.DecodeError):
        return []  # no table, or one that no process of ours wrote: nothing is known to run


def stop(entries: Iterable[Entry], timeout_s: float = STOP_TIMEOUT_S) -> list[str]:
    """Ask all processes to end at once, kill what is left after ``timeout_s``; returns the names that were
    killed."""
    running = [(entry, process) for entry in entries if (process := entry.process) is not None]
    for _, process in running:
        _ignore_gone(process.terminate)
    deadline = time.monotonic() + timeout_s
    psutil.wait_procs([process for _, process in running], timeout=max(0.0, deadline - time.monotonic()))
    left = [(entry, process) for entry, process in running if entry.running]
    for _, process in left:
        _ignore_gone(process.kill)
    psutil.wait_procs([process for _, process in left], timeout=timeout_s)
    return [entry.name for entry, _ in left]


def _ignore_gone(action: Callable[[], None]) -> None:
    try:
        action()
    except psutil.NoSuchProcess:
        return
