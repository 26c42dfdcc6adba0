"""A model between two rounds: parameters, optimizer state and the round, as bytes that have one hash.

Blob: safetensors with ``param.<name>`` (F32, one per tensor of the model, in its shape), ``optimizer.<name>``
(F32 [size], one per vector the optimizer carries) and ``round`` (I64 [1], the last round applied; 0 =
genesis). Where the aggregation has a momentum also ``running.means`` (F32 [shards, size]) and
``running.miners`` (U8 [shards, 20], zeros where a shard was missing).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from protocol.aggregation import Aggregation
from protocol.spec import TaskSpec
from worker.training.errors import BlobRejected
from worker.training.models import initial_parameters, layout_of
from worker.training.optimizer import check_optimizer, state_names
from worker.training.running import ADDRESS_BYTES, RunningMeans, no_means
from worker.training.tensors import Manifest, TensorSpec, safe_load, safe_save

Vector: TypeAlias = NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """``parameters`` and each vector of ``state``: flat float32 [size]; ``round`` is the last one applied.
    ``running`` is None where the spec's aggregation has no momentum."""

    round: int
    parameters: Vector
    state: Mapping[str, Vector]
    running: RunningMeans | None = None


def initial_checkpoint(spec: TaskSpec) -> bytes:
    """The genesis blob of a task: a function of its spec alone. Raises InvalidModel or InvalidRecipe."""
    check_optimizer(spec.recipe.optimizer)
    parameters = initial_parameters(spec.model, spec.recipe.seed)
    state = {name: np.zeros_like(parameters) for name in state_names(spec.recipe.optimizer)}
    running = no_means(spec.recipe.shards, parameters.size) if remembers(spec) else None
    return save_checkpoint(spec, Checkpoint(round=0, parameters=parameters, state=state, running=running))


def save_checkpoint(spec: TaskSpec, checkpoint: Checkpoint) -> bytes:
    """The one blob of a checkpoint."""
    tensors: dict[str, NDArray[Any]] = {"round": np.array([checkpoint.round], dtype=np.int64)}
    for name, tensor in layout_of(spec.model).named(checkpoint.parameters).items():
        tensors[f"param.{name}"] = tensor
    for name in state_names(spec.recipe.optimizer):
        tensors[f"optimizer.{name}"] = checkpoint.state[name]
    if checkpoint.running is not None:
        tensors["running.means"] = checkpoint.running.means
        tensors["running.miners"] = checkpoint.running.miners
    return safe_save(tensors)


def load_checkpoint(spec: TaskSpec, blob: bytes, subject: str = "checkpoint") -> Checkpoint:
    """A checkpoint of this spec; raises BlobRejected for anything else. Whose hash it must have is the
    caller's to check."""
    tensors = safe_load(blob, checkpoint_manifest(spec), subject)
    last = int(tensors["round"][0])
    if not 0 <= last <= spec.recipe.rounds:
        raise BlobRejected(subject, f"round {last} is not in 0..{spec.recipe.rounds}")
    layout = layout_of(spec.model)
    named = {parameter.name: tensors[f"param.{parameter.name}"] for parameter in layout.parameters}
    state = {name: tensors[f"optimizer.{name}"] for name in state_names(spec.recipe.optimizer)}
    running = None
    if remembers(spec):
        running = RunningMeans(means=tensors["running.means"], miners=tensors["running.miners"])
    return Checkpoint(round=last, parameters=layout.flat(named), state=state, running=running)


def checkpoint_manifest(spec: TaskSpec) -> Manifest:
    """The tensors of a checkpoint blob."""
    layout = layout_of(spec.model)
    params = [TensorSpec(name=f"param.{p.name}", dtype="F32", shape=p.shape) for p in layout.parameters]
    state = [
        TensorSpec(name=f"optimizer.{name}", dtype="F32", shape=(layout.size,))
        for name in state_names(spec.recipe.optimizer)
    ]
    if remembers(spec):
        shards = spec.recipe.shards
        state.append(TensorSpec(name="running.means", dtype="F32", shape=(shards, layout.size)))
        state.append(TensorSpec(name="running.miners", dtype="U8", shape=(shards, ADDRESS_BYTES)))
    return Manifest(tensors=(*params, *state, TensorSpec(name="round", dtype="I64", shape=(1,))))


def remembers(spec: TaskSpec) -> bool:
    """Whether checkpoints of this spec hold each miner's running mean."""
    rule = spec.recipe.aggregation
    return isinstance(rule, Aggregation) and rule.remembers
