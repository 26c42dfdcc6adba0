import hashlib
from collections.abc import Callable

import numpy as np
import pytest
import torch

from protocol.policy import default_policy
from protocol.spec import TaskSpec
from tests.unit.training.specs import CNN, MLP, TRANSFORMER, dataset_of, make_spec, with_recipe
from worker.training.checkpoint import Checkpoint, initial_checkpoint, load_checkpoint
from worker.training.data import Batch
from worker.training.replay import ReplayVerdict, ShardSite, replay_shard
from worker.training.step import batches_gradient, encode_gradient, shard_batches, shard_gradient

CODECS = ["float32", "int8", "int16"]
TOLERANT = {"sample_ppm": 0, "hardware_class": "tolerant"}


def start(spec: TaskSpec) -> Checkpoint:
    return load_checkpoint(spec, initial_checkpoint(spec))


def honest(spec: TaskSpec, shard: int = 0) -> np.ndarray:
    return np.asarray(shard_gradient(spec, start(spec), dataset_of(spec), 1, shard).gradient)


def site(spec: TaskSpec, threads: int = 1) -> ShardSite:
    return ShardSite(
        spec=spec,
        checkpoint=start(spec),
        dataset=dataset_of(spec),
        round=1,
        shard=0,
        policy=default_policy(),
        threads=threads,
    )


def judge(spec: TaskSpec, gradient: np.ndarray) -> ReplayVerdict:
    return replay_shard(site(spec), encode_gradient(spec, gradient))


@pytest.mark.parametrize("codec", CODECS)
def test_replay_shard__honest_work__has_the_same_hash(codec: str) -> None:
    spec = make_spec(codec=codec)
    blob = encode_gradient(spec, honest(spec))
    verdict = replay_shard(site(spec, threads=2), blob)
    assert verdict.ok
    assert verdict.identical
    assert verdict.own_sha256 == hashlib.sha256(blob).digest()
    assert (verdict.samples, verdict.differing_ppm, verdict.reason) == (64, 0, "")


@pytest.mark.parametrize("model", [MLP, CNN, TRANSFORMER], ids=["mlp", "cnn", "transformer"])
@pytest.mark.parametrize("codec", ["int8", "int16"])
def test_replay_shard__honest_float32_with_other_threads__passes_the_tolerant_policy(
    model: dict[str, object], codec: str
) -> None:
    spec = make_spec(model=model, codec=codec, compute="float32", verification=TOLERANT)
    batches = shard_batches(spec, dataset_of(spec), 1, 0)
    other_plan = with_recipe(spec, micro_batch=8)
    gradient = batches_gradient(other_plan, start(spec).parameters, batches, threads=2).gradient
    verdict = judge(spec, np.asarray(gradient))
    assert verdict.ok, verdict.reason


def partial_batch(spec: TaskSpec) -> np.ndarray:
    (batch,) = shard_batches(spec, dataset_of(spec), 1, 0)
    half = Batch(inputs=batch.inputs[:32], targets=batch.targets[:32])
    return np.asarray(batches_gradient(spec, start(spec).parameters, [half]).gradient)


def label_flip(spec: TaskSpec) -> np.ndarray:
    (batch,) = shard_batches(spec, dataset_of(spec), 1, 0)
    flipped = Batch(inputs=batch.inputs, targets=9 - batch.targets)
    return np.asarray(batches_gradient(spec, start(spec).parameters, [flipped]).gradient)


def low_precision(spec: TaskSpec) -> np.ndarray:
    return torch.tensor(honest(spec)).bfloat16().double().numpy()


CHEATS: dict[str, Callable[[TaskSpec], np.ndarray]] = {
    "lazy": lambda spec: np.zeros_like(honest(spec)),
    "random": lambda spec: np.random.default_rng(0).normal(size=len(honest(spec))) * 0.01,
    "scaled": lambda spec: 2 * honest(spec),
    "sign-flip": lambda spec: -honest(spec),
    "wrong-shard": lambda spec: honest(spec, shard=1),
    "partial-batch": partial_batch,
    "label-flip": label_flip,
    "low-precision": low_precision,
}


@pytest.mark.parametrize("kind", CHEATS)
@pytest.mark.parametrize("codec", CODECS)
def test_replay_shard__cheat__fails_even_the_tolerant_policy(kind: str, codec: str) -> None:
    spec = make_spec(codec=codec, verification=TOLERANT)
    verdict = judge(spec, CHEATS[kind](spec))
    assert not verdict.ok
    assert not verdict.identical
    assert verdict.differing_ppm > 10_000
    assert "codes differ" in verdict.reason


def test_replay_shard__blob_that_cannot_be_read__fails_with_the_reason() -> None:
    spec = make_spec()
    verdict = replay_shard(site(spec), b"\xff" * 100)
    assert not verdict.ok
    assert verdict.comparison is None
    assert verdict.differing_ppm == 1_000_000
    assert "header of" in verdict.reason
