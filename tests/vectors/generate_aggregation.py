"""Write ``aggregation.json``, what ByzFL 0.0.11 makes of a few sets of vectors.

ByzFL is no dependency; put it on the path: ``python -m pip install --no-deps --target FOLDER byzfl==0.0.11``,
then ``PYTHONPATH=FOLDER python -m tests.vectors.generate_aggregation``. The vectors are float32 values; ByzFL
computes in float64.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tests.vectors.byzfl_import import byzfl_aggregators

FILE = Path(__file__).parent / "aggregation.json"
SIZE = 24
SEED = 20_250_101
Rows = NDArray[np.float64]


def inputs() -> dict[str, tuple[Rows, int]]:
    """Name -> vectors [n, SIZE] and how many of them are attackers'."""
    raw = np.random.Generator(np.random.Philox(SEED))

    def honest(count: int) -> Rows:
        return 1.0 + 0.5 * raw.standard_normal((count, SIZE))

    sets = {
        "spread": (honest(7), 2),
        "sign-flip": (np.concatenate([honest(9), -4.0 * honest(3)]), 3),
        "far": (np.concatenate([honest(8), 300.0 * honest(2)]), 2),
        "alone": (honest(1), 0),
    }
    return {name: (rows.astype(np.float32).astype(np.float64), f) for name, (rows, f) in sets.items()}


def rules(byzfl: Any, f: int) -> dict[str, tuple[dict[str, Any], Callable[[Rows], Rows]]]:
    """Name -> the fields a spec adds, and ByzFL's rule."""
    return {
        "mean": ({}, byzfl.Average()),
        "median": ({}, byzfl.Median()),
        "trimmed-mean": ({}, byzfl.TrMean(f=f)),
        "krum": ({}, byzfl.Krum(f=f)),
        "multi-krum": ({}, byzfl.MultiKrum(f=f)),
        "geometric-median": ({"iterations": 5, "smoothing": "0.01"}, byzfl.GeometricMedian(nu=0.01, T=5)),
        "centred-clipping": ({"iterations": 3, "radius": "2.5"}, byzfl.CenteredClipping(L=3, tau=2.5)),
    }


def case(byzfl: Any, name: str, rows: Rows, f: int, before: str, rule: str) -> dict[str, Any]:
    order = None
    if before == "nnm":
        rows = byzfl.NNM(f=f)(rows)
    elif before == "bucketing":
        np.random.seed(SEED)
        order = np.random.permutation(np.arange(len(rows))).tolist()
        np.random.seed(SEED)
        shuffled = byzfl.Bucketing(s=1)(rows)
        if not np.array_equal(shuffled, rows[order]):
            raise SystemExit("ByzFL's permutation is not the one recorded")
        np.random.seed(SEED)
        rows = byzfl.Bucketing(s=2)(rows)
        f = min(f, (len(rows) - 1) // 2)
    fields, compute = rules(byzfl, f)[rule]
    return {
        "input": name,
        "aggregation": {"rule": rule, "f": f, "before": before, **fields},
        "order": order,
        "output": compute(rows).tolist(),
    }


def main() -> None:
    byzfl = byzfl_aggregators()
    sets = inputs()
    cases = [
        case(byzfl, name, rows, f, before, rule)
        for name, (rows, f) in sets.items()
        for before in ("none", "nnm", "bucketing")
        for rule in rules(byzfl, 0)
    ]
    vectors = {name: rows.tolist() for name, (rows, _) in sets.items()}
    lines = ",\n".join(json.dumps(entry) for entry in cases)
    FILE.write_text(f'{{"inputs": {json.dumps(vectors)},\n"cases": [\n{lines}\n]}}\n')


if __name__ == "__main__":
    main()
