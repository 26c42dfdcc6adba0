import itertools

import numpy as np
import pytest
import torch

from tests.unit.training.specs import ADAMW, SGD, dataset_of, make_spec
from worker.training.aggregate import aggregate
from worker.training.checkpoint import Checkpoint, initial_checkpoint, load_checkpoint, save_checkpoint
from worker.training.codec import decode
from worker.training.errors import BlobRejected, InvalidRecipe, UnusualArithmetic
from worker.training.models import layout_of
from worker.training.rounds import apply_round
from worker.training.step import encode_gradient, shard_gradient


@pytest.mark.parametrize("optimizer", [SGD, ADAMW], ids=["sgd", "adamw"])
def test_apply_round__any_thread_count_and_arrival_order__gives_the_same_bytes(
    optimizer: dict[str, str],
) -> None:
    spec = make_spec(optimizer=optimizer)
    blob = initial_checkpoint(spec)
    checkpoint, dataset = load_checkpoint(spec, blob), dataset_of(spec)
    models = set()
    for threads in (1, 2):
        blobs = {
            k: encode_gradient(
                spec, shard_gradient(spec, checkpoint, dataset, 1, k, threads=threads).gradient
            )
            for k in range(4)
        }
        for order in itertools.permutations(range(4)):
            models.add(apply_round(spec, blob, {k: blobs[k] for k in order}))
    assert len(models) == 1


def test_apply_round__plain_sgd__is_the_formula() -> None:
    spec = make_spec(optimizer={"kind": "sgd", "lr": "0.25"})
    layout = layout_of(spec.model)
    gradients = [np.linspace(-1, k, layout.size) for k in range(3)]
    blobs = {k: encode_gradient(spec, gradient) for k, gradient in enumerate(gradients)}
    before = load_checkpoint(spec, initial_checkpoint(spec))
    after = load_checkpoint(spec, apply_round(spec, initial_checkpoint(spec), blobs))
    decoded = np.stack([decode(spec.recipe.codec, layout, blobs[k]).astype(np.float64) for k in range(3)])
    mean = (((decoded[0] + decoded[1]) + decoded[2]) / 3).astype(np.float32)
    expected = before.parameters - mean * np.float32(0.25)
    assert after.round == 1
    assert np.array_equal(after.parameters, expected)


def test_apply_round__tampered_gradient__is_rejected_and_its_shard_named() -> None:
    spec = make_spec()
    blob = encode_gradient(spec, np.zeros(layout_of(spec.model).size))
    with pytest.raises(BlobRejected, match="gradient of shard 2"):
        apply_round(spec, initial_checkpoint(spec), {0: blob, 2: blob[:-1]})


def test_apply_round__nobody_worked__is_refused() -> None:
    spec = make_spec()
    with pytest.raises(InvalidRecipe, match="at least one gradient"):
        apply_round(spec, initial_checkpoint(spec), {})


@pytest.mark.parametrize("shard", [-1, 4])
def test_apply_round__shard_outside_the_recipe__is_refused(shard: int) -> None:
    spec = make_spec()
    blob = encode_gradient(spec, np.zeros(layout_of(spec.model).size))
    with pytest.raises(InvalidRecipe, match=f"shard {shard} is not"):
        apply_round(spec, initial_checkpoint(spec), {shard: blob})


def test_apply_round__after_the_last_round__is_refused() -> None:
    spec = make_spec()
    start = load_checkpoint(spec, initial_checkpoint(spec))
    last = Checkpoint(round=spec.recipe.rounds, parameters=start.parameters, state=start.state)
    blob = encode_gradient(spec, np.zeros(layout_of(spec.model).size))
    with pytest.raises(InvalidRecipe, match="all 30 rounds are done"):
        apply_round(spec, save_checkpoint(spec, last), {0: blob})


def test_aggregate__unknown_rule__is_refused() -> None:
    with pytest.raises(InvalidRecipe, match="unknown rule 'vote'"):
        aggregate("vote", [np.zeros(3, np.float32)])  # type: ignore[arg-type]


def test_aggregate__numbers_that_cancel__keep_what_float32_would_lose() -> None:
    vectors = [np.array([value], np.float32) for value in (1e8, 1.0, -1e8)]
    assert float(aggregate("mean", vectors)[0]) == float(np.float32(1 / 3))


def test_checkpoint__saved_and_loaded__is_the_same() -> None:
    spec = make_spec(optimizer=ADAMW)
    blob = initial_checkpoint(spec)
    assert save_checkpoint(spec, load_checkpoint(spec, blob)) == blob
    assert set(load_checkpoint(spec, blob).state) == {"first_moment", "second_moment"}


def test_load_checkpoint__of_another_optimizer__is_rejected() -> None:
    with pytest.raises(BlobRejected, match="expected None"):
        load_checkpoint(make_spec(optimizer=SGD), initial_checkpoint(make_spec(optimizer=ADAMW)))


def test_load_checkpoint__round_beyond_the_recipe__is_rejected() -> None:
    spec = make_spec()
    start = load_checkpoint(spec, initial_checkpoint(spec))
    late = Checkpoint(round=31, parameters=start.parameters, state=start.state)
    with pytest.raises(BlobRejected, match=r"round 31 is not in 0\.\.30"):
        load_checkpoint(spec, save_checkpoint(spec, late))


def test_apply_round__process_that_flushes_subnormals__refuses_to_compute() -> None:
    spec = make_spec()
    blob = encode_gradient(spec, np.zeros(layout_of(spec.model).size))
    if not torch.set_flush_denormal(True):
        pytest.skip("this processor cannot flush subnormals")
    try:
        with pytest.raises(UnusualArithmetic):
            apply_round(spec, initial_checkpoint(spec), {0: blob})
    finally:
        torch.set_flush_denormal(False)
