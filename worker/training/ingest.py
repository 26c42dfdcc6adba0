"""A user's own data, or a set that scikit-learn ships, made canonical: bytes in, canonical bytes out.

Every reader checks sizes before it allocates and never unpickles. Where the file has no test split, one fifth
of the samples (in the order of a Philox permutation named by the data's own hash) becomes the test split; a
text's last tenth does. Features are standardised by the training split's mean and deviation, which are
computed exactly (``math.fsum``) column by column, so that the same file gives the same bytes on every
machine.
"""

import csv
import hashlib
import io
import lzma
import math
import struct
import zipfile
import zlib
from collections.abc import Mapping
from typing import Any, Final, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from worker.training import philox
from worker.training.data import MAX_CLASSES, MAX_DATASET_BYTES, canonical_classification, canonical_text
from worker.training.errors import BlobRejected, InvalidDataset
from worker.training.tensors import load_entry, read_header

Array: TypeAlias = NDArray[Any]
Scale: TypeAlias = Literal["standard", "none"]
Arrays: TypeAlias = Mapping[str, Array]

BUNDLED: Final = ("digits", "breast_cancer", "wine")
MAX_CSV_COLUMNS: Final = 65_537
MAX_MEMBERS: Final = 64
MAX_MAGNITUDE: Final = float(np.finfo(np.float32).max)
# What the standard library raises for archives that are damaged, encrypted or of an unknown method.
_UNREADABLE_ZIP: Final = (
    zipfile.BadZipFile, zlib.error, lzma.LZMAError, struct.error, EOFError, OSError, RuntimeError, ValueError,
)  # fmt: skip
_SPLIT_NAMES: Final = {"x_train", "y_train", "x_test", "y_test"}


def bundled_dataset(name: str) -> bytes:
    """One of scikit-learn's bundled real sets as canonical bytes. Digits are pixels / 16, the others
    standardised."""
    if name not in BUNDLED:
        raise InvalidDataset(name[:64], f"is not bundled; bundled are {', '.join(BUNDLED)}")
    from sklearn import datasets

    x, y = getattr(datasets, f"load_{name}")(return_X_y=True)
    if name == "digits":
        # Pixels are 0..16: the division is exact.
        return from_arrays({"x": x / 16.0, "y": y}, scale="none")
    return from_arrays({"x": x, "y": y})


def from_file(name: str, data: bytes, *, label: str = "label", scale: Scale = "standard") -> bytes:
    """Canonical bytes of a user's file; its kind is told by the suffix of ``name``: .npz, .csv, .safetensors,
    .txt or .md. ``label`` names the column of a .csv that holds the classes. Raises InvalidDataset."""
    if len(data) > MAX_DATASET_BYTES:
        raise InvalidDataset(name, f"is {len(data)} bytes, at most {MAX_DATASET_BYTES} are allowed")
    match name.rpartition(".")[2].lower():
        case "npz":
            return from_arrays(_read_npz(data), scale=scale)
        case "csv":
            return from_arrays(_read_csv(data, label), scale=scale)
        case "safetensors":
            return from_arrays(_read_safetensors(data), scale=scale)
        case "txt" | "md":
            return from_text(data)
        case suffix:
            raise InvalidDataset(name, f"has the suffix {suffix!r}; known are npz, csv, safetensors, txt, md")


def from_arrays(arrays: Arrays, *, scale: Scale = "standard") -> bytes:
    """Canonical bytes of ``x`` [samples, ...] and ``y`` [samples], or of the four arrays of a split
    dataset."""
    if arrays.keys() == _SPLIT_NAMES:
        parts = {name: np.asarray(array) for name, array in arrays.items()}
    elif arrays.keys() == {"x", "y"}:
        parts = _split(np.asarray(arrays["x"]), np.asarray(arrays["y"]))
    else:
        found = ", ".join(sorted(arrays))[:200]
        raise InvalidDataset(
            "arrays", f"are {found}; needed are x and y, or x_train, y_train, x_test, y_test"
        )
    x_train, x_test = _features("x_train", parts["x_train"]), _features("x_test", parts["x_test"])
    y_train, y_test = _classes("y_train", parts["y_train"]), _classes("y_test", parts["y_test"])
    if scale == "standard":
        x_train, x_test = _standardise(x_train, x_test)
    return canonical_classification(x_train, y_train, x_test, y_test)


def from_text(data: bytes) -> bytes:
    """Canonical bytes of UTF-8 text, one token per character."""
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise InvalidDataset("text", f"is not UTF-8: {error.reason} at byte {error.start}") from error
    if len(text) < 20:
        raise InvalidDataset("text", f"has {len(text)} characters; at least 20 are needed")
    points = np.frombuffer(text.encode("utf-32-le"), dtype="<u4").astype(np.int64)
    vocab, tokens = np.unique(points, return_inverse=True)
    cut = len(tokens) - len(tokens) // 10
    return canonical_text(tokens[:cut].astype(np.int64), tokens[cut:].astype(np.int64), vocab)


