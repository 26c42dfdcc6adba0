"""What a miner commits to: a gradient as integer codes on a grid of powers of two, and its bytes.

Block floating point: each tensor is cut into blocks of BLOCK values (the last one may be shorter); a block
has one power-of-two exponent e and integer codes c, and means c * 2**e. With M mantissa bits, 2**(e + M) is
the smallest power of two above the block's largest magnitude, but 2**e is never more than FLOOR_BITS binary
places below the smallest power of two above the whole gradient, so that a block of cancellation noise becomes
zeros. Codes are rounded half to even and saturate at 2**M - 1. A block of zeros has the exponent
MIN_EXPONENT.

Blob: safetensors with ``codes`` (I8 or I16 [size], in parameter order) and ``exponents`` (I16 [blocks]); the
codec ``float32`` is one tensor ``gradient`` (F32 [size]) and is compared on the grid with M = 24.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final, Literal, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

from worker.training.errors import BlobRejected, Diverged
from worker.training.models import Layout
from worker.training.tensors import Manifest, TensorSpec, safe_load, safe_save

CodecName: TypeAlias = Literal["float32", "int8", "int16"]
Gradient: TypeAlias = NDArray[np.floating[Any]]

T = TypeVar("T", bound=np.generic)

BLOCK: Final = 64
FLOOR_BITS: Final = 32
MIN_EXPONENT: Final = -149
MAX_MAGNITUDE_EXPONENT: Final = 128
MANTISSA_BITS: Final[dict[CodecName, int]] = {"int8": 7, "int16": 15, "float32": 24}
_STORED: Final[dict[CodecName, tuple[str, type[np.signedinteger[Any]]]]] = {
    "int8": ("I8", np.int8),
    "int16": ("I16", np.int16),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Codes:
    """A gradient on its grid: ``codes`` int32 [blocks, BLOCK] (zero where a block is short), ``exponents``
    int32 [blocks], ``total`` the number of real values."""

    bits: int
    codes: NDArray[np.int32]
    exponents: NDArray[np.int32]
    total: int


def encode(codec: CodecName, layout: Layout, gradient: Gradient) -> bytes:
    """The canonical blob of a flat gradient [layout.size]; raises Diverged when a value is not a finite
    float32."""
    if gradient.shape != (layout.size,):
        raise ValueError(f"gradient of shape {gradient.shape}, the model has {layout.size} parameters")
    if codec == "float32":
        with np.errstate(over="ignore"):
            # Adding +0 makes -0 and +0 the same bytes.
            values = np.add(gradient.astype(np.float32), np.float32(0))
        if not bool(np.isfinite(values).all()):
            raise Diverged("a gradient")
        return safe_save({"gradient": values})
    grid = quantise(MANTISSA_BITS[codec], layout, gradient)
    codes = _unpad(layout, grid.codes).astype(_STORED[codec][1])
    return safe_save({"codes": codes, "exponents": grid.exponents.astype(np.int16)})


def decode(codec: CodecName, layout: Layout, blob: bytes, subject: str = "gradient") -> NDArray[np.float32]:
    """The flat float32 gradient [layout.size] a blob means, exactly; raises BlobRejected for anything but a
    canonical blob of this layout."""
    if codec == "float32":
        return _load_float32(layout, blob, subject)
    return values_of(layout, decode_codes(codec, layout, blob, subject))


def values_of(layout: Layout, grid: Codes) -> NDArray[np.float32]:
    """The flat float32 gradient [layout.size] that codes mean."""
    scale = np.ldexp(1.0, grid.exponents)[:, np.newaxis]
    # At most 15 significant bits, at or above 2**-149 and below 2**128: the product and its float32 form are
    # exact.
    return _unpad(layout, (grid.codes * scale).astype(np.float32))


def decode_codes(codec: CodecName, layout: Layout, blob: bytes, subject: str = "gradient") -> Codes:
    """The integer codes of a blob, checked as ``decode`` does; a float32 blob is put on the 24-bit grid."""
    if codec == "float32":
        return quantise(MANTISSA_BITS[codec], layout, _load_float32(layout, blob, subject))
    tensors = safe_load(blob, gradient_manifest(codec, layout), subject)
    codes = padded(layout, tensors["codes"].astype(np.int32))
    exponents = tensors["exponents"].astype(np.int32)
    grid = Codes(bits=MANTISSA_BITS[codec], codes=codes, exponents=exponents, total=layout.size)
    if complaint := _complaint(grid):
        raise BlobRejected(subject, complaint)
    return grid


def gradient_manifest(codec: CodecName, layout: Layout) -> Manifest:
    """The tensors of a gradient blob."""
    if codec == "float32":
        return Manifest(tensors=(TensorSpec(name="gradient", dtype="F32", shape=(layout.size,)),))
    blocks = _block_starts(layout)[-1]
    return Manifest(
        tensors=(
            TensorSpec(name="codes", dtype=_STORED[codec][0], shape=(layout.size,)),
            TensorSpec(name="exponents", dtype="I16", shape=(blocks,)),
        )
    )


def quantise(bits: int, layout: Layout, gradient: Gradient) -> Codes:
    """A flat gradient [layout.size] on the grid with ``bits`` mantissa bits; raises Diverged as ``encode``
    does."""
    values = padded(layout, gradient.astype(np.float64, copy=False))
    peaks = np.maximum(values.max(axis=1), -values.min(axis=1))
    top = np.frexp(peaks)[1].astype(np.int32)
    if not bool(np.isfinite(peaks).all()) or int(top.max()) > MAX_MAGNITUDE_EXPONENT:
        raise Diverged("a gradient")
    # A peak of zero has the frexp exponent 0; it must not lift the floor of the others.
    lowest = floor_of(int(top[peaks > 0].max(initial=MIN_EXPONENT)))
    exponents = np.maximum(top - bits, lowest)
    scaled = values * np.ldexp(1.0, -exponents)[:, np.newaxis]
    limit = 2**bits - 1
    codes = np.clip(np.rint(scaled), -limit, limit).astype(np.int32)
    exponents[~codes.any(axis=1)] = MIN_EXPONENT
    return Codes(bits=bits, codes=codes, exponents=exponents, total=layout.size)


def floor_of(top: int) -> int:
    """The lowest exponent of a gradient whose largest magnitude is below 2**top."""
    return max(top - FLOOR_BITS, MIN_EXPONENT)


def _complaint(grid: Codes) -> str | None:
    peaks = np.abs(grid.codes).max(axis=1)
    if int(peaks.max()) > 2**grid.bits - 1:
        return "a code is outside the symmetric range"
    top = int(grid.exponents.max())
    if int(grid.exponents.min()) < MIN_EXPONENT or top > MAX_MAGNITUDE_EXPONENT - grid.bits:
        return "an exponent is out of range"
    if bool((grid.exponents[peaks == 0] != MIN_EXPONENT).any()):
        return "a block of zeros has an exponent"
    lowest = floor_of(top + grid.bits)
    used = peaks > 0
    if bool((grid.exponents[used] < lowest).any()):
        return "a block lies below the floor"
    unscaled = used & (peaks < 2 ** (grid.bits - 1)) & (grid.exponents != lowest)
    if bool(unscaled.any()):
        return "a block is not scaled to its largest value"
    return None


def _load_float32(layout: Layout, blob: bytes, subject: str) -> NDArray[np.float32]:
    values: NDArray[np.float32] = safe_load(blob, gradient_manifest("float32", layout), subject)["gradient"]
    return values


@lru_cache(maxsize=64)
def _block_starts(layout: Layout) -> tuple[int, ...]:
    """The first block of each tensor, then the number of blocks."""
    starts = [0]
    for parameter in layout.parameters:
        starts.append(starts[-1] + -(-parameter.size // BLOCK))
    return tuple(starts)


def padded(layout: Layout, flat: NDArray[T]) -> NDArray[T]:
    """A flat vector [layout.size] in blocks [blocks, BLOCK], zeros where a block is short."""
    starts = _block_starts(layout)
    blocks = np.zeros(starts[-1] * BLOCK, dtype=flat.dtype)
    for first, where in zip(starts, layout.slices().values(), strict=False):
        blocks[first * BLOCK : first * BLOCK + where.stop - where.start] = flat[where]
    return blocks.reshape(-1, BLOCK)


def _unpad(layout: Layout, blocks: NDArray[T]) -> NDArray[T]:
    starts, row = _block_starts(layout), blocks.reshape(-1)
    pieces = [
        row[first * BLOCK : first * BLOCK + parameter.size]
        for first, parameter in zip(starts, layout.parameters, strict=False)
    ]
    return np.concatenate(pieces)
