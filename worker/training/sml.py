"""The Secure Mapping Layer: a fixed linear layer Z that makes a network worth something to one miner alone.

Z [outputs, inputs] has fewer outputs than inputs; its entries are uniform in (-b, b), b = sqrt(3 / outputs)
(so that lengths are kept on average), from a Philox stream named by the previous block of the learning
chain, the task and the miner. It is part of the checked architecture and is never trained. Where it sits:

- mlp: between the features and the first layer;
- cnn: on each square patch of the image, so that neighbourhoods survive: patch x patch pixels become
  ``outputs`` channels of an image that is smaller by ``patch`` in both directions;
- transformer: behind an embedding that is fixed and the same for everybody. A trained table in front of Z
  would absorb a change of Z exactly (E' = E Z^T pinv(Z'^T)), so there is none.

What it stops is a copy used as it is. A thief who has the data moves most of a network behind another Z by
least squares, and the rest by a few steps of training: see docs/experiments.md.
"""

import hashlib
import math
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from protocol.contest_recipe import MappingTerms
from protocol.ids import Address
from protocol.spec import ModelSpec
from worker.training import forward, philox
from worker.training.errors import InvalidModel
from worker.training.models import Layout, Parameter, first_values, layout_of

Matrix: TypeAlias = NDArray[np.float32]
_SEED_DOMAIN: Final = b"ProofOfTraining/contest/1"


def contest_seed(parent: bytes, task_id: int, miner: Address) -> bytes:
    """The 32 bytes from which a miner's Z, first weights and sample order follow. ``parent`` is the hash of
    the learning chain's block before this contest. Raises ValueError when it has not 32 bytes."""
    if len(parent) != 32:
        raise ValueError(f"a block hash has 32 bytes, not {len(parent)}")
    return hashlib.sha256(
        _SEED_DOMAIN + parent + task_id.to_bytes(32, "big") + bytes.fromhex(miner[2:])
    ).digest()


def mapping_matrix(seed: bytes, mapping: MappingTerms) -> Matrix:
    """Z, float32 [outputs, inputs]: the same bits on every machine."""
    unit = philox.symmetric_uniform(b"pot/sml/v1/" + seed, mapping.outputs * mapping.inputs)
    bound = np.float32(math.sqrt(3.0 / mapping.outputs))
    return np.multiply(unit, bound).reshape(mapping.outputs, mapping.inputs)


@dataclass(frozen=True, slots=True, kw_only=True)
class MappedModel:
    """A registered architecture behind a Z, or without one. ``layout``: the trained tensors alone. Raises
    InvalidModel when architecture and mapping do not fit together."""

    model: ModelSpec
    mapping: MappingTerms | None
    inner: ModelSpec = field(init=False)
    layout: Layout = field(init=False)

    def __post_init__(self) -> None:
        inner, layout = self.model, layout_of(self.model)
        if self.mapping is not None:
            inner, layout = _MAPPED[self.model.arch](self.model, self.mapping)
        object.__setattr__(self, "inner", inner)
        object.__setattr__(self, "layout", layout)

    def matrix(self, seed: bytes) -> Matrix | None:
        """The miner's Z; None without a mapping."""
        return None if self.mapping is None else mapping_matrix(seed, self.mapping)

    def initial(self, seed: bytes) -> Matrix:
        """The miner's first flat parameter vector [layout.size], float32."""
        return first_values(self.layout, seed)

    def tensors(self, flat: Tensor) -> dict[str, Tensor]:
        """Views of a flat vector [layout.size], one per trained tensor."""
        where = self.layout.slices()
        return {p.name: flat[where[p.name]].view(p.shape) for p in self.layout.parameters}

    def logits(self, tensors: dict[str, Tensor], z: Tensor | None, inputs: Tensor) -> Tensor:
        """Scores as ``forward.logits``; ``z`` is the matrix in the tensors' dtype, and inputs are the
        data's own: features [n, features] or tokens [n, context]."""
        if self.mapping is None or z is None:
            return forward.logits(self.model, tensors, inputs)
        if self.model.arch == "transformer":
            table = torch.tensor(_embedding(self.model.params["vocab"], self.mapping.inputs))
            table = table.to(dtype=z.dtype, device=z.device)
            return forward.logits(self.inner, {**tensors, "token": table @ z.T}, inputs)
        return forward.logits(self.inner, tensors, self.mapped(z, inputs))

    def mapped(self, z: Tensor, features: Tensor) -> Tensor:
        """Features or images [n, features] behind Z, flat [n, ...]."""
        if self.model.arch == "mlp":
            return features @ z.T
        height, width = self.model.params["height"], self.model.params["width"]
        side = math.isqrt(z.shape[1])
        images = features.reshape(-1, 1, height, width)
        patches = torch.nn.functional.unfold(images, side, stride=side)  # [n, side * side, places]
        return (z @ patches).flatten(1)


def _mlp(model: ModelSpec, mapping: MappingTerms) -> tuple[ModelSpec, Layout]:
    if mapping.inputs != model.params["inputs"]:
        raise InvalidModel(model.arch, f"reads {model.params['inputs']} inputs, Z {mapping.inputs}")
    return _inner(model, mapping, {"inputs": mapping.outputs})


def _cnn(model: ModelSpec, mapping: MappingTerms) -> tuple[ModelSpec, Layout]:
    side, params = math.isqrt(mapping.inputs), model.params
    if side * side != mapping.inputs or params["height"] % side or params["width"] % side:
        raise InvalidModel(
            model.arch, f"a patch of {mapping.inputs} pixels is no square that tiles the image"
        )
    inner, layout = _inner(
        model, mapping, {"height": params["height"] // side, "width": params["width"] // side}
    )
    channels = mapping.outputs
    first = Parameter(
        name="conv0.weight", shape=(params["channels"], channels, 3, 3), bound=math.sqrt(6.0 / (9 * channels))
    )
    return inner, Layout(parameters=(first, *layout.parameters[1:]))


def _transformer(model: ModelSpec, mapping: MappingTerms) -> tuple[ModelSpec, Layout]:
    if mapping.outputs != model.params["width"]:
        raise InvalidModel(model.arch, f"is {model.params['width']} wide, Z has {mapping.outputs} outputs")
    inner, layout = _inner(model, mapping, {})
    return inner, Layout(parameters=tuple(p for p in layout.parameters if p.name != "token"))


_MAPPED: Final = {"mlp": _mlp, "cnn": _cnn, "transformer": _transformer}


def _inner(model: ModelSpec, mapping: MappingTerms, changed: dict[str, int]) -> tuple[ModelSpec, Layout]:
    if mapping.outputs >= mapping.inputs:
        raise InvalidModel(
            model.arch, f"Z has {mapping.outputs} outputs of {mapping.inputs} inputs: it must reduce"
        )
    inner = ModelSpec(arch=model.arch, params={**model.params, **changed})
    return inner, layout_of(inner)


@lru_cache(maxsize=8)
def _embedding(vocab: int, width: int) -> Matrix:
    """The fixed embedding [vocab, width]: one constant for all tasks and miners, variance 1."""
    unit = philox.symmetric_uniform(b"pot/sml/embedding/v1", vocab * width)
    table = np.multiply(unit, np.float32(math.sqrt(3.0))).reshape(vocab, width)
    table.flags.writeable = False
    return table