def _split(x: Array, y: Array) -> dict[str, Array]:
    if x.ndim < 1 or y.ndim < 1 or len(x) != len(y) or len(x) < 5:
        raise InvalidDataset(
            "x and y", f"have shapes {x.shape} and {y.shape}: the same 5 or more samples needed"
        )
    material = b"pot/split/v1/" + hashlib.sha256(x.tobytes() + y.tobytes()).digest()
    order = philox.permutation(material, len(y))
    test, train = np.sort(order[: len(y) // 5]), np.sort(order[len(y) // 5 :])
    return {"x_train": x[train], "y_train": y[train], "x_test": x[test], "y_test": y[test]}


def _features(name: str, x: Array) -> NDArray[np.float64]:
    if x.dtype.kind not in "biuf" or x.ndim < 2 or x.size == 0:
        raise InvalidDataset(name, f"is {x.dtype} {x.shape}; needed are numbers [samples, features]")
    flat = x.reshape(len(x), -1).astype(np.float64)
    usable = np.abs(flat) <= MAX_MAGNITUDE
    if not bool(usable.all()):
        row, column = (int(i) for i in np.argwhere(~usable)[0])
        raise InvalidDataset(name, f"holds {flat[row, column]} in sample {row}, feature {column}")
    return flat


def _classes(name: str, y: Array) -> NDArray[np.int64]:
    if y.dtype.kind not in "biuf" or y.ndim != 1 or y.size == 0:
        raise InvalidDataset(name, f"is {y.dtype} {y.shape}; needed are whole numbers [samples]")
    inside = (y >= 0) & (y < MAX_CLASSES)
    if not bool(inside.all()) or bool((y != np.floor(y)).any()):
        raise InvalidDataset(name, f"holds something that is no class 0..{MAX_CLASSES - 1}")
    return y.astype(np.int64)


def _standardise(
    train: NDArray[np.float64], test: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    train, test = train.copy(), test.copy()
    for column in range(train.shape[1]):
        values = train[:, column].tolist()
        mean = math.fsum(values) / len(values)
        deviation = math.sqrt(math.fsum((value - mean) * (value - mean) for value in values) / len(values))
        for split in (train, test):
            # A constant column becomes zeros.
            split[:, column] = (split[:, column] - mean) / (deviation or 1.0)
    return train, test


def _read_npz(data: bytes) -> dict[str, Array]:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            members = archive.infolist()
            if len(members) > MAX_MEMBERS or sum(member.file_size for member in members) > MAX_DATASET_BYTES:
                raise InvalidDataset(
                    "npz", f"unpacks to more than {MAX_MEMBERS} arrays or {MAX_DATASET_BYTES} bytes"
                )
            return {
                member.filename.removesuffix(".npy"): _read_npy(member.filename, _unpack(archive, member))
                for member in members
            }
    except _UNREADABLE_ZIP as error:
        raise InvalidDataset("npz", f"is not a readable archive: {error}") from error


def _unpack(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> bytes:
    # The directory's size can lie: read no more than it says.
    with archive.open(member) as stream:
        return stream.read(member.file_size)


def _read_npy(name: str, data: bytes) -> Array:
    stream = io.BytesIO(data)
    try:
        version = np.lib.format.read_magic(stream)
        reader = (
            np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        )
        shape, fortran, dtype = reader(stream)
    except (ValueError, SyntaxError, TypeError, RecursionError) as error:
        raise InvalidDataset(name, f"is not a numpy array: {str(error)[:200]}") from error
    count = math.prod(shape)
    if (
        dtype.kind not in "biuf"
        or any(n < 0 for n in shape)
        or count * dtype.itemsize != len(data) - stream.tell()
    ):
        raise InvalidDataset(name, f"announces {dtype} {shape}, which its {len(data)} bytes do not hold")
    flat = np.frombuffer(data, dtype=dtype, count=count, offset=stream.tell())
    return flat.reshape(shape, order="F" if fortran else "C")


def _read_safetensors(data: bytes) -> dict[str, Array]:
    try:
        return {name: load_entry(data, entry, "file") for name, entry in read_header(data, "file").items()}
    except BlobRejected as error:
        raise InvalidDataset("safetensors", error.detail) from error


def _read_csv(data: bytes, label: str) -> dict[str, Array]:
    try:
        rows = list(csv.reader(io.StringIO(data.decode("utf-8-sig")), strict=True))
    except (csv.Error, UnicodeDecodeError) as error:
        raise InvalidDataset("csv", f"cannot be read: {error}") from error
    rows = [row for row in rows if row]
    if len(rows) < 2 or not 2 <= len(rows[0]) <= MAX_CSV_COLUMNS:
        raise InvalidDataset("csv", f"needs a header and rows of 2..{MAX_CSV_COLUMNS} columns")
    header = [name.strip() for name in rows[0]]
    if label not in header:
        raise InvalidDataset("csv", f"has no column {label!r}; columns are {', '.join(header)[:200]}")
    where = header.index(label)
    x = [
        [_number(header, i, row, column) for column in range(len(header)) if column != where]
        for i, row in enumerate(rows[1:], start=2)
    ]
    names = [row[where].strip() for row in rows[1:]]
    return {"x": np.array(x, dtype=np.float64), "y": _label_numbers(names)}


def _number(header: list[str], line: int, row: list[str], column: int) -> float:
    if len(row) != len(header):
        raise InvalidDataset("csv", f"line {line} has {len(row)} fields, the header {len(header)}")
    place = f"line {line}, column {header[column]!r}"
    try:
        number = float(row[column])
    except ValueError as error:
        raise InvalidDataset("csv", f"{place}: {row[column][:40]!r} is no number") from error
    if not math.isfinite(number):
        raise InvalidDataset("csv", f"{place} holds {number}, which is not finite")
    return number


def _label_numbers(names: list[str]) -> NDArray[np.int64]:
    """Classes as they are when all are whole numbers, else the place of each name in ascending order."""
    if all(name.isascii() and name.isdigit() and len(name) < 8 for name in names):
        return np.array([int(name) for name in names], dtype=np.int64)
    places = {name: place for place, name in enumerate(sorted(set(names)))}
    return np.array([places[name] for name in names], dtype=np.int64)
