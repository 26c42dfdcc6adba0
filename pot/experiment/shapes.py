"""What is measured: small real tasks of each architecture, arithmetic and micro-batch."""

import hashlib
from dataclasses import dataclass
from functools import cache
from typing import Any, Final, Literal

from protocol.spec import TaskSpec
from worker.training.ingest import bundled_dataset, from_text

SHARDS: Final = 8
SAMPLES_PER_SHARD: Final = 64
MODELS: Final[dict[str, dict[str, int]]] = {
    "mlp": {"inputs": 64, "hidden": 32, "layers": 2, "classes": 10},
    "cnn": {"height": 8, "width": 8, "channels": 4, "classes": 10},
    "transformer": {"vocab": 48, "context": 16, "width": 32, "heads": 2, "layers": 1},
}
# Past the point where each model fits most of its data, so that noise is measured on both sides of it.
_LR: Final = {"mlp": "0.1", "cnn": "0.1", "transformer": "0.1"}

# William Shakespeare, Sonnet 18 (1609).
_SONNET: Final = """Shall I compare thee to a summer's day?
Thou art more lovely and more temperate:
Rough winds do shake the darling buds of May,
And summer's lease hath all too short a date;
Sometime too hot the eye of heaven shines,
And often is his gold complexion dimm'd;
And every fair from fair sometime declines,
By chance or nature's changing course untrimm'd;
But thy eternal summer shall not fade,
Nor lose possession of that fair thou ow'st;
Nor shall death brag thou wander'st in his shade,
When in eternal lines to time thou grow'st:
So long as men can breathe or eyes can see,
So long lives this, and this gives life to thee.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """One cell's work: which model, in which arithmetic, in micro-batches of how many samples."""

    arch: Literal["mlp", "cnn", "transformer"]
    compute: Literal["float64", "float32"]
    micro_batch: int

    @property
    def name(self) -> str:
        return f"{self.arch}-{self.compute}-{self.micro_batch}"


def shapes(micro_batches: tuple[int, ...]) -> list[Shape]:
    """Every architecture in both arithmetics."""
    return [
        Shape(arch=arch, compute=compute, micro_batch=size)
        for arch in ("mlp", "cnn", "transformer")
        for compute in ("float64", "float32")
        for size in micro_batches
    ]


def dataset_blob(shape: Shape) -> bytes:
    """The data it trains on: digits, or a sonnet."""
    return _text() if shape.arch == "transformer" else _digits()


def spec_of(shape: Shape, *, seed: int, rounds: int, policy: dict[str, Any] | None = None) -> TaskSpec:
    """A task of this shape; its samples and first weights follow from ``seed``."""
    text = shape.arch == "transformer"
    return TaskSpec.from_value(
        {
            "version": 1,
            "kind": "pooled",
            "title": shape.name,
            "model": {"arch": shape.arch, "params": MODELS[shape.arch]},
            "dataset": {
                "name": "sonnet" if text else "digits",
                "kind": "text" if text else "classification",
                "sha256": hashlib.sha256(dataset_blob(shape)).hexdigest(),
            },
            "recipe": {
                "optimizer": {"kind": "sgd", "lr": _LR[shape.arch], "momentum": "0.9"},
                "rounds": rounds,
                "shards": SHARDS,
                "global_batch": SHARDS * SAMPLES_PER_SHARD,
                "micro_batch": shape.micro_batch,
                "compute": shape.compute,
                "codec": "int16",
                "seed": seed,
            },
            "verification": {"sample_ppm": 0, **(policy or {})},
            "money": {
                "reward_per_shard": "1",
                "fee_per_round": "0",
                "miner_stake": "0",
                "slash_per_fault": "0",
            },
            "limits": {"task_life_s": 60},
        }
    )


@cache
def _digits() -> bytes:
    return bundled_dataset("digits")


@cache
def _text() -> bytes:
    return from_text((_SONNET * 10).encode())
