"""A dataset as everybody sees it: canonical safetensors bytes, named by sha256, checked before use.

Classification: ``x_train``, ``x_test`` (F32 [samples, features]), ``y_train``, ``y_test`` (I64 [samples],
classes from 0). Text: ``tokens_train``, ``tokens_test`` (U8 or I64 [length]), ``vocab`` (I64 [distinct
characters], ascending code points); a training sample is one window of the model's context.
"""

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from protocol.spec import DatasetSpec, ModelSpec
from worker.training.errors import DatasetHashMismatch, InvalidDataset
from worker.training.tensors import Entry, load_entry, read_header, safe_save

Split: TypeAlias = Literal["train", "test"]
Indices: TypeAlias = NDArray[np.int64]

MAX_DATASET_BYTES: Final = 1 << 30
MAX_CLASSES: Final = 65_536
_CLASSIFICATION = ("x_train", "y_train", "x_test", "y_test")
_TEXT = ("tokens_train", "tokens_test", "vocab")


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """``inputs``: float32 [n, features], or int64 [n, context] of text; ``targets``: int64 [n] or [n,
    context]."""

    inputs: NDArray[np.float32] | NDArray[np.int64]
    targets: NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Classification:
    """Feature vectors with a class each; ``x`` float32 [samples, features], ``y`` int64 [samples]."""

    sha256: bytes
    x_train: NDArray[np.float32]
    y_train: NDArray[np.int64]
    x_test: NDArray[np.float32]
    y_test: NDArray[np.int64]

    @property
    def features(self) -> int:
        return int(self.x_train.shape[1])

    @property
    def classes(self) -> int:
        return int(max(self.y_train.max(), self.y_test.max())) + 1

    def require_fit(self, model: ModelSpec) -> None:
        """Raises InvalidDataset when ``model`` cannot read these features or name these classes."""
        params = model.params
        match model.arch:
            case "mlp":
                expected = params["inputs"]
            case "cnn":
                expected = params["height"] * params["width"]
            case _:
                raise InvalidDataset("kind", f"a {model.arch} needs text, this dataset is a classification")
        if self.features != expected:
            raise InvalidDataset("x_train", f"has {self.features} features, the model reads {expected}")
        if self.classes > params["classes"]:
            raise InvalidDataset(
                "y_train", f"has {self.classes} classes, the model knows {params['classes']}"
            )

    def samples(self, model: ModelSpec, split: Split) -> int:
        """How many samples a split has."""
        return len(self.y_train if split == "train" else self.y_test)

    def batch(self, model: ModelSpec, split: Split, indices: Indices) -> Batch:
        """The samples at ``indices``, in that order."""
        x, y = (self.x_train, self.y_train) if split == "train" else (self.x_test, self.y_test)
        return Batch(inputs=x[indices], targets=y[indices])


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    """Characters as positions in ``vocab``; int64 [length] each."""

    sha256: bytes
    tokens_train: NDArray[np.int64]
    tokens_test: NDArray[np.int64]
    vocab: NDArray[np.int64]

    def require_fit(self, model: ModelSpec) -> None:
        """Raises InvalidDataset when ``model`` is no language model, knows too few characters, or when a
        split is shorter than one window."""
        if model.arch != "transformer":
            raise InvalidDataset("kind", f"a {model.arch} needs a classification, this dataset is text")
        if len(self.vocab) > model.params["vocab"]:
            known = model.params["vocab"]
            raise InvalidDataset("vocab", f"has {len(self.vocab)} characters, the model knows {known}")
        for name, split in (("tokens_train", "train"), ("tokens_test", "test")):
            if self.samples(model, "train" if split == "train" else "test") < 1:
                raise InvalidDataset(
                    name, f"is shorter than the model's context of {model.params['context']}"
                )

    def samples(self, model: ModelSpec, split: Split) -> int:
        """How many whole windows a split has; the last character of a window is only a target."""
        tokens = self.tokens_train if split == "train" else self.tokens_test
        return (len(tokens) - 1) // model.params["context"]

    def batch(self, model: ModelSpec, split: Split, indices: Indices) -> Batch:
        """The windows at ``indices``: inputs and, one character further, targets, both int64 [n, context]."""
        tokens = self.tokens_train if split == "train" else self.tokens_test
        context = model.params["context"]
        windows = tokens[indices[:, np.newaxis] * context + np.arange(context + 1)]
        return Batch(inputs=windows[:, :-1], targets=windows[:, 1:])


Dataset: TypeAlias = Classification | Text


def load_dataset(data: bytes, expected: DatasetSpec) -> Dataset:
    """The dataset a spec names. Raises DatasetHashMismatch when the bytes are others, InvalidDataset or
    BlobRejected when they are no dataset of that kind."""
    found = hashlib.sha256(data).digest()
    if found.hex() != expected.sha256:
        raise DatasetHashMismatch(bytes.fromhex(expected.sha256), found)
    return parse_dataset(data, expected.kind)


