"""The registry of architectures: bounded parameters in, named tensors and their first values out.

A spec never carries code; it names one of ``ARCHITECTURES`` and integers inside the bounds given here.
The arithmetic of each architecture is in ``forward``; this module needs no torch.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

from protocol.spec import ModelSpec
from worker.training import philox
from worker.training.errors import InvalidModel

MAX_PARAMETERS: Final = 64 * 1024 * 1024

FloatVector: TypeAlias = NDArray[np.float32]
T = TypeVar("T", bound=np.generic)


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """One named tensor; its first values are uniform in (-bound, bound) around ``centre``."""

    name: str
    shape: tuple[int, ...]
    bound: float = 0.0
    centre: float = 0.0

    @property
    def size(self) -> int:
        return math.prod(self.shape)


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """All tensors of a model in their fixed order: the order of the flat vector everybody computes on."""

    parameters: tuple[Parameter, ...]
    size: int = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "size", sum(parameter.size for parameter in self.parameters))

    def slices(self) -> dict[str, slice]:
        """Where each tensor lies in the flat vector."""
        found: dict[str, slice] = {}
        start = 0
        for parameter in self.parameters:
            found[parameter.name] = slice(start, start + parameter.size)
            start += parameter.size
        return found

    def named(self, flat: NDArray[T]) -> dict[str, NDArray[T]]:
        """Views of a flat vector [size], one per tensor, in the tensors' shapes."""
        where = self.slices()
        return {p.name: flat[where[p.name]].reshape(p.shape) for p in self.parameters}

    def flat(self, named: Mapping[str, NDArray[T]]) -> NDArray[T]:
        """The flat vector [size] of named tensors; raises KeyError when one is missing."""
        return np.concatenate([named[p.name].reshape(p.size) for p in self.parameters])


@dataclass(frozen=True, slots=True, kw_only=True)
class Architecture:
    """One registered architecture: inclusive bounds of its parameters, and the tensors they lead to."""

    bounds: Mapping[str, tuple[int, int]]
    build: Callable[[Mapping[str, int]], list[Parameter]]
    check: Callable[[Mapping[str, int]], str | None] = lambda params: None


def layout_of(model: ModelSpec) -> Layout:
    """The tensors of ``model``; raises InvalidModel for an unknown architecture or parameters out of
    bounds."""
    return _layout(model.arch, tuple(sorted(model.params.items())))


def initial_parameters(model: ModelSpec, seed: int) -> FloatVector:
    """The first flat parameter vector [size], float32: the same bits on every machine.

    Each tensor has its own Philox stream, named by the seed and the tensor's name; one multiplication and one
    addition follow, each rounded on its own.
    """
    return first_values(layout_of(model), str(seed).encode())


def first_values(layout: Layout, seed: bytes) -> FloatVector:
    """The first flat parameter vector [size] of a layout, float32, from a seed of any form."""
    vectors = []
    for parameter in layout.parameters:
        material = b"pot/init/v1/" + seed + b"/" + parameter.name.encode()
        unit = philox.symmetric_uniform(material, parameter.size)
        scaled = np.multiply(unit, np.float32(parameter.bound))
        vectors.append(np.add(scaled, np.float32(parameter.centre)))
    return np.concatenate(vectors).astype(np.float32, copy=False)


@lru_cache(maxsize=64)
def _layout(arch: str, params: tuple[tuple[str, int], ...]) -> Layout:
    architecture = ARCHITECTURES.get(arch)
    if architecture is None:
        raise InvalidModel(arch[:64], f"unknown architecture; known are {', '.join(sorted(ARCHITECTURES))}")
    values = dict(params)
    if values.keys() != architecture.bounds.keys():
        raise InvalidModel(arch, f"needs exactly the parameters {', '.join(sorted(architecture.bounds))}")
    for name, (low, high) in architecture.bounds.items():
        if not low <= values[name] <= high:
            raise InvalidModel(arch, f"{name} is {values[name]}, allowed is {low}..{high}")
    if complaint := architecture.check(values):
        raise InvalidModel(arch, complaint)
    layout = Layout(parameters=tuple(architecture.build(values)))
    if layout.size > MAX_PARAMETERS:
        raise InvalidModel(arch, f"{layout.size} parameters, at most {MAX_PARAMETERS} are allowed")
    return layout


