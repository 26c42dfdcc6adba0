"""One shard's work: from a checkpoint and the shard's samples to a gradient.

A shard is ``local_steps`` inner batches of equal size, in order. The gradient g_h of inner batch h is the
mean over its targets, summed over micro-batches in ascending order, taken at theta - lr * (p_1 + ... +
p_(h-1)): inner steps are plain SGD at the outer learning rate. The result is g_1 + ... + g_H. With one local
step that is the gradient; with more it is (theta_start - theta_end) / lr, so that an outer SGD step without
momentum averages the miners' models (McMahan et al. 2017).

A micro-batch's *part* is its share of that sum as float32: what the miner commits to one by one. p_h is the
float64 sum of the parts of step h, so that anybody who has the parts before a micro-batch can compute it
alone, at exactly the point where the miner computed it.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from protocol.spec import TaskSpec
from worker.training.checkpoint import Checkpoint
from worker.training.codec import Gradient, encode
from worker.training.data import Batch, Dataset
from worker.training.errors import Diverged, InvalidRecipe
from worker.training.forward import logits, scores_loss
from worker.training.models import layout_of
from worker.training.numerics import numerics
from worker.training.parts import Vector, sum_of
from worker.training.shards import shard_indices
from worker.training.watched import Watched
from worker.training.witness import WITNESSES

MAX_LOSS_MICROS = 2**63 - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class ShardResult:
    """``gradient``: flat [size] in the recipe's compute dtype; ``loss_micros``: mean loss per target in
    millionths of a nat, before each inner step, over the whole shard; ``samples``: how many the shard
    held; ``parts``: the share of each micro-batch, flat float32 [size], in computing order; ``scores``: those
    that each seed of ``watch`` draws (``worker.training.witness``), float64 [seeds, WITNESSES]."""

    gradient: Gradient
    parts: tuple[Vector, ...]
    samples: int
    loss_micros: int
    scores: NDArray[np.float64] = field(default_factory=lambda: np.zeros((0, WITNESSES)))


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
    batches = round_batches(spec, checkpoint, dataset, round_number, shard)
    return batches_gradient(spec, checkpoint.parameters, batches, threads=threads, device=device)


def round_batches(
    spec: TaskSpec, checkpoint: Checkpoint, dataset: Dataset, round_number: int, shard: int
) -> list[Batch]:
    """``shard_batches`` for work on ``checkpoint``. Raises InvalidRecipe unless it is the model before
    ``round_number``."""
    if checkpoint.round != round_number - 1:
        raise InvalidRecipe("rounds", f"round {round_number} needs the model of round {round_number - 1}")
    return shard_batches(spec, dataset, round_number, shard)


def shard_batches(spec: TaskSpec, dataset: Dataset, round_number: int, shard: int) -> list[Batch]:
    """The inner batches of a shard, ``local_steps`` of them; raises as ``shard_gradient``."""
    dataset.require_fit(spec.model)
    samples = dataset.samples(spec.model, "train")
    indices = shard_indices(spec.hash, spec.recipe, samples, round_number, shard)
    return [dataset.batch(spec.model, "train", part) for part in indices.reshape(spec.recipe.local_steps, -1)]


def batches_gradient(
    spec: TaskSpec,
    parameters: Vector,
    batches: Sequence[Batch],
    *,
    threads: int = 1,
    device: str = "cpu",
    watch: Sequence[bytes] = (),
    claimed: Sequence[Vector] | None = None,
) -> ShardResult:
    """The work on given inner batches, starting from flat float32 ``parameters`` [size]. Later steps start
    where the own parts lead, or the ``claimed`` ones."""
    dtype = torch.float64 if spec.recipe.compute == "float64" else torch.float32
    lr = float(spec.recipe.optimizer.lr)
    with numerics(threads, device) as where:
        start = torch.tensor(parameters, dtype=dtype, device=where)
        total = torch.zeros_like(start)
        loss, targets = 0.0, 0
        watched = Watched(watch, sum(batch.targets.size for batch in batches))
        parts: list[Vector] = []
        for step, batch in enumerate(batches):
            done = parts if claimed is None else claimed[: len(parts)]
            point = _moved(start, lr, done) if step else start
            step_total, step_loss = torch.zeros_like(point), 0.0
            for micro_gradient, micro_loss, scores in _micro_gradients(spec, point, batch):
                watched.see(scores)
                step_total += micro_gradient
                step_loss += micro_loss
                parts.append(as_part(micro_gradient, batch.targets.size))
            total += step_total / batch.targets.size
            loss += step_loss
            targets += batch.targets.size
        gradient: Gradient = total.cpu().numpy()
    if not (np.isfinite(loss) and bool(np.isfinite(gradient).all())):
        raise Diverged("a shard's gradient")
    return ShardResult(
        gradient=gradient,
        parts=tuple(parts),
        samples=sum(len(batch.targets) for batch in batches),
        loss_micros=min(round(loss / targets * 1e6), MAX_LOSS_MICROS),
        scores=watched.scores,
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


def part_gradient(
    spec: TaskSpec,
    parameters: Vector,
    batches: Sequence[Batch],
    index: int,
    before: Sequence[Vector],
    *,
    threads: int = 1,
    device: str = "cpu",
) -> Vector:
    """The part of micro-batch ``index`` alone, flat float32 [size], where the parts of all earlier local
    steps are ``before`` (more do no harm). Raises Diverged when it is not finite."""
    dtype = torch.float64 if spec.recipe.compute == "float64" else torch.float32
    step, place = divmod(index, spec.recipe.batches_per_step)
    batch = batches[step]
    first = place * spec.recipe.micro_batch
    micro = Batch(
        inputs=batch.inputs[first : first + spec.recipe.micro_batch],
        targets=batch.targets[first : first + spec.recipe.micro_batch],
    )
    with numerics(threads, device) as where:
        start = torch.tensor(parameters, dtype=dtype, device=where)
        earlier = before[: step * spec.recipe.batches_per_step]
        point = _moved(start, float(spec.recipe.optimizer.lr), earlier) if step else start
        ((gradient, _, _),) = _micro_gradients(spec, point, micro)
        part = as_part(gradient, batch.targets.size)
    if not bool(np.isfinite(part).all()):
        raise Diverged("a micro-batch's gradient")
    return part


def _moved(start: Tensor, lr: float, parts: Sequence[Vector]) -> Tensor:
    """Where the inner steps have led to: ``start`` - lr * sum, in float64, rounded to the compute dtype."""
    walked = torch.tensor(lr * sum_of(parts), device=start.device)
    return (start.to(torch.float64) - walked).to(start.dtype)


def as_part(micro_gradient: Tensor, targets: int) -> Vector:
    """What a micro-batch's gradient [size] is of the mean over ``targets``."""
    part: Vector = (micro_gradient / targets).to(torch.float32).cpu().numpy()
    return part


def _micro_gradients(spec: TaskSpec, point: Tensor, batch: Batch) -> Iterator[tuple[Tensor, float, Tensor]]:
    """The gradient [size] of the summed loss of each micro-batch, that loss, and the scores [.., classes]."""
    leaves = {name: t.detach().requires_grad_() for name, t in named_tensors(spec, point).items()}
    for first in range(0, len(batch.targets), spec.recipe.micro_batch):
        part = slice(first, first + spec.recipe.micro_batch)
        inputs = torch.tensor(batch.inputs[part], device=point.device)
        if inputs.is_floating_point():
            inputs = inputs.to(point.dtype)
        targets = torch.tensor(batch.targets[part], device=point.device)
        scores = logits(spec.model, leaves, inputs)
        part_loss = scores_loss(scores, targets)
        gradients = torch.autograd.grad(part_loss, list(leaves.values()))
        flat = torch.cat([gradient.reshape(-1) for gradient in gradients])
        yield flat, float(part_loss.detach()), scores.detach()
