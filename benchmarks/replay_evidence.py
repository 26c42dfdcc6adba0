"""What evidence of re-execution is worth: ``python -m benchmarks.replay_evidence [--rounds 10]``.

Small tasks of each architecture are computed under every setting of this machine that the calibration knows
(threads, ATen and oneDNN instruction sets, MKL modes), each in a process of its own. Of each shard two
validators make a proof. Printed for each task: at how many of the WITNESSES places the proofs of two honest
machines agree at least, and how far apart the numbers are; at how many the best forgeries agree at most;
the time a proof adds to its shard, and its bytes. Exit status 1 when an honest proof fails, or a forgery
passes.

Forgeries know all that is published. ``published``: the sum of the parts, or the mean score. ``float32``: an
execution in float32, half the cost. ``projected``: the first layer's parts put back on what its known
inputs can lead to, which averages their rounding away. ``forward``: a forward pass tells the output layer's
gradient, and is all of a score; with ``projected`` below it.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from pot.experiment.executions import SETTINGS, Setting, Work, prepare
from pot.experiment.shapes import Shape, shapes
from protocol.spec import TaskSpec
from worker.training.checkpoint import load_checkpoint
from worker.training.codec import Gradient
from worker.training.data import Batch, load_dataset
from worker.training.models import layout_of
from worker.training.parts import Vector, sum_of
from worker.training.step import ShardResult, batches_gradient, round_batches
from worker.training.witness import NEEDED, WITNESSES, agreeing, digits_proof, is_exact, scores_proof

SEEDS: Final = (b"one validator", b"another validator")
TIMEOUT_S: Final = 3_600
Values = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Shard:
    """One shard as this process computes it, and what it is computed from."""

    spec: TaskSpec
    batches: list[Batch]
    parameters: Vector
    own: ShardResult

    @property
    def published(self) -> Values:
        return sum_of(self.own.parts)

    def proof(self, seed: int, gradient: Gradient) -> bytes:
        return digits_proof(self.spec, SEEDS[seed], gradient, self.own.parts)


def shards_of(spec: TaskSpec, data: Path, checkpoints: Sequence[Path], threads: int = 1) -> list[Shard]:
    """Every shard of a prepared task, computed here."""
    dataset = load_dataset(data.read_bytes(), spec.dataset)
    found = []
    for index, path in enumerate(checkpoints):
        checkpoint = load_checkpoint(spec, path.read_bytes())
        for shard in range(spec.recipe.shards):
            batches = round_batches(spec, checkpoint, dataset, index + 1, shard)
            own = batches_gradient(spec, checkpoint.parameters, batches, threads=threads, watch=SEEDS)
            found.append(Shard(spec=spec, batches=batches, parameters=checkpoint.parameters, own=own))
    return found


def execute(setting: Setting, works: Sequence[Work], folder: Path) -> list[tuple[Values, Values]]:
    """Of each work gradients [shards, size] and scores [shards, seeds, WITNESSES] under ``setting``, from one
    process of its own."""
    outs = [folder / f"{setting.name}-{index}.npz".replace(" ", "-") for index in range(len(works))]
    items = [
        {
            "spec": work.spec.to_value(),
            "dataset": str(work.dataset),
            "checkpoints": [str(path) for path in work.checkpoints],
            "out": str(out),
        }
        for work, out in zip(works, outs, strict=True)
    ]
    plan = folder / "plan.json"
    plan.write_text(json.dumps({"threads": setting.threads, "items": items}))
    command = [sys.executable, "-m", "benchmarks.replay_evidence", "--child", str(plan)]
    subprocess.run(command, env=setting.environment(), timeout=TIMEOUT_S, check=True)
    found = []
    for out in outs:
        with np.load(out) as arrays:
            found.append((arrays["gradients"], arrays["scores"]))
    return found


def child(plan: dict[str, Any]) -> None:
    """One execution: writes what ``execute`` reads."""
    for item in plan["items"]:
        spec, paths = TaskSpec.from_value(item["spec"]), [Path(path) for path in item["checkpoints"]]
        found = shards_of(spec, Path(item["dataset"]), paths, plan["threads"])
        np.savez(
            item["out"],
            gradients=np.stack([shard.own.gradient for shard in found]),
            scores=np.stack([shard.own.scores for shard in found]),
        )


def projected(shard: Shard) -> Values:
    """The published sum, its first layer put on the span of each micro-batch's inputs (a multilayer
    perceptron's)."""
    layout, guess = layout_of(shard.spec.model), shard.published.copy()
    first = layout.parameters[0]
    where, size = layout.slices()[first.name], shard.spec.recipe.micro_batch
    inputs = shard.batches[0].inputs.astype(np.float64)
    total = np.zeros(first.shape)
    for index, part in enumerate(shard.own.parts):
        seen = inputs[index * size : (index + 1) * size]
        flat = part[where].astype(np.float64).reshape(first.shape)
        total += flat @ np.linalg.pinv(seen) @ seen
    guess[where] = total.reshape(-1)
    return guess


