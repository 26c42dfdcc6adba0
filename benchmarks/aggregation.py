"""Robust aggregation against ByzFL 0.0.11: ``python -m benchmarks.aggregation [--n 16 64] [--size 1000000]``.

ByzFL is no dependency; put it on the path: ``python -m pip install --no-deps --target FOLDER byzfl==0.0.11``,
then ``PYTHONPATH=FOLDER``. Everything runs in one process, ByzFL and ours by turns, on the same float32
matrix; ByzFL counts with what it is faster with, a numpy array or a torch tensor. ``--allocator tuned`` keeps
freed memory in the process, for both; by default the C library returns large blocks at once.
On one thread times are CPU time, so that waiting for a core that others use does not count. ``--threads 2``
gives two to the kernels of numpy and torch, whoever calls them, and to our sorting; times are then those of a
clock. ``--rules`` measures some rules alone (``median``, or ``"nnm + median"``). Prints one JSON line a rule,
medians in milliseconds, then the geometric means of the ratios.
"""

import argparse
import importlib.util
import json
import os
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from protocol.aggregation import Aggregation
from tests.vectors.byzfl_import import byzfl_aggregators
from worker.training.aggregate import aggregate
from worker.training.aggregate_fast import fast_aggregate

Matrix = NDArray[np.float32]

THREADS: Final = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
TUNED: Final = {"MALLOC_MMAP_THRESHOLD_": str(1 << 34), "MALLOC_TRIM_THRESHOLD_": str(1 << 36)}
RULES: Final = (
    "mean",
    "median",
    "trimmed-mean",
    "krum",
    "multi-krum",
    "geometric-median",
    "centred-clipping",
)
NAMES: Final = [*RULES, *(f"nnm + {rule}" for rule in RULES)]
TOLERANCE: Final = 1e-5
#: ByzFL's mixing builds n * (n - f) float32 vectors at once.
MIXING_BYTES: Final = 3 << 30
#: A slower call is not repeated.
SLOW_S: Final = 4.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Contest:
    """One rule, and ByzFL's way to compute it."""

    rule: Aggregation
    byzfl: Callable[[Any], Any]

    @property
    def name(self) -> str:
        return self.rule.rule if self.rule.before == "none" else f"{self.rule.before} + {self.rule.rule}"


def contests(byzfl: Any, n: int) -> Iterator[Contest]:
    """Every rule, alone and behind nearest-neighbour mixing, with a quarter of attackers."""
    f = n // 4
    makers: dict[str, Callable[[], Any]] = {
        "mean": byzfl.Average,
        "median": byzfl.Median,
        "trimmed-mean": lambda: byzfl.TrMean(f=f),
        "krum": lambda: byzfl.Krum(f=f),
        "multi-krum": lambda: byzfl.MultiKrum(f=f),
        "geometric-median": lambda: byzfl.GeometricMedian(nu=0.1, T=3),
        "centred-clipping": lambda: byzfl.CenteredClipping(L=1, tau=100.0),
    }
    mixer = byzfl.NNM(f=f)
    for before in ("none", "nnm"):
        for rule in RULES:
            chosen = Aggregation(
                rule=rule,
                f=f,
                before=before,
                iterations=3 if rule == "geometric-median" else 1,
                radius="100",
                smoothing="0.1",
            )
            yield Contest(
                rule=chosen, byzfl=partial(run_byzfl, makers[rule], mixer if before == "nnm" else None)
            )


def run_byzfl(make: Callable[[], Any], mixer: Callable[[Any], Any] | None, rows: Any) -> Any:
    """ByzFL's result with a rule made for this call: its centred clipping remembers the last one."""
    return make()(mixer(rows) if mixer else rows)


def exact(rule: Aggregation, rows: Matrix) -> Matrix:
    """The consensus variant, with what apply_round does for a plain mean."""
    return aggregate("mean" if (rule.rule, rule.before) == ("mean", "none") else rule, list(rows))


def medians_ms(calls: list[Callable[[], Any]], runs: int, threads: int) -> list[float]:
    """The calls by turns, so that noise falls on all of them."""
    clock = time.process_time if threads == 1 else time.perf_counter
    times: list[list[float]] = [[] for _ in calls]
    for call in calls:
        call()
    for _ in range(runs):
        for call, taken in zip(calls, times, strict=True):
            if taken and taken[0] > SLOW_S:
                continue
            start = clock()
            call()
            taken.append(clock() - start)
    return [round(1000 * statistics.median(taken), 2) for taken in times]


