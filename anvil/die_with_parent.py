"""Run a program that the kernel kills when the process that started it ends, however that one ends.

``python -I -S die_with_parent.py PARENT_PID PROGRAM ARGUMENT...`` becomes PROGRAM: the process keeps its
id. The request is made after the fork and before the exec, in a process with one thread; doing it in the
parent's ``preexec_fn`` could deadlock on locks that other threads hold."""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def main() -> None:
    """Replace this process by the program in ``sys.argv[2:]``."""
    parent = int(sys.argv[1])
    if sys.platform == "linux":
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0) != 0:
            sys.exit(f"prctl: {os.strerror(ctypes.get_errno())}")
    if os.getppid() != parent:
        sys.exit("the process that wanted this program has ended")
    os.execvp(sys.argv[2], sys.argv[2:])


if __name__ == "__main__":
    main()
