"""What a contest's miner hands in: one blob with its weights and its Z, and how good it is.

Blob: safetensors with ``param.<name>`` (F32, one per trained tensor, in its shape) and, behind a Secure
Mapping Layer, ``sml.z`` (F32 [outputs, inputs]), which must be the miner's own to the last bit.
"""

from collections.abc import Mapping as MappingOf
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray

from worker.training.data import Dataset, Split
from worker.training.errors import BlobRejected
from worker.training.numerics import numerics
from worker.training.sml import MappedModel
from worker.training.tensors import Manifest, TensorSpec, safe_load, safe_save

Vector: TypeAlias = NDArray[np.float32]
CHUNK: Final = 256
SML_TENSOR: Final = "sml.z"


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """``correct`` of ``total`` answers: samples, or next characters of text."""

    correct: int
    total: int


def model_manifest(model: MappedModel) -> Manifest:
    """The tensors of a handed-in model; its ``nbytes`` bound what has to be read."""
    tensors = [
        TensorSpec(name=f"param.{p.name}", dtype="F32", shape=p.shape) for p in model.layout.parameters
    ]
    if model.mapping is not None:
        shape = (model.mapping.outputs, model.mapping.inputs)
        tensors.append(TensorSpec(name=SML_TENSOR, dtype="F32", shape=shape))
    return Manifest(tensors=tuple(tensors))


def save_model(model: MappedModel, seed: bytes, parameters: Vector) -> bytes:
    """The one blob of a miner's trained ``parameters`` [size]; ``seed`` as of ``contest_seed``."""
    tensors: dict[str, NDArray[Any]] = {
        f"param.{name}": tensor for name, tensor in model.layout.named(parameters).items()
    }
    matrix = model.matrix(seed)
    if matrix is not None:
        tensors[SML_TENSOR] = matrix
    return safe_save(tensors)


def load_model(model: MappedModel, seed: bytes, blob: bytes, subject: str = "model") -> Vector:
    """The flat float32 parameters [size] of a model that the owner of ``seed`` may hand in. Raises
    BlobRejected for another architecture, other shapes, numbers that are not finite, or another Z."""
    tensors = safe_load(blob, model_manifest(model), subject)
    matrix = model.matrix(seed)
    if matrix is not None and not np.array_equal(tensors[SML_TENSOR], matrix):
        raise BlobRejected(subject, "its mapping layer is not the one of this block, task and miner")
    named: MappingOf[str, NDArray[np.float32]] = {
        p.name: tensors[f"param.{p.name}"] for p in model.layout.parameters
    }
    return model.layout.flat(named)


def count_correct(
    model: MappedModel,
    seed: bytes,
    parameters: Vector,
    dataset: Dataset,
    *,
    split: Split = "test",
    threads: int = 1,
    device: str = "cpu",
) -> Score:
    """The exact count of right answers on a whole split, in float64. Raises InvalidDataset when the model
    cannot read the data."""
    dataset.require_fit(model.model)
    samples = dataset.samples(model.model, split)
    correct, total = 0, 0
    with numerics(threads, device) as where, torch.inference_mode():
        tensors = model.tensors(torch.tensor(parameters, dtype=torch.float64, device=where))
        matrix = model.matrix(seed)
        z = None if matrix is None else torch.tensor(matrix, dtype=torch.float64, device=where)
        for first in range(0, samples, CHUNK):
            batch = dataset.batch(model.model, split, np.arange(first, min(first + CHUNK, samples)))
            inputs = torch.tensor(batch.inputs, device=where)
            inputs = inputs.double() if inputs.is_floating_point() else inputs
            targets = torch.tensor(batch.targets, device=where).reshape(-1)
            scores = model.logits(tensors, z, inputs).reshape(len(targets), -1)
            correct += int((scores.argmax(dim=-1) == targets).sum())
            total += len(targets)
    return Score(correct=correct, total=total)
