"""Small real tasks that the training tests share."""

import hashlib
from functools import cache
from typing import Any

import msgspec

from protocol.spec import TaskSpec
from worker.training.data import Dataset, load_dataset
from worker.training.ingest import bundled_dataset, from_text

MLP: dict[str, Any] = {"arch": "mlp", "params": {"inputs": 64, "hidden": 32, "layers": 1, "classes": 10}}
CNN: dict[str, Any] = {"arch": "cnn", "params": {"height": 8, "width": 8, "channels": 4, "classes": 10}}
TRANSFORMER: dict[str, Any] = {
    "arch": "transformer",
    "params": {"vocab": 48, "context": 16, "width": 32, "heads": 2, "layers": 1},
}
SGD = {"kind": "sgd", "lr": "0.1", "momentum": "0.9"}
ADAMW = {"kind": "adamw", "lr": "0.01", "weight_decay": "0.01"}

# William Shakespeare, Sonnet 18 (1609).
SONNET = """Shall I compare thee to a summer's day?
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


@cache
def digits() -> bytes:
    return bundled_dataset("digits")


@cache
def sonnet() -> bytes:
    return from_text((SONNET * 10).encode())


def make_spec(
    *,
    model: dict[str, Any] | None = None,
    verification: dict[str, Any] | None = None,
    optimizer: dict[str, str] | None = None,
    limits: dict[str, int] | None = None,
    **recipe: Any,
) -> TaskSpec:
    """A task on digits (or, for a transformer, on the sonnet); ``recipe`` overrides fields of a small
    recipe."""
    chosen = model or MLP
    text = chosen["arch"] == "transformer"
    data = sonnet() if text else digits()
    base = {"rounds": 30, "shards": 4, "global_batch": 256, "micro_batch": 64, "seed": 7}
    return TaskSpec.from_value(
        {
            "version": 1,
            "kind": "pooled",
            "title": "a test",
            "model": chosen,
            "dataset": {
                "name": "test data",
                "kind": "text" if text else "classification",
                "sha256": hashlib.sha256(data).hexdigest(),
            },
            "recipe": {**base, "optimizer": optimizer or SGD, **recipe},
            "verification": verification or {"sample_ppm": 100_000},
            "money": {
                "reward_per_shard": "1",
                "fee_per_round": "0",
                "miner_stake": "1",
                "slash_per_fault": "1",
            },
            "limits": limits or {"task_life_s": 100},
        }
    )


def dataset_of(spec: TaskSpec) -> Dataset:
    return load_dataset(sonnet() if spec.dataset.kind == "text" else digits(), spec.dataset)


def with_recipe(spec: TaskSpec, **changes: Any) -> TaskSpec:
    return msgspec.structs.replace(spec, recipe=msgspec.structs.replace(spec.recipe, **changes))
