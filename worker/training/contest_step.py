"""One miner's training for a contest: steps whose every input follows from the miner's seed.

Step s = 1, 2, 3, ... takes the batch that the order named by the seed gives it, the mean gradient in the
recipe's arithmetic (rounded to float32 once), and the optimizer's exact update. In float64 the result is the
same on every machine up to a rounding tie.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from protocol.contest_recipe import ContestRecipe
from worker.training.data import Batch, Dataset
from worker.training.errors import BlobRejected, Diverged
from worker.training.numerics import numerics
from worker.training.optimizer import state_names, update
from worker.training.shards import round_order
from worker.training.sml import MappedModel
from worker.training.tensors import Manifest, TensorSpec, safe_load, safe_save

Vector: TypeAlias = NDArray[np.float32]
_ORDER_DOMAIN: Final = b"contest/"


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """What a contest trains: recipe, model behind its Z, data, and whose seed it is."""

    recipe: ContestRecipe
    model: MappedModel
    dataset: Dataset
    seed: bytes

    def of(self, seed: bytes) -> "Job":
        """The same contest for another miner."""
        return replace(self, seed=seed)


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """Between two steps: ``step`` steps are done; parameters and each optimizer vector are flat float32
    [size]."""

    step: int
    parameters: Vector
    optimizer: Mapping[str, Vector]


def initial_state(job: Job) -> State:
    """Where the owner of the job's seed starts."""
    parameters = job.model.initial(job.seed)
    return State(
        step=0,
        parameters=parameters,
        optimizer={name: np.zeros_like(parameters) for name in state_names(job.recipe.optimizer)},
    )


def advance(job: Job, state: State, steps: int, *, threads: int = 1, device: str = "cpu") -> State:
    """``steps`` more steps. Raises Diverged when a gradient or a parameter is not finite, InvalidDataset when
    data and model do not fit."""
    job.dataset.require_fit(job.model.model)
    dtype = torch.float64 if job.recipe.compute == "float64" else torch.float32
    with numerics(threads, device) as where:
        matrix = job.model.matrix(job.seed)
        z = None if matrix is None else torch.tensor(matrix, dtype=dtype, device=where)
        for number in range(state.step + 1, state.step + steps + 1):
            point = torch.tensor(state.parameters, dtype=dtype, device=where)
            gradient = batch_gradient(job, point, z, batch_of(job, number))
            parameters, after = update(
                job.recipe.optimizer, number, state.parameters, gradient, state.optimizer
            )
            state = State(step=number, parameters=parameters, optimizer=after)
    return state


def batch_of(job: Job, number: int) -> Batch:
    """The samples of step 1, 2, 3, ..."""
    samples = job.dataset.samples(job.model.model, "train")
    order = round_order(_ORDER_DOMAIN + job.seed, job.recipe.batch, samples, number)
    return job.dataset.batch(job.model.model, "train", order)


def batch_gradient(job: Job, point: Tensor, z: Tensor | None, batch: Batch) -> Vector:
    """The mean gradient over a batch, float32 [size], micro-batches added in order. Raises Diverged."""
    leaves = {name: t.detach().requires_grad_() for name, t in job.model.tensors(point).items()}
    total = torch.zeros_like(point)
    for first in range(0, len(batch.targets), job.recipe.micro_batch):
        part = slice(first, first + job.recipe.micro_batch)
        inputs = torch.tensor(batch.inputs[part], device=point.device)
        inputs = inputs.to(point.dtype) if inputs.is_floating_point() else inputs
        targets = torch.tensor(batch.targets[part], device=point.device)
        scores = job.model.logits(leaves, z, inputs)
        loss = torch.nn.functional.cross_entropy(
            scores.reshape(-1, scores.shape[-1]), targets.reshape(-1), reduction="sum"
        )
        gradients = torch.autograd.grad(loss, list(leaves.values()))
        total += torch.cat([gradient.reshape(-1) for gradient in gradients])
    gradient: Vector = (total / batch.targets.size).float().cpu().numpy()
    if not bool(np.isfinite(gradient).all()):
        raise Diverged("a contest step's gradient")
    return gradient


def state_manifest(job: Job) -> Manifest:
    """The tensors of a checkpoint blob."""
    params = [
        TensorSpec(name=f"param.{p.name}", dtype="F32", shape=p.shape) for p in job.model.layout.parameters
    ]
    carried = [
        TensorSpec(name=f"optimizer.{name}", dtype="F32", shape=(job.model.layout.size,))
        for name in state_names(job.recipe.optimizer)
    ]
    return Manifest(tensors=(*params, *carried, TensorSpec(name="step", dtype="I64", shape=(1,))))


def save_state(job: Job, state: State) -> bytes:
    """The one blob of a state."""
    tensors: dict[str, NDArray[Any]] = {"step": np.array([state.step], dtype=np.int64)}
    for name, tensor in job.model.layout.named(state.parameters).items():
        tensors[f"param.{name}"] = tensor
    for name in state_names(job.recipe.optimizer):
        tensors[f"optimizer.{name}"] = state.optimizer[name]
    return safe_save(tensors)


def load_state(job: Job, blob: bytes, step: int, subject: str = "checkpoint") -> State:
    """The state after ``step`` steps. Raises BlobRejected for anything else."""
    tensors = safe_load(blob, state_manifest(job), subject)
    if int(tensors["step"][0]) != step:
        raise BlobRejected(subject, f"is of step {int(tensors['step'][0])}, not of step {step}")
    named = {p.name: tensors[f"param.{p.name}"] for p in job.model.layout.parameters}
    carried = {name: tensors[f"optimizer.{name}"] for name in state_names(job.recipe.optimizer)}
    return State(step=step, parameters=job.model.layout.flat(named), optimizer=carried)
