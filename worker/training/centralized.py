"""What the network is measured against: the same recipe by one process that trusts itself.

``train_centralized`` is ordinary torch (autograd, ``torch.optim``, float32) on the same initial model and the
same global batches. ``one_process_replay`` is the protocol's own arithmetic without a network; its
checkpoints are the network's, bit for bit.
"""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import torch

from protocol.ids import Address
from protocol.spec import Optimizer, TaskSpec
from worker.training.checkpoint import Checkpoint, initial_checkpoint, load_checkpoint
from worker.training.data import Dataset
from worker.training.errors import InvalidRecipe
from worker.training.forward import loss_sum
from worker.training.models import initial_parameters
from worker.training.numerics import numerics
from worker.training.rounds import apply_round
from worker.training.shards import shard_indices
from worker.training.step import encode_gradient, named_tensors, shard_gradient


@dataclass(frozen=True, slots=True, kw_only=True)
class Trained:
    """A centrally trained model (its optimizer state is not kept) and the training loss of each round."""

    checkpoint: Checkpoint
    losses_micros: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayedRound:
    """One round of ``one_process_replay``: the checkpoint blob after it and its gradient blobs by shard."""

    round: int
    checkpoint_blob: bytes
    model_sha256: bytes
    gradient_blobs: tuple[bytes, ...]
    loss_micros: int


def train_centralized(spec: TaskSpec, dataset: Dataset, *, threads: int = 1, device: str = "cpu") -> Trained:
    """Train all rounds with ``torch.optim`` on whole global batches.

    Raises InvalidRecipe for more than one local step: a single process has no local steps.
    """
    recipe = spec.recipe
    if recipe.local_steps != 1:
        raise InvalidRecipe("local_steps", "plain training has none; use 1 for this baseline")
    dataset.require_fit(spec.model)
    samples = dataset.samples(spec.model, "train")
    losses = []
    with numerics(threads, device) as where:
        start = torch.tensor(initial_parameters(spec.model, recipe.seed), device=where)
        leaves = {name: t.clone().requires_grad_() for name, t in named_tensors(spec, start).items()}
        optimizer = _torch_optimizer(recipe.optimizer, list(leaves.values()))
        for number in range(1, recipe.rounds + 1):
            shards = [shard_indices(spec.hash, recipe, samples, number, k) for k in range(recipe.shards)]
            batch = dataset.batch(spec.model, "train", np.concatenate(shards))
            inputs = torch.tensor(batch.inputs, device=where)
            targets = torch.tensor(batch.targets, device=where)
            optimizer.zero_grad()
            loss = loss_sum(spec.model, leaves, inputs, targets) / batch.targets.size
            torch.autograd.backward(loss)
            optimizer.step()
            losses.append(round(float(loss.detach()) * 1e6))
        parameters = torch.cat([t.detach().reshape(-1) for t in leaves.values()]).cpu().numpy()
    checkpoint = Checkpoint(round=recipe.rounds, parameters=parameters, state={})
    return Trained(checkpoint=checkpoint, losses_micros=tuple(losses))


def one_process_replay(
    spec: TaskSpec,
    dataset: Dataset,
    *,
    miners: Mapping[int, Address] | None = None,
    threads: int = 1,
    device: str = "cpu",
) -> Iterator[ReplayedRound]:
    """All rounds of a task with every shard present, one after the other; ``miners`` by shard, in every round
    the same, where the aggregation has a momentum."""
    blob = initial_checkpoint(spec)
    for number in range(1, spec.recipe.rounds + 1):
        checkpoint = load_checkpoint(spec, blob)
        results = [
            shard_gradient(spec, checkpoint, dataset, number, k, threads=threads, device=device)
            for k in range(spec.recipe.shards)
        ]
        gradients = tuple(encode_gradient(spec, result.gradient) for result in results)
        blob = apply_round(spec, blob, dict(enumerate(gradients)), miners)
        yield ReplayedRound(
            round=number,
            checkpoint_blob=blob,
            model_sha256=hashlib.sha256(blob).digest(),
            gradient_blobs=gradients,
            loss_micros=sum(result.loss_micros for result in results) // len(results),
        )


def _torch_optimizer(optimizer: Optimizer, leaves: list[torch.Tensor]) -> torch.optim.Optimizer:
    lr, decay = float(optimizer.lr), float(optimizer.weight_decay)
    match optimizer.kind:
        case "sgd":
            return torch.optim.SGD(leaves, lr=lr, momentum=float(optimizer.momentum), weight_decay=decay)
        case "adamw":
            betas = (float(optimizer.beta1), float(optimizer.beta2))
            return torch.optim.AdamW(leaves, lr=lr, betas=betas, eps=float(optimizer.eps), weight_decay=decay)
