"""Accuracy with a quarter of attackers nobody samples: ``python -m benchmarks.robust_training``.

Digits, an MLP, 12 shards of 32 samples a round, 3 of them forged from the honest gradients of the same round:
``sign-flip`` sends their mean negated, ``large`` four times that, ``alie`` their mean less 1.5 standard
deviations a coordinate (Baruch et al. 2019), ``ipm`` a tenth of their mean negated (Xie et al. 2020). Prints
one JSON line a rule: percent of the test split right after one seeded run.
"""

import argparse
import json
import sys
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from protocol.spec import TaskSpec
from tests.unit.training.specs import dataset_of, make_spec
from worker.training.checkpoint import initial_checkpoint, load_checkpoint
from worker.training.evaluate import evaluate
from worker.training.rounds import apply_round
from worker.training.step import encode_gradient, shard_gradient

SHARDS: Final = 12
FORGED: Final = 3
ATTACKS: Final = ("none", "sign-flip", "large", "alie", "ipm")
RULES: Final = (
    ("none", "median"),
    ("none", "trimmed-mean"),
    ("none", "multi-krum"),
    ("none", "geometric-median"),
    ("nnm", "median"),
    ("nnm", "trimmed-mean"),
    ("nnm", "multi-krum"),
    ("nnm", "geometric-median"),
)


def forged(attack: str, honest: list[NDArray[np.float64]]) -> list[NDArray[np.float64]]:
    """What the attackers send, knowing everything; nothing when there are none."""
    mean = np.mean(honest, axis=0)
    match attack:
        case "none":
            return []
        case "sign-flip":
            return [-mean] * FORGED
        case "large":
            return [-4 * mean] * FORGED
        case "alie":
            return [mean - 1.5 * np.std(honest, axis=0)] * FORGED
        case "ipm":
            return [-0.1 * mean] * FORGED
    raise ValueError(attack)


def accuracy(spec: TaskSpec, attack: str) -> float:
    """Percent of the test split after the last round."""
    blob, data = initial_checkpoint(spec), dataset_of(spec)
    honest_shards = SHARDS if attack == "none" else SHARDS - FORGED
    for number in range(1, spec.recipe.rounds + 1):
        checkpoint = load_checkpoint(spec, blob)
        honest = [
            shard_gradient(spec, checkpoint, data, number, k).gradient.astype(np.float64)
            for k in range(honest_shards)
        ]
        sent = [*honest, *forged(attack, honest)]
        blob = apply_round(spec, blob, {k: encode_gradient(spec, g) for k, g in enumerate(sent)})
    return round(100 * evaluate(spec, load_checkpoint(spec, blob), data).accuracy, 1)


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=60)
    rounds = parser.parse_args().rounds
    chosen: list[tuple[str, Any]] = [("mean", "mean")]
    for before, rule in RULES:
        name = rule if before == "none" else f"{before} + {rule}"
        chosen.append((name, {"rule": rule, "before": before, "f": FORGED}))
    for name, aggregation in chosen:
        spec = make_spec(
            shards=SHARDS,
            global_batch=SHARDS * 32,
            rounds=rounds,
            aggregation=aggregation,
            optimizer={"kind": "sgd", "lr": "0.3", "momentum": "0.9"},
            limits={"task_life_s": 100, "min_shards": SHARDS},
        )
        print(
            json.dumps({"rule": name, **{attack: accuracy(spec, attack) for attack in ATTACKS}}), flush=True
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
