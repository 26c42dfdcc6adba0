"""``python -m tests.simulation.many --count N [--first SEED] [--slice N] [--processes N] [--results FILE]``

Simulates many scenarios, slice by slice, in several processes. With ``--results`` each finished slice is one
line of JSON there, and a later run leaves out what is there already. Exit code 0: no promise was broken.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path

ROOT = Path(__file__).parents[2]
SLICE = 2_500
SLICE_TIMEOUT_S = 1_800


@dataclass(frozen=True, slots=True, kw_only=True)
class Slice:
    """What came out of the scenarios ``first`` to ``first + count - 1``. ``broken`` is empty when every
    promise was kept; ``cpu_s`` are processor seconds with the start of the process, ``wall_s`` seconds."""

    first: int
    count: int
    broken: str
    cpu_s: float
    wall_s: float


def run_slice(first: int, count: int, n: int | None) -> Slice:
    """One slice in a process of its own. Raises RuntimeError when that process itself fails."""
    command = [sys.executable, "-m", "tests.simulation.hunt", "--first", str(first), "--count", str(count)]
    command += [] if n is None else ["--n", str(n)]
    started = time.monotonic()
    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=SLICE_TIMEOUT_S, check=False
    )
    told = done.stdout.strip().splitlines()
    if done.returncode not in (0, 1) or not told:
        raise RuntimeError(f"slice {first} failed: {done.stderr[-2000:]}")
    return Slice(
        first=first,
        count=count,
        broken=told[0] if done.returncode == 0 else "",
        cpu_s=float(told[-1].split()[0]),
        wall_s=round(time.monotonic() - started, 2),
    )


def run_slices(slices: Iterable[tuple[int, int]], processes: int, n: int | None = None) -> Iterator[Slice]:
    """All of them, as they end. After the first broken promise no further slice is begun."""
    with ThreadPoolExecutor(processes) as pool:
        todo = iter(slices)
        running = [pool.submit(run_slice, *one, n) for one in islice(todo, processes)]
        while running:
            done = running.pop(0).result()
            following = next(todo, None) if not done.broken else None
            if following is not None:
                running.append(pool.submit(run_slice, *following, n))
            yield done


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, required=True)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--slice", type=int, default=SLICE)
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--results", type=Path)
    parser.add_argument("--n", type=int)
    arguments = parser.parse_args()
    results: list[Slice] = []
    if arguments.results is not None and arguments.results.exists():
        results = [Slice(**json.loads(line)) for line in arguments.results.read_text().splitlines()]
    known = {(one.first, one.count) for one in results}
    last = arguments.first + arguments.count
    slices = [
        (first, min(arguments.slice, last - first)) for first in range(arguments.first, last, arguments.slice)
    ]
    for done in run_slices((one for one in slices if one not in known), arguments.processes, arguments.n):
        results.append(done)
        if arguments.results is not None:
            with arguments.results.open("a") as file:
                file.write(json.dumps(asdict(done)) + "\n")
        if done.broken:
            print(done.broken, flush=True)
    count, cpu_s = sum(one.count for one in results), sum(one.cpu_s for one in results)
    broken = sum(bool(one.broken) for one in results)
    print(f"{count} scenarios, {broken} broken promises, {cpu_s:.0f} processor seconds")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
