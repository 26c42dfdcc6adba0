"""Safetensors bytes in and out, with every claim of the header checked before a tensor is built.

``torch.load`` runs code and lies about sizes; nothing here does. A header is read only after its announced
length is found small, an array is made only as a view of bytes that are really there.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import save

from worker.training.errors import BlobRejected

Array: TypeAlias = NDArray[Any]

MAX_HEADER_BYTES: Final = 256 * 1024
MAX_TENSORS: Final = 2_048
MAX_DIMENSIONS: Final = 8

DTYPES: Final[Mapping[str, np.dtype[Any]]] = {
    "F64": np.dtype("<f8"),
    "F32": np.dtype("<f4"),
    "I64": np.dtype("<i8"),
    "I32": np.dtype("<i4"),
    "I16": np.dtype("<i2"),
    "I8": np.dtype("i1"),
    "U8": np.dtype("u1"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class TensorSpec:
    """What one tensor of a blob must be; ``dtype`` is a safetensors name such as ``F32``."""

    name: str
    dtype: str
    shape: tuple[int, ...]

    @property
    def nbytes(self) -> int:
        return prod(self.shape) * DTYPES[self.dtype].itemsize


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """Exactly the tensors a blob must hold, in any order."""

    tensors: tuple[TensorSpec, ...]

    @property
    def nbytes(self) -> int:
        """Bytes of tensor data, without the header."""
        return sum(tensor.nbytes for tensor in self.tensors)


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One tensor as a header announces it, found consistent; ``begin`` counts from the start of the blob."""

    spec: TensorSpec
    begin: int


def safe_save(tensors: Mapping[str, Array]) -> bytes:
    """Safetensors bytes that depend on names and contents alone, not on the mapping's order."""
    data: bytes = save({name: np.ascontiguousarray(array) for name, array in tensors.items()})
    return data


def safe_load(data: bytes, manifest: Manifest, subject: str) -> dict[str, Array]:
    """Read-only arrays of a blob that holds exactly what ``manifest`` says.

    Floats are finite. Raises BlobRejected (naming ``subject``) before anything larger than the header is
    looked at.
    """
    entries = read_header(data, subject)
    expected = {tensor.name: tensor for tensor in manifest.tensors}
    for name, entry in entries.items():
        if expected.get(name) != entry.spec:
            raise BlobRejected(subject, f"found {entry.spec}, expected {expected.get(name)}")
    if missing := sorted(expected.keys() - entries.keys()):
        raise BlobRejected(subject, f"tensor {missing[0]!r} is missing")
    return {name: load_entry(data, entry, subject) for name, entry in entries.items()}


def load_entry(data: bytes, entry: Entry, subject: str) -> Array:
    """One tensor as a read-only view of ``data``; raises BlobRejected where a float is not finite."""
    dtype = DTYPES[entry.spec.dtype]
    array = np.frombuffer(data, dtype=dtype, count=prod(entry.spec.shape), offset=entry.begin).reshape(
        entry.spec.shape
    )
    if dtype.kind == "f" and not bool(np.isfinite(array).all()):
        raise BlobRejected(subject, f"tensor {entry.spec.name!r} holds NaN or infinity")
    return array


def read_header(data: bytes, subject: str) -> dict[str, Entry]:
    """The tensors a safetensors blob announces, by name.

    Accepted when: the header is at most MAX_HEADER_BYTES of JSON without repeated names or metadata, every
    dtype is known, every length is its shape's, and the data areas fill the rest of the blob without gap or
    overlap.
    """
    announced = int.from_bytes(data[:8], "little")
    if len(data) < 8 or announced > MAX_HEADER_BYTES or announced > len(data) - 8:
        raise BlobRejected(
            subject, f"header of {announced} bytes in a blob of {len(data)}; limit {MAX_HEADER_BYTES}"
        )
    start = 8 + announced
    raw = _parse_json(data[8:start], subject)
    entries = [_entry(name, value, start, subject) for name, value in raw.items()]
    entries.sort(key=lambda entry: (entry.begin, entry.spec.nbytes))
    position = start
    for entry in entries:
        if entry.begin != position:
            raise BlobRejected(subject, f"tensor {entry.spec.name!r} leaves a gap or overlaps its neighbour")
        position += entry.spec.nbytes
    if position != len(data):
        raise BlobRejected(subject, f"tensors end at byte {position}, the blob at {len(data)}")
    return {entry.spec.name: entry for entry in entries}


def _parse_json(header: bytes, subject: str) -> dict[str, Any]:
    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) != len(pairs):
            raise BlobRejected(subject, "the header repeats a name")
        return found

    try:
        raw = json.loads(header, object_pairs_hook=unique)
    except (ValueError, RecursionError) as error:
        raise BlobRejected(subject, f"the header is not JSON: {error}") from error
    if not isinstance(raw, dict) or not 0 < len(raw) <= MAX_TENSORS:
        raise BlobRejected(subject, f"the header does not list 1..{MAX_TENSORS} tensors")
    return raw


def _entry(name: str, value: Any, start: int, subject: str) -> Entry:
    match value:
        case {"dtype": str(dtype), "shape": list(shape), "data_offsets": [begin, end], **rest} if not rest:
            pass
        case _:
            raise BlobRejected(subject, f"entry {name[:64]!r} is not a tensor")
    numbers = [*shape, begin, end]
    if (
        dtype not in DTYPES
        or len(shape) > MAX_DIMENSIONS
        or any(type(n) is not int or n < 0 for n in numbers)
    ):
        raise BlobRejected(subject, f"tensor {name[:64]!r} has an unknown dtype, shape or offset")
    spec = TensorSpec(name=name, dtype=dtype, shape=tuple(shape))
    if end - begin != spec.nbytes:
        raise BlobRejected(subject, f"tensor {name[:64]!r} of shape {shape} spans {end - begin} bytes")
    return Entry(spec=spec, begin=start + begin)
