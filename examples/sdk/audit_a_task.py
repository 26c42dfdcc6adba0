"""Believe nobody: ``python audit_a_task.py 1``. Exit status 1 names the first lie."""

import sys

from pot import Client
from pot.settings import load_settings
from protocol.ids import TaskId


def main(number: int) -> int:
    report = Client(load_settings()).audit(TaskId(number))
    for line in report.lines:
        print("ok " if line.ok else "LIE", line.subject, line.detail)
    print(f"{report.rounds_replayed} of {report.rounds_certified} rounds were re-executed")
    return 0 if report.ok else 1


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1])))
