"""What an adversary inside the tolerance does to a model, when every miner is one and nobody ever looks."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from pot.experiment.shapes import Shape, dataset_blob, spec_of
from protocol.policy import Limits
from protocol.spec import TaskSpec
from worker.training.checkpoint import Checkpoint, initial_checkpoint, load_checkpoint
from worker.training.codec import MANTISSA_BITS, CodecName, Codes, quantise, values_of
from worker.training.data import Batch, Dataset, load_dataset
from worker.training.evaluate import evaluate
from worker.training.models import layout_of
from worker.training.push import push
from worker.training.rounds import apply_round
from worker.training.step import batches_gradient, encode_gradient, shard_batches

DIRECTIONS: Final = ("none", "gradient", "fixed", "poison")
SHARES_PPM: Final = (100_000, 1_000_000)


@dataclass(frozen=True, slots=True, kw_only=True)
class Drift:
    """Test accuracy after a whole training in which all shards of all rounds were pushed."""

    compute: str
    codec: CodecName
    direction: str
    share_ppm: int
    accuracy: float
    loss_micros: int


def drifts(limits_of: Callable[[str, str, str], Limits], *, rounds: int, seed: int) -> list[Drift]:
    """Train the MLP on digits with each push, in both arithmetics and both integer codecs."""
    found = []
    for compute in ("float64", "float32"):
        for codec in ("int16", "int8"):
            shape = Shape(arch="mlp", compute=compute, micro_batch=64)
            base = spec_of(shape, seed=seed, rounds=rounds)
            spec = msgspec.structs.replace(base, recipe=msgspec.structs.replace(base.recipe, codec=codec))
            limits = limits_of("mlp", compute, codec)
            for direction in DIRECTIONS:
                for share in SHARES_PPM if direction != "none" else (0,):
                    found.append(_train(shape, spec, limits, direction, share))
    return found


def _train(shape: Shape, spec: TaskSpec, limits: Limits, direction: str, share_ppm: int) -> Drift:
    data, model = load_dataset(dataset_blob(shape), spec.dataset), initial_checkpoint(spec)
    for number in range(1, spec.recipe.rounds + 1):
        checkpoint = load_checkpoint(spec, model)
        gradients = {
            shard: _pushed(spec, checkpoint, data, number, shard, limits, direction, share_ppm)
            for shard in range(spec.recipe.shards)
        }
        model = apply_round(spec, model, gradients)
    end = evaluate(spec, load_checkpoint(spec, model), data)
    return Drift(
        compute=spec.recipe.compute,
        codec=spec.recipe.codec,
        direction=direction,
        share_ppm=share_ppm,
        accuracy=end.accuracy,
        loss_micros=end.loss_micros or 0,
    )


def _pushed(
    spec: TaskSpec,
    checkpoint: Checkpoint,
    data: Dataset,
    number: int,
    shard: int,
    limits: Limits,
    direction: str,
    share_ppm: int,
) -> bytes:
    batches, layout = shard_batches(spec, data, number, shard), layout_of(spec.model)
    bits = MANTISSA_BITS[spec.recipe.codec]
    own = quantise(bits, layout, batches_gradient(spec, checkpoint.parameters, batches).gradient)
    if direction != "none":
        own = push(own, _towards(spec, checkpoint, batches, own, direction), limits, share_ppm)
    return encode_gradient(spec, values_of(layout, own))


def _towards(
    spec: TaskSpec, checkpoint: Checkpoint, batches: list[Batch], own: Codes, direction: str
) -> NDArray[np.int64]:
    match direction:
        case "gradient":
            # Towards zero: less training than was paid for.
            return -np.sign(own.codes).astype(np.int64)
        case "fixed":
            generator = np.random.default_rng(spec.recipe.seed)
            return generator.choice(np.array([-1, 1]), size=own.codes.shape)
        case _:
            flipped = [Batch(inputs=b.inputs, targets=9 - b.targets) for b in batches]
            poison = batches_gradient(spec, checkpoint.parameters, flipped).gradient
            return np.sign(quantise(own.bits, layout_of(spec.model), poison).codes).astype(np.int64)