def with_output(shard: Shard, guess: Values) -> Values:
    """A guess whose output layer is right."""
    layout, guess = layout_of(shard.spec.model), guess.copy()
    for name, where in layout.slices().items():
        if name.startswith("output."):
            guess[where] = shard.own.gradient[where]
    return guess


def float32_run(shard: Shard) -> Values:
    value = shard.spec.to_value()
    value["recipe"]["compute"] = "float32"
    cheap = TaskSpec.from_value(value)
    return batches_gradient(cheap, shard.parameters, shard.batches).gradient.astype(np.float64)


def forgeries(arch: str) -> dict[str, Callable[[Shard], Values]]:
    """What can be put in the place of the gradient."""
    found: dict[str, Callable[[Shard], Values]] = {
        "published": lambda shard: shard.published,
        "float32": float32_run,
        "forward": lambda shard: with_output(shard, shard.published),
    }
    if arch == "mlp":
        found["projected"] = projected
        found["forward"] = lambda shard: with_output(shard, projected(shard))
    return found


def apart(claimed: bytes, own: bytes) -> int:
    """The largest difference of two proofs, in steps."""
    a, b = (np.frombuffer(proof, dtype="<i4").astype(np.int64) for proof in (claimed, own))
    return int(np.abs(a - b).max(initial=0))


def measure(work: Work, executed: Sequence[tuple[Values, Values]]) -> bool:
    """Print one task's figures; whether all is as it should be. ``executed`` is what other settings found."""
    spec, exact, seeds = work.spec, is_exact(work.spec), range(len(SEEDS))
    found = shards_of(spec, work.dataset, work.checkpoints)
    own = [[_own(shard, seed, exact) for seed in seeds] for shard in found]
    worst, furthest = WITNESSES, 0
    for gradients, scores in executed:
        for i, shard in enumerate(found):
            for seed in seeds:
                proof = shard.proof(seed, gradients[i]) if exact else scores_proof(scores[i, seed])
                worst = min(worst, agreeing(spec, proof, own[i][seed]))
                furthest = max(furthest, apart(proof, own[i][seed]))
    best = _forged(work.shape, found, own, exact)
    figures = {
        "task": work.shape.name,
        "proofs": len(found) * len(SEEDS) * len(executed),
        "honest_least": worst,
        "honest_apart": furthest,
        "forged_most": best,
        "proof_bytes": len(own[0][0]),
        **_times(found[0], exact),
    }
    print(json.dumps(figures), flush=True)
    return worst >= NEEDED and max(best.values()) < NEEDED


def _forged(shape: Shape, found: list[Shard], own: list[list[bytes]], exact: bool) -> dict[str, int]:
    """The most places at which each forgery agrees."""
    best = {"copied": 0}
    for shard, proofs in zip(found, own, strict=True):
        for name, guess in _guesses(shape, exact).items():
            made = guess(shard)
            for seed, true in enumerate(proofs):
                proof = shard.proof(seed, made) if exact else made.tobytes()
                best[name] = max(best.get(name, 0), agreeing(shard.spec, proof, true))
        best["copied"] = max(best["copied"], agreeing(shard.spec, proofs[0], proofs[1]))
    return best


def _guesses(shape: Shape, exact: bool) -> dict[str, Callable[[Shard], Any]]:
    if exact:
        return dict(forgeries(shape.arch))
    # The scores' mean is more than a forger knows.
    return {"published": lambda shard: np.full(WITNESSES, shard.own.scores.mean() * 2**16, dtype="<i4")}


def _own(shard: Shard, seed: int, exact: bool) -> bytes:
    return shard.proof(seed, shard.own.gradient) if exact else scores_proof(shard.own.scores[seed])


def _times(shard: Shard, exact: bool) -> dict[str, float]:
    """Milliseconds of processor time, medians of 15, by turns: a shard alone, and what a proof adds."""
    alone, proving = [], []
    watch = () if exact else SEEDS[:1]
    for _ in range(15):
        at = time.process_time()
        batches_gradient(shard.spec, shard.parameters, shard.batches)
        alone.append(time.process_time() - at)
        at = time.process_time()
        own = batches_gradient(shard.spec, shard.parameters, shard.batches, watch=watch)
        if exact:
            shard.proof(0, own.gradient)
        else:
            scores_proof(own.scores[0])
        proving.append(time.process_time() - at)
    base = median(alone)
    return {"shard_ms": round(1e3 * base, 2), "proof_ms": round(1e3 * (median(proving) - base), 2)}


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--child", default="", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        child(json.loads(Path(options.child).read_text()))
        return 0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        works = [
            prepare(shape, seed=1, rounds=options.rounds, folder=folder, policy=_class_of(shape))
            for shape in shapes((8, 32))
        ]
        executed = [execute(setting, works, folder) for setting in SETTINGS[1:]]
        good = [measure(work, [found[i] for found in executed]) for i, work in enumerate(works)]
    return 0 if all(good) else 1


def _class_of(shape: Shape) -> dict[str, str]:
    return {"hardware_class": "exact" if shape.compute == "float64" else "tolerant"}


if __name__ == "__main__":
    sys.exit(main())