def measure(contest: Contest, rows: Matrix, runs: int, threads: int) -> dict[str, Any]:
    import torch

    tensor = torch.from_numpy(rows)
    theirs = np.asarray(contest.byzfl(tensor))
    ours, precise = fast_aggregate(contest.rule, rows, threads=threads), exact(contest.rule, rows)
    apart = max(float(abs(ours - theirs).max()), float(abs(precise - theirs).max()))
    calls: list[Callable[[], Any]] = [
        lambda: contest.byzfl(rows),
        lambda: contest.byzfl(tensor),
        lambda: fast_aggregate(contest.rule, rows, threads=threads),
        lambda: exact(contest.rule, rows),
    ]
    by_numpy, by_torch, fast, slow = medians_ms(calls, runs, threads)
    best = min(by_numpy, by_torch)
    return {
        "rule": contest.name,
        "n": len(rows),
        "size": rows.shape[1],
        "byzfl_numpy_ms": by_numpy,
        "byzfl_torch_ms": by_torch,
        "fast_ms": fast,
        "exact_ms": slow,
        "fast_ratio": round(best / fast, 2),
        "exact_ratio": round(best / slow, 2),
        "apart": f"{apart:.1e}",
        "agrees": apart <= TOLERANCE,
    }


def one_read_ms(rows: Matrix, runs: int, threads: int) -> float:
    """The floor: every value of the matrix is looked at once."""
    weights = np.ones(len(rows), dtype=np.float32)
    return medians_ms([lambda: weights @ rows], runs, threads)[0]


def affordable(rule: Aggregation, n: int, size: int) -> int:
    """The size, or less where ByzFL's mixing would need more than MIXING_BYTES."""
    return min(size, MIXING_BYTES // (4 * n * (n - rule.f))) if rule.before == "nnm" else size


def summary(results: list[dict[str, Any]], field: str) -> float:
    return round(statistics.geometric_mean(result[field] for result in results), 2)


def main() -> int:
    """Exit status 1 when a result differs from ByzFL's by more than TOLERANCE."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--n", type=int, nargs="+", default=[16, 64])
    parser.add_argument("--size", type=int, default=1_000_000)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rules", nargs="+", choices=NAMES, default=NAMES, metavar="RULE")
    parser.add_argument("--allocator", choices=["default", "tuned"], default="tuned")
    chosen = parser.parse_args()
    if importlib.util.find_spec("byzfl") is None:
        print("not measured: ByzFL is not on the path (see --help)")
        return 0
    wanted = {**dict.fromkeys(THREADS, str(chosen.threads)), **(TUNED if chosen.allocator == "tuned" else {})}
    if any(os.environ.get(name) != value for name, value in wanted.items()):
        # Libraries read these once, when the process starts.
        os.execve(
            sys.executable,
            [sys.executable, "-m", "benchmarks.aggregation", *sys.argv[1:]],
            {**os.environ, **wanted},
        )
    import torch

    torch.set_num_threads(chosen.threads)
    byzfl, results = byzfl_aggregators(), []
    for n in chosen.n:
        rows = np.random.Generator(np.random.Philox(n)).standard_normal((n, chosen.size), dtype=np.float32)
        read = one_read_ms(rows, chosen.runs, chosen.threads)
        setting = {"n": n, "allocator": chosen.allocator, "threads": chosen.threads}
        print(json.dumps({**setting, "one_read_ms": read}), flush=True)
        for contest in contests(byzfl, n):
            if contest.name not in chosen.rules:
                continue
            size = affordable(contest.rule, n, chosen.size)
            part = rows if size == chosen.size else np.ascontiguousarray(rows[:, :size])
            results.append(measure(contest, part, chosen.runs, chosen.threads))
            print(json.dumps(results[-1]), flush=True)
    for name, part_of in (("alone", ""), ("nnm", "nnm + ")):
        some = [r for r in results if r["rule"].startswith("nnm + ") == bool(part_of)]
        if not some:
            continue
        print(
            json.dumps(
                {
                    "rules": name,
                    "fast_ratio": summary(some, "fast_ratio"),
                    "exact_ratio": summary(some, "exact_ratio"),
                }
            )
        )
    return 0 if all(result["agrees"] for result in results) else 1


if __name__ == "__main__":
    sys.exit(main())
