"""One execution of many shards under one setting: ``python -m pot.experiment.executor PLAN.json``.

A process of its own, because instruction sets are chosen once, before torch is loaded, from the
environment. The plan names everything; gradients are written as ``.npy``, unrounded, one row a shard.
"""

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np

from protocol.spec import TaskSpec
from worker.training.checkpoint import load_checkpoint
from worker.training.data import load_dataset
from worker.training.step import shard_gradient


def run(plan: dict[str, Any]) -> None:
    """Compute every item of the plan: ``{"spec", "dataset", "checkpoints", "out"}``, all but the spec paths;
    checkpoint i is the model before round i + 1."""
    for item in plan["items"]:
        spec = TaskSpec.from_value(item["spec"])
        dataset = load_dataset(Path(item["dataset"]).read_bytes(), spec.dataset)
        rows = []
        for index, path in enumerate(item["checkpoints"]):
            checkpoint = load_checkpoint(spec, Path(path).read_bytes())
            rows += [
                shard_gradient(spec, checkpoint, dataset, index + 1, shard, threads=plan["threads"]).gradient
                for shard in range(spec.recipe.shards)
            ]
        np.save(item["out"], np.stack(rows))


def main(path: str) -> None:
    import torch

    run(json.loads(Path(path).read_text()))
    print(torch.backends.cpu.get_cpu_capability())


if __name__ == "__main__":
    main(sys.argv[1])
