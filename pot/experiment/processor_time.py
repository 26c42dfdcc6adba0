"""Processor time of the programs of a local network, user and system, with what their children took."""

from collections.abc import Iterable

import psutil

from anvil.processes import Entry


def processor_s(entries: Iterable[Entry]) -> dict[str, float]:
    """Seconds so far of each program that runs, by name."""
    found = {}
    for entry in entries:
        process = entry.process
        if process is not None:
            found[entry.name] = _with_children(process)
    return found


def spent(before: dict[str, float], after: dict[str, float]) -> dict[str, float]:
    """What each program took between two readings; one that started anew counts from its start."""
    return {name: now - before.get(name, 0.0) for name, now in after.items()}


def by_role(seconds: dict[str, float]) -> dict[str, float]:
    """The sums over programs that differ by a number alone: ``miner-1`` and ``miner-2`` are ``miner``."""
    roles: dict[str, float] = {}
    for name, value in seconds.items():
        role = name.rstrip("0123456789").rstrip("-")
        roles[role] = roles.get(role, 0.0) + value
    return roles


def _with_children(process: psutil.Process) -> float:
    total = 0.0
    for one in (process, *process.children(recursive=True)):
        try:
            times = one.cpu_times()
        except psutil.NoSuchProcess:
            continue
        total += times.user + times.system
        if one.pid == process.pid:
            # Those that ended and were waited for.
            total += times.children_user + times.children_system
    return total