def _linear(name: str, inputs: int, outputs: int, *, gain: float, bias: bool = True) -> list[Parameter]:
    # Variance gain / inputs: 2 keeps the signal's size through a ReLU, 1 through a linear map (He et al.
    # 2015).
    weight = Parameter(name=f"{name}.weight", shape=(outputs, inputs), bound=math.sqrt(3.0 * gain / inputs))
    return [weight, Parameter(name=f"{name}.bias", shape=(outputs,))] if bias else [weight]


def _mlp(p: Mapping[str, int]) -> list[Parameter]:
    widths = [p["inputs"], *[p["hidden"]] * p["layers"]]
    found: list[Parameter] = []
    for i in range(p["layers"]):
        found += _linear(f"hidden{i}", widths[i], widths[i + 1], gain=2.0)
    return [*found, *_linear("output", widths[-1], p["classes"], gain=1.0)]


def _convolution(name: str, inputs: int, outputs: int) -> list[Parameter]:
    bound = math.sqrt(6.0 / (9 * inputs))
    weight = Parameter(name=f"{name}.weight", shape=(outputs, inputs, 3, 3), bound=bound)
    return [weight, Parameter(name=f"{name}.bias", shape=(outputs,))]


def _cnn(p: Mapping[str, int]) -> list[Parameter]:
    features = 2 * p["channels"] * (p["height"] // 4) * (p["width"] // 4)
    return [
        *_convolution("conv0", 1, p["channels"]),
        *_convolution("conv1", p["channels"], 2 * p["channels"]),
        *_linear("output", features, p["classes"], gain=1.0),
    ]


def _norm(name: str, width: int) -> list[Parameter]:
    return [
        Parameter(name=f"{name}.weight", shape=(width,), centre=1.0),
        Parameter(name=f"{name}.bias", shape=(width,)),
    ]


def _transformer(p: Mapping[str, int]) -> list[Parameter]:
    width = p["width"]
    spread = math.sqrt(3.0) * 0.02
    found = [
        Parameter(name="token", shape=(p["vocab"], width), bound=spread),
        Parameter(name="position", shape=(p["context"], width), bound=spread),
    ]
    for i in range(p["layers"]):
        # Queries, keys and values have no bias: the gradient of a key's bias is zero in exact arithmetic, so
        # its computed value would be noise that no two machines share.
        found += _norm(f"block{i}.attention_norm", width)
        found += _linear(f"block{i}.qkv", width, 3 * width, gain=1.0, bias=False)
        found += _linear(f"block{i}.project", width, width, gain=1.0 / (2 * p["layers"]))
        found += _norm(f"block{i}.feed_norm", width)
        found += _linear(f"block{i}.expand", width, 4 * width, gain=1.0)
        found += _linear(f"block{i}.contract", 4 * width, width, gain=1.0 / (2 * p["layers"]))
    return [*found, *_norm("final_norm", width), *_linear("output", width, p["vocab"], gain=0.1)]


def _check_transformer(p: Mapping[str, int]) -> str | None:
    return f"width {p['width']} is not a multiple of heads {p['heads']}" if p["width"] % p["heads"] else None


ARCHITECTURES: Final[Mapping[str, Architecture]] = {
    "mlp": Architecture(
        bounds={"inputs": (1, 65_536), "hidden": (1, 16_384), "layers": (0, 16), "classes": (2, 65_536)},
        build=_mlp,
    ),
    "cnn": Architecture(
        bounds={"height": (4, 512), "width": (4, 512), "channels": (1, 512), "classes": (2, 65_536)},
        build=_cnn,
    ),
    "transformer": Architecture(
        bounds={
            "vocab": (2, 65_536),
            "context": (1, 4_096),
            "width": (2, 4_096),
            "heads": (1, 64),
            "layers": (1, 48),
        },
        build=_transformer,
        check=_check_transformer,
    ),
}
