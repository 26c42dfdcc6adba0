"""Run one program and end it when the process that asked for it is gone. Standard library; run as a file.

usage: python leash.py PARENT_PID USER GRACE_S PROGRAM [ARGUMENT ...]      (USER "" = stay who we are)

The leash has one thread. That matters: Linux sends the parent-death signal when the *thread* that started a
child ends, so a program started from a worker thread could not rely on it; the leash's child can. Killing the
leash with -9 therefore kills the program, and the death of the leash's own parent is seen by polling.
"""

import contextlib
import ctypes
import os
import select
import signal
import socket
import subprocess
import sys

POLL_S = 0.2
PR_SET_PDEATHSIG = 1


def _die_with_leash() -> None:
    # Runs between fork and exec, after a change of user: that change would clear the setting.
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def _end(child: "subprocess.Popen[bytes]", grace_s: float) -> None:
    child.terminate()
    try:
        child.wait(timeout=grace_s)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait(timeout=grace_s)


def main(argv: list[str]) -> int:
    """The program's exit code; 128 + number for one that a signal ended, as shells say it."""
    parent, user, grace_s, command = int(argv[0]), argv[1], float(argv[2]), argv[3:]
    reader, writer = socket.socketpair()
    reader.setblocking(False)
    writer.setblocking(False)
    signal.set_wakeup_fd(writer.fileno(), warn_on_full_buffer=False)
    asked_to_end = False

    def on_end(_number: int, _frame: object) -> None:
        nonlocal asked_to_end
        asked_to_end = True

    signal.signal(signal.SIGTERM, on_end)
    signal.signal(signal.SIGINT, on_end)
    signal.signal(signal.SIGCHLD, lambda _number, _frame: None)  # wakes the select below
    child = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        user=user or None,
        extra_groups=[] if user else None,
        preexec_fn=_die_with_leash,  # noqa: PLW1509 - this process has one thread
    )
    while child.poll() is None:
        if asked_to_end or os.getppid() != parent:
            _end(child, grace_s)
            break
        select.select([reader], [], [], POLL_S)
        with contextlib.suppress(BlockingIOError):
            reader.recv(64)
    code = child.returncode
    return code if code >= 0 else 128 - code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
