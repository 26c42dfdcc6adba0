"""How long `pot --help` takes in a fresh process. Run: ``python benchmarks/help_time.py``."""

import json
import statistics
import subprocess
import sys
import time
from typing import Final

RUNS: Final = 15
LIMIT_S: Final = 0.5


def seconds() -> float:
    """One fresh process, from start to end."""
    start = time.perf_counter()
    subprocess.run([sys.executable, "-m", "pot", "--help"], check=True, stdout=subprocess.DEVNULL, timeout=60)
    return time.perf_counter() - start


def main() -> int:
    """Print median and worst of RUNS; exit status 1 when the median is over LIMIT_S."""
    seconds()  # the first run writes byte code
    times = [seconds() for _ in range(RUNS)]
    median = statistics.median(times)
    print(
        json.dumps(
            {"runs": RUNS, "median_s": round(median, 3), "worst_s": round(max(times), 3), "limit_s": LIMIT_S}
        )
    )
    return 0 if median <= LIMIT_S else 1


if __name__ == "__main__":
    sys.exit(main())
