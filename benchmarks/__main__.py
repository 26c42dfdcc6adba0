"""Every published figure, one benchmark after another: ``python -m benchmarks [NAME ...]``.

Each is a program of its own (``python -m benchmarks.NAME --help``); this runs them with their defaults. Exit
status 1 when one of them misses a figure or fails.
"""

import os
import pkgutil
import platform
import subprocess
import sys
from pathlib import Path

TIMEOUT_S = 3600


def names() -> list[str]:
    """The benchmarks there are."""
    found = pkgutil.iter_modules([str(Path(__file__).parent)])
    return sorted(module.name for module in found if not module.name.startswith("_"))


def main(wanted: list[str]) -> int:
    unknown = sorted(set(wanted) - set(names()))
    if unknown:
        print(f"There is no benchmark {unknown[0]}; there are: {', '.join(names())}.", file=sys.stderr)
        return 2
    print(f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}")
    failed = []
    for name in wanted or names():
        print(f"\n== {name}", flush=True)
        if subprocess.run(
            [sys.executable, "-m", f"benchmarks.{name}"], timeout=TIMEOUT_S, check=False
        ).returncode:
            failed.append(name)
    if failed:
        print(f"\nmissed or failed: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
