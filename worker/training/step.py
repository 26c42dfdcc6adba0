"""One shard's work: from a checkpoint and the shard's samples to a gradient.

A shard is ``local_steps`` inner batches of equal size, in order. The gradient g_h of inner batch h is the
mean over its targets, summed over micro-batches in ascending order, taken at theta - lr * (g_1 + ... +
g_(h-1)): inner steps are plain SGD at the outer learning rate. The result is g_1 + ... + g_H. With one local
step that is the gradient; with more it is (theta_start - theta_end) / lr, so that an outer SGD step without
momentum averages the miners' models (McMahan et al. 2017).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from protocol.spec import TaskSpec
from worker.training.checkpoint import Checkpoint
from worker.training.codec import Gradient, encode
from worker.training.data import Batch, Dataset
from worker.training.errors import Diverged, InvalidRecipe
from worker.training.forward import loss_sum
from worker.training.models import layout_of
from worker.training.numerics import numerics
from worker.training.shards import shard_indices

Vector: TypeAlias = NDArray[np.float32]

MAX_LOSS_MICROS = 2**63 - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class ShardResult:
    """``gradient``: flat [size] in the recipe's compute dtype; ``loss_micros``: mean loss per target in
    millionths of a nat, before each inner step, over the whole shard; ``samples``: how many the shard
    held."""

    gradient: Gradient
    samples: int
    loss_micros: int


def shard_gradient(
    spec: TaskSpec,
    checkpoint: Checkpoint,
    dataset: Dataset,
    round_number: int,
    shard: int,
    *,
    threads: int = 1,
    device: str = "cpu",
) -> ShardResult:
    """The gradient of one shard at ``checkpoint``, which must be the model before ``round_number``.

    Raises InvalidRecipe, InvalidDataset when spec, data and round do not fit together; Diverged when the loss
    or a gradient is not finite.
    """
    if checkpoint.round != round_number - 1:
        raise InvalidRecipe("rounds", f"round {round_number} needs the model of round {round_number - 1}")
    batches = shard_batches(spec, dataset, round_number, shard)
    return batches_gradient(spec, checkpoint.parameters, batches, threads=threads, device=device)


def shard_batches(spec: TaskSpec, dataset: Dataset, round_number: int, shard: int) -> list[Batch]:
    """The inner batches of a shard, ``local_steps`` of them; raises as ``shard_gradient``."""
    dataset.require_fit(spec.model)
    samples = dataset.samples(spec.model, "train")
    indices = shard_indices(spec.hash, spec.recipe, samples, round_number, shard)
    return [dataset.batch(spec.model, "train", part) for part in indices.reshape(spec.recipe.local_steps, -1)]


def batches_gradient(
    spec: TaskSpec, parameters: Vector, batches: Sequence[Batch], *, threads: int = 1, device: str = "cpu"
) -> ShardResult:
    """The work on given inner batches, starting from flat float32 ``parameters`` [size]."""
    dtype = torch.float64 if spec.recipe.compute == "float64" else torch.float32
    lr = float(spec.recipe.optimizer.lr)
    with numerics(threads, device) as where:
        start = torch.tensor(parameters, dtype=dtype, device=where)
        total = torch.zeros_like(start)
        loss, targets = 0.0, 0
        for step, batch in enumerate(batches):
            point = start - lr * total if step else start
            step_gradient, batch_loss = _batch_gradient(spec, point, batch)
            total += step_gradient
            loss += batch_loss
            targets += batch.targets.size
        gradient: Gradient = total.cpu().numpy()
    if not (np.isfinite(loss) and bool(np.isfinite(gradient).all())):
        raise Diverged("a shard's gradient")
    return ShardResult(
        gradient=gradient,
        samples=sum(len(batch.targets) for batch in batches),
        loss_micros=min(round(loss / targets * 1e6), MAX_LOSS_MICROS),
    )


def encode_gradient(spec: TaskSpec, gradient: Gradient | Mapping[str, Gradient]) -> bytes:
    """The blob of a gradient in the recipe's codec, from a flat vector [size] or from tensors by name."""
    layout = layout_of(spec.model)
    vector: Gradient = layout.flat(gradient) if isinstance(gradient, Mapping) else gradient
    return encode(spec.recipe.codec, layout, vector)


def named_tensors(spec: TaskSpec, vector: Tensor) -> dict[str, Tensor]:
    """Views of a flat vector [size], one per tensor of the model."""
    layout = layout_of(spec.model)
    where = layout.slices()
    return {p.name: vector[where[p.name]].view(p.shape) for p in layout.parameters}


def _batch_gradient(spec: TaskSpec, point: Tensor, batch: Batch) -> tuple[Tensor, float]:
    """The mean gradient over a batch [size] and the sum of its losses."""
    leaves = {name: t.detach().requires_grad_() for name, t in named_tensors(spec, point).items()}
    total = torch.zeros_like(point)
    loss = 0.0
    for first in range(0, len(batch.targets), spec.recipe.micro_batch):
        part = slice(first, first + spec.recipe.micro_batch)
        inputs = torch.tensor(batch.inputs[part], device=point.device)
        if inputs.is_floating_point():
            inputs = inputs.to(point.dtype)
        targets = torch.tensor(batch.targets[part], device=point.device)
        part_loss = loss_sum(spec.model, leaves, inputs, targets)
        gradients = torch.autograd.grad(part_loss, list(leaves.values()))
        total += torch.cat([gradient.reshape(-1) for gradient in gradients])
        loss += float(part_loss.detach())
    return total / batch.targets.size, loss