def parse_dataset(data: bytes, kind: Literal["classification", "text"]) -> Dataset:
    """Check canonical bytes and build the dataset; raises InvalidDataset or BlobRejected."""
    if len(data) > MAX_DATASET_BYTES:
        raise InvalidDataset("size", f"is {len(data)} bytes, at most {MAX_DATASET_BYTES} are allowed")
    entries = read_header(data, "dataset")
    names = _CLASSIFICATION if kind == "classification" else _TEXT
    if entries.keys() != set(names):
        raise InvalidDataset(
            kind, f"needs the tensors {', '.join(names)}, found {', '.join(sorted(entries))[:200]}"
        )
    sha256 = hashlib.sha256(data).digest()
    if kind == "text":
        return _text(data, entries, sha256)
    return _classification(data, entries, sha256)


def canonical_classification(
    x_train: NDArray[Any], y_train: NDArray[Any], x_test: NDArray[Any], y_test: NDArray[Any]
) -> bytes:
    """The bytes of a classification dataset; raises InvalidDataset when they would not load again."""
    with np.errstate(over="ignore"):
        tensors: dict[str, NDArray[Any]] = {
            "x_train": x_train.astype(np.float32),
            "y_train": y_train.astype(np.int64),
            "x_test": x_test.astype(np.float32),
            "y_test": y_test.astype(np.int64),
        }
    for name in ("x_train", "x_test"):
        if not bool(np.isfinite(tensors[name]).all()):
            raise InvalidDataset(name, "holds NaN, infinity or a number beyond float32")
    data = safe_save(tensors)
    parse_dataset(data, "classification")
    return data


def canonical_text(tokens_train: Indices, tokens_test: Indices, vocab: Indices) -> bytes:
    """The bytes of a text dataset; tokens become U8 while the vocabulary allows it."""
    kind = np.uint8 if len(vocab) <= 256 else np.int64
    tensors = {
        "tokens_train": tokens_train.astype(kind),
        "tokens_test": tokens_test.astype(kind),
        "vocab": vocab,
    }
    data = safe_save(tensors)
    parse_dataset(data, "text")
    return data


class DatasetCache:
    """The parsed datasets used last, by hash: a process parses each one once. Threads may share it."""

    def __init__(self, capacity: int = 4) -> None:
        self._capacity = capacity
        self._found: OrderedDict[str, Dataset] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, expected: DatasetSpec, fetch: Callable[[], bytes]) -> Dataset:
        """The dataset a spec names, from ``fetch`` when it is not here; raises what ``load_dataset``
        raises."""
        with self._lock:
            if expected.sha256 not in self._found:
                self._found[expected.sha256] = load_dataset(fetch(), expected)
                if len(self._found) > self._capacity:
                    self._found.popitem(last=False)
            self._found.move_to_end(expected.sha256)
            return self._found[expected.sha256]


def _classification(data: bytes, entries: dict[str, Entry], sha256: bytes) -> Classification:
    for split in ("train", "test"):
        x, y = entries[f"x_{split}"].spec, entries[f"y_{split}"].spec
        if x.dtype != "F32" or len(x.shape) != 2 or min(x.shape) < 1:
            raise InvalidDataset(x.name, f"is {x.dtype} {list(x.shape)}, needed is F32 [samples, features]")
        if y.dtype != "I64" or y.shape != x.shape[:1]:
            raise InvalidDataset(y.name, f"is {y.dtype} {list(y.shape)}, needed is I64 [{x.shape[0]}]")
    if entries["x_train"].spec.shape[1] != entries["x_test"].spec.shape[1]:
        raise InvalidDataset("x_test", "has another number of features than x_train")
    arrays = {name: load_entry(data, entry, "dataset") for name, entry in entries.items()}
    for name in ("y_train", "y_test"):
        if int(arrays[name].min()) < 0 or int(arrays[name].max()) >= MAX_CLASSES:
            raise InvalidDataset(name, f"holds a class outside 0..{MAX_CLASSES - 1}")
    return Classification(sha256=sha256, **arrays)


def _text(data: bytes, entries: dict[str, Entry], sha256: bytes) -> Text:
    for name, entry in entries.items():
        allowed = ("I64",) if name == "vocab" else ("U8", "I64")
        if entry.spec.dtype not in allowed or len(entry.spec.shape) != 1 or entry.spec.shape[0] < 1:
            found = f"{entry.spec.dtype} {list(entry.spec.shape)}"
            raise InvalidDataset(name, f"is {found}, needed is {' or '.join(allowed)} [length]")
    arrays = {name: load_entry(data, entry, "dataset").astype(np.int64) for name, entry in entries.items()}
    vocab = arrays["vocab"]
    if len(vocab) > MAX_CLASSES or int(vocab[0]) < 0 or not bool((np.diff(vocab) > 0).all()):
        raise InvalidDataset("vocab", f"is not a list of at most {MAX_CLASSES} ascending code points")
    for name in ("tokens_train", "tokens_test"):
        if int(arrays[name].min()) < 0 or int(arrays[name].max()) >= len(vocab):
            raise InvalidDataset(name, f"holds a token outside the vocabulary of {len(vocab)}")
    return Text(sha256=sha256, **arrays)
