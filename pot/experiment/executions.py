"""The same shards computed by several processes, each under another setting of this machine."""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from pot.experiment.shapes import Shape, dataset_blob, spec_of
from protocol.errors import PotError
from protocol.spec import TaskSpec
from worker.training.checkpoint import initial_checkpoint, load_checkpoint
from worker.training.data import load_dataset
from worker.training.rounds import apply_round
from worker.training.step import encode_gradient, shard_gradient

TIMEOUT_S: Final = 3_600
_CHOSEN_HERE: Final = ("ATEN_CPU_CAPABILITY", "ONEDNN_MAX_CPU_ISA", "MKL_CBWR", "OMP_NUM_THREADS")
_CAPABILITIES: Final = ("default", "avx2", "avx512")


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """How one honest party computes. Empty texts are the library's own choice on this machine."""

    name: str
    aten: str = ""
    onednn: str = ""
    mkl: str = ""
    threads: int = 1

    def environment(self) -> dict[str, str]:
        """The variables that choose it, without those of this process."""
        kept = {name: value for name, value in os.environ.items() if name not in _CHOSEN_HERE}
        chosen = {"ATEN_CPU_CAPABILITY": self.aten, "ONEDNN_MAX_CPU_ISA": self.onednn, "MKL_CBWR": self.mkl}
        return {
            **kept,
            **{name: value for name, value in chosen.items() if value},
            "OMP_NUM_THREADS": str(self.threads),
            # Two threads on a busy machine must not wait by spinning.
            "OMP_WAIT_POLICY": "PASSIVE",
            "GOMP_SPINCOUNT": "0",
        }


REFERENCE: Final = Setting(name="native")
SETTINGS: Final = (
    REFERENCE,
    Setting(name="two threads", threads=2),
    Setting(name="aten avx2", aten="avx2"),
    Setting(name="aten default", aten="default"),
    Setting(name="onednn avx2", onednn="AVX2"),
    Setting(name="onednn sse4.1", onednn="SSE41"),
    Setting(name="oldest cpu", aten="default", onednn="SSE41", mkl="COMPATIBLE"),
)


class ExecutionFailed(PotError):
    """A measuring process ended without its results."""

    def __init__(self, setting: str, detail: str) -> None:
        super().__init__(f"The execution under {setting!r} failed: {detail}")
        self.setting = setting
        self.detail = detail


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """One task's shards, at the checkpoints of a real run: files that every execution reads."""

    shape: Shape
    spec: TaskSpec
    dataset: Path
    checkpoints: tuple[Path, ...]

    @property
    def shards(self) -> int:
        return len(self.checkpoints) * self.spec.recipe.shards


def prepare(
    shape: Shape, *, seed: int, rounds: int, folder: Path, policy: dict[str, Any] | None = None
) -> Work:
    """Train one task and keep the model before each round; the models are the same on every machine.
    ``policy`` is what ``spec_of`` takes."""
    folder.mkdir(parents=True, exist_ok=True)
    spec = spec_of(shape, seed=seed, rounds=rounds, policy=policy)
    blob = dataset_blob(shape)
    dataset_path = folder / f"{spec.dataset.sha256}.safetensors"
    dataset_path.write_bytes(blob)
    dataset, model = load_dataset(blob, spec.dataset), initial_checkpoint(spec)
    paths = []
    for number in range(1, rounds + 1):
        path = folder / f"{spec.hash.hex()}-{number}.safetensors"
        path.write_bytes(model)
        paths.append(path)
        checkpoint = load_checkpoint(spec, model)
        gradients = {
            shard: encode_gradient(spec, shard_gradient(spec, checkpoint, dataset, number, shard).gradient)
            for shard in range(spec.recipe.shards)
        }
        model = apply_round(spec, model, gradients)
    return Work(shape=shape, spec=spec, dataset=dataset_path, checkpoints=tuple(paths))


def execute(setting: Setting, works: Sequence[Work], folder: Path) -> list[NDArray[np.floating[Any]]]:
    """The gradients [shards, parameters] of each work under ``setting``, from a process of its own. Raises
    ExecutionFailed."""
    stem = setting.name.replace(" ", "-")
    outs = [folder / f"{stem}-{index}.npy" for index in range(len(works))]
    items = [
        {
            "spec": work.spec.to_value(),
            "dataset": str(work.dataset),
            "checkpoints": [str(path) for path in work.checkpoints],
            "out": str(out),
        }
        for work, out in zip(works, outs, strict=True)
    ]
    plan = folder / f"{stem}.json"
    plan.write_text(json.dumps({"threads": setting.threads, "items": items}))
    command = [sys.executable, "-m", "pot.experiment.executor", str(plan)]
    try:
        done = subprocess.run(
            command, env=setting.environment(), capture_output=True, text=True, timeout=TIMEOUT_S, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise ExecutionFailed(setting.name, f"no result after {TIMEOUT_S} s") from error
    if done.returncode:
        raise ExecutionFailed(setting.name, done.stderr.strip()[-500:])
    return [np.load(out) for out in outs]
