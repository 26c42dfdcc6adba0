from typing import Any

import numpy as np
import pytest
import torch

from protocol.spec import TaskSpec
from tests.unit.training.specs import CNN, MLP, TRANSFORMER, dataset_of, make_spec, with_recipe
from worker.training.checkpoint import initial_checkpoint, load_checkpoint
from worker.training.errors import Diverged, InvalidDataset, InvalidRecipe
from worker.training.forward import loss_sum
from worker.training.models import layout_of
from worker.training.step import (
    ShardResult,
    batches_gradient,
    encode_gradient,
    named_tensors,
    shard_batches,
    shard_gradient,
)

MODELS = {"mlp": MLP, "cnn": CNN, "transformer": TRANSFORMER}


def compute(spec: TaskSpec, shard: int = 1, **options: Any) -> ShardResult:
    return shard_gradient(
        spec, load_checkpoint(spec, initial_checkpoint(spec)), dataset_of(spec), 1, shard, **options
    )


@pytest.mark.parametrize("arch", MODELS)
def test_shard_gradient__one_and_two_threads__encode_to_the_same_bytes(arch: str) -> None:
    spec = make_spec(model=MODELS[arch])
    before = torch.get_num_threads()
    blobs = {encode_gradient(spec, compute(spec, threads=threads).gradient) for threads in (1, 2)}
    assert len(blobs) == 1
    assert torch.get_num_threads() == before


@pytest.mark.parametrize("arch", MODELS)
@pytest.mark.parametrize("codec", ["int8", "int16"])
def test_shard_gradient__other_micro_batches__encode_to_the_same_bytes(arch: str, codec: str) -> None:
    spec = make_spec(model=MODELS[arch], codec=codec)
    # The spec's hash, and with it the samples, depends on the plan: give all plans the same samples.
    batches = shard_batches(spec, dataset_of(spec), 1, 0)
    start = load_checkpoint(spec, initial_checkpoint(spec)).parameters
    blobs = {
        encode_gradient(spec, batches_gradient(with_recipe(spec, micro_batch=m), start, batches).gradient)
        for m in (64, 32, 17, 5)
    }
    assert len(blobs) == 1


@pytest.mark.parametrize("arch", MODELS)
def test_shard_gradient__float64__is_the_mean_loss_differentiated(arch: str) -> None:
    spec = make_spec(model=MODELS[arch], micro_batch=10)
    (batch,) = shard_batches(spec, dataset_of(spec), 1, 1)
    start = load_checkpoint(spec, initial_checkpoint(spec)).parameters
    point = torch.tensor(start, dtype=torch.float64, requires_grad=True)
    inputs = torch.tensor(batch.inputs)
    inputs = inputs.double() if inputs.is_floating_point() else inputs
    targets = torch.tensor(batch.targets)
    loss = loss_sum(spec.model, named_tensors(spec, point), inputs, targets) / targets.numel()
    (expected,) = torch.autograd.grad(loss, point)
    result = compute(spec)
    np.testing.assert_allclose(result.gradient, expected.numpy(), rtol=1e-9, atol=1e-14)
    assert result.loss_micros == pytest.approx(float(loss.detach()) * 1e6, abs=1)
    assert result.samples == 64


def test_shard_gradient__float32_class__is_near_the_exact_one() -> None:
    spec = make_spec()
    batches = shard_batches(spec, dataset_of(spec), 1, 0)
    start = load_checkpoint(spec, initial_checkpoint(spec)).parameters
    exact = batches_gradient(spec, start, batches).gradient
    fast = batches_gradient(with_recipe(spec, compute="float32"), start, batches).gradient
    assert [exact.dtype, fast.dtype] == [np.dtype("f8"), np.dtype("f4")]
    assert 0 < float(np.linalg.norm(exact - fast) / np.linalg.norm(exact)) < 1e-6


def test_shard_gradient__local_steps__is_the_sum_of_gradients_along_plain_sgd() -> None:
    spec = make_spec(local_steps=4, optimizer={"kind": "sgd", "lr": "0.1"})
    batches = shard_batches(spec, dataset_of(spec), 1, 1)
    assert [len(batch.targets) for batch in batches] == [16] * 4
    start = load_checkpoint(spec, initial_checkpoint(spec)).parameters
    point, total = start.astype(np.float64), np.zeros(len(start))
    for batch in batches:
        leaf = torch.tensor(point, requires_grad=True)
        inputs, targets = torch.tensor(batch.inputs).double(), torch.tensor(batch.targets)
        loss = loss_sum(spec.model, named_tensors(spec, leaf), inputs, targets) / 16
        gradient = torch.autograd.grad(loss, leaf)[0].numpy()
        total += gradient
        point = point - 0.1 * gradient
    result = compute(spec)
    # Inner steps follow the float32 parts, so that each of them can be repeated alone.
    np.testing.assert_allclose(result.gradient, total, rtol=1e-5, atol=1e-8)
    np.testing.assert_allclose((start - point) / 0.1, result.gradient, rtol=1e-5, atol=1e-8)
    assert result.samples == 64


def test_encode_gradient__tensors_by_name__give_the_bytes_of_the_flat_vector() -> None:
    spec = make_spec()
    flat = compute(spec).gradient
    named = layout_of(spec.model).named(flat)
    assert encode_gradient(spec, dict(reversed(named.items()))) == encode_gradient(spec, flat)


def test_shard_gradient__model_of_another_round__is_refused() -> None:
    spec = make_spec()
    checkpoint = load_checkpoint(spec, initial_checkpoint(spec))
    with pytest.raises(InvalidRecipe, match="round 2 needs the model of round 1"):
        shard_gradient(spec, checkpoint, dataset_of(spec), 2, 0)


def test_shard_gradient__model_that_cannot_read_the_data__is_refused() -> None:
    spec = make_spec(model={"arch": "mlp", "params": {"inputs": 63, "hidden": 4, "layers": 1, "classes": 10}})
    with pytest.raises(InvalidDataset, match="64 features, the model reads 63"):
        compute(spec)


def test_shard_gradient__too_few_classes__is_refused() -> None:
    spec = make_spec(model={"arch": "mlp", "params": {"inputs": 64, "hidden": 4, "layers": 1, "classes": 9}})
    with pytest.raises(InvalidDataset, match="10 classes, the model knows 9"):
        compute(spec)


def test_batches_gradient__parameters_out_of_range__is_divergence() -> None:
    spec = make_spec(compute="float32")
    huge = np.full(layout_of(spec.model).size, 3e38, np.float32)
    with pytest.raises(Diverged):
        batches_gradient(spec, huge, shard_batches(spec, dataset_of(spec), 1, 0))
