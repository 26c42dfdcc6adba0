"""What a shard's gradient is made of: the parts of its micro-batches, and whether it is their sum.

A *part* is a micro-batch's share of the shard's gradient, flat float32 [size], stored as a blob of the codec
``float32``. Nothing here computes a gradient.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from protocol.ids import Sha256
from protocol.spec import TaskSpec
from worker.training.codec import Codes, decode, decode_codes, encode, floor_of, padded
from worker.training.models import layout_of

Vector: TypeAlias = NDArray[np.float32]

_UNIT: Final = 2.0**-24
"""Half the distance of float32 neighbours, relative."""
_SMALLEST: Final = 2.0**-149


@dataclass(frozen=True, slots=True, kw_only=True)
class Opening:
    """The micro-batches that a contribution names, and where their blobs come from; ``fetch`` raises what the
    blob store raises."""

    names: tuple[Sha256, ...]
    fetch: Callable[[Sha256], bytes]

    def part(self, spec: TaskSpec, index: int) -> Vector:
        """The claimed part [size]. Raises BlobRejected when it is none, and what the blob store raises."""
        blob = self.fetch(self.names[index])
        return decode("float32", layout_of(spec.model), blob, f"micro-batch {index}")


def encode_part(spec: TaskSpec, part: Vector) -> bytes:
    """The blob of a part, whose sha256 the miner commits to; raises Diverged when a value is not finite."""
    return encode("float32", layout_of(spec.model), part)


def sum_of(parts: Sequence[Vector]) -> NDArray[np.float64]:
    """The float64 sum of parts in their order: the same bits on every machine."""
    total = np.zeros(parts[0].shape, dtype=np.float64)
    for part in parts:
        total += part
    return total


def sum_fault(spec: TaskSpec, gradient_blob: bytes, parts: Sequence[Vector]) -> str:
    """Why the gradient is not the float64 sum of ``parts``, as a sentence; empty when it is.

    Each code may be what the rounding of parts to float32 can make of an honest one, and no more: a bound
    that follows from ``parts`` alone, so that everybody finds the same. Raises BlobRejected for a
    gradient that cannot be read."""
    layout, codec = layout_of(spec.model), spec.recipe.codec
    total = sum_of(parts)
    slack = (len(parts) + 3) * _UNIT * sum_of([np.abs(part) for part in parts])
    if codec == "float32":
        values = decode(codec, layout, gradient_blob).astype(np.float64)
        wrong = np.abs(total - values) > _UNIT * np.abs(values) + _SMALLEST + slack
    else:
        grid = decode_codes(codec, layout, gradient_blob)
        off = np.abs(padded(layout, total) - grid.codes * np.ldexp(1.0, grid.exponents)[:, np.newaxis])
        wrong = off > half_levels(grid) * _saturated(grid) + padded(layout, slack)
    if not wrong.any():
        return ""
    return f"{int(np.count_nonzero(wrong))} of {layout.size} values are not the sum of the micro-batches"


def half_levels(grid: Codes) -> NDArray[np.float64]:
    """Half a level of each block [blocks, 1]; of a block of zeros, of the grid on which it became zero."""
    lowest = floor_of(int(grid.exponents.max()) + grid.bits)
    used = grid.codes.any(axis=1)
    return np.ldexp(0.5, np.where(used, grid.exponents, lowest))[:, np.newaxis]


def _saturated(grid: Codes) -> NDArray[np.float64]:
    """2 where a code stands for values up to a whole level away, else 1."""
    return np.where(np.abs(grid.codes) == 2**grid.bits - 1, 2.0, 1.0)
