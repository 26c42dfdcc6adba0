import hashlib
import io
import zipfile
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from worker.training import ingest
from worker.training.data import Classification, Text, parse_dataset
from worker.training.errors import InvalidDataset
from worker.training.ingest import BUNDLED, bundled_dataset, from_arrays, from_file, from_text
from worker.training.tensors import safe_save

X = np.arange(60, dtype=np.float64).reshape(20, 3) ** 1.5
Y = np.arange(20) % 3
HASHES = {
    "digits": "89cc66a4498b47661b56acaea51bde904473aa459ed8f19cfbd669a5cda201ac",
    "breast_cancer": "fe00b8aaea6d49d880d933eb20307173c8295d0cb69211da86c777f37366e7c0",
    "wine": "be739a41edcd108bdcf55aead2014629984d68004da13eb9b30298e9448fd1a4",
}


def npz(**arrays: np.ndarray) -> bytes:
    stream = io.BytesIO()
    np.savez(stream, allow_pickle=True, **arrays)
    return stream.getvalue()


def csv(rows: list[list[object]]) -> bytes:
    return "\n".join(",".join(map(str, row)) for row in rows).encode()


def classification(data: bytes) -> Classification:
    dataset = parse_dataset(data, "classification")
    assert isinstance(dataset, Classification)
    return dataset


@pytest.mark.parametrize("name", BUNDLED)
def test_bundled_dataset__by_name__has_the_committed_hash(name: str) -> None:
    data = bundled_dataset(name)
    parse_dataset(data, "classification")
    assert hashlib.sha256(data).hexdigest() == HASHES[name]


def test_bundled_dataset__unknown_name__lists_the_known_ones() -> None:
    with pytest.raises(InvalidDataset, match="digits, breast_cancer, wine"):
        bundled_dataset("imagenet")


def test_from_file__the_same_data_in_three_formats__gives_the_same_bytes() -> None:
    rows = [["a", "b", "label", "c"], *([x[0], x[1], y, x[2]] for x, y in zip(X.tolist(), Y, strict=True))]
    files = {"d.npz": npz(x=X, y=Y), "d.csv": csv(rows), "d.safetensors": safe_save({"x": X, "y": Y})}
    assert len({from_file(name, data) for name, data in files.items()}) == 1


def test_from_arrays__x_and_y__standardises_by_the_training_split_and_keeps_all_samples() -> None:
    dataset = classification(from_arrays({"x": X, "y": Y}))
    assert (len(dataset.y_train), len(dataset.y_test)) == (16, 4)
    np.testing.assert_allclose(dataset.x_train.mean(axis=0), 0, atol=1e-6)
    np.testing.assert_allclose(dataset.x_train.std(axis=0), 1, atol=1e-6)


def test_from_arrays__constant_and_huge_integer_columns__stay_finite() -> None:
    x = np.stack([np.full(20, 7), np.arange(20) + (1 << 53) - 20], axis=1)
    dataset = classification(from_arrays({"x": x, "y": Y}))
    assert not dataset.x_train[:, 0].any()
    assert len(np.unique(dataset.x_train[:, 1])) == 16


def test_from_arrays__images_without_scaling__are_flattened_and_unchanged() -> None:
    images = np.arange(20 * 4, dtype=np.uint8).reshape(20, 2, 2)
    split: dict[str, np.ndarray] = {"x_train": images, "y_train": Y, "x_test": images[:5], "y_test": Y[:5]}
    dataset = classification(from_arrays(split, scale="none"))
    assert dataset.x_train.tolist() == images.reshape(20, 4).tolist()


def test_from_file__csv_with_named_classes__numbers_them_in_order() -> None:
    rows: list[list[object]] = [["kind", "v"], *([["cat", "ant", "bee"][i % 3], i] for i in range(30))]
    dataset = classification(from_file("d.csv", csv(rows), label="kind"))
    assert dataset.classes == 3


def test_from_text__characters_beyond_ascii__become_code_points() -> None:
    data = from_text(("Größe, Maß und Ziel. " * 10).encode())
    dataset = parse_dataset(data, "text")
    assert isinstance(dataset, Text)
    letters = "".join(chr(dataset.vocab[token]) for token in dataset.tokens_train)
    assert letters.startswith("Größe, Maß")
    assert len(dataset.tokens_train) + len(dataset.tokens_test) == 210


def header_bomb() -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        header = b"{'descr': '<f8', 'fortran_order': False, 'shape': (1099511627776,), }"
        header += b" " * (117 - len(header)) + b"\n"
        length = len(header).to_bytes(2, "little")
        archive.writestr("x.npy", b"\x93NUMPY\x01\x00" + length + header + bytes(8))
    return stream.getvalue()


def zip_bomb() -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("x.npy", bytes(200_000))
    return stream.getvalue()


def pickled() -> bytes:
    return npz(x=np.array([{"a": 1}] * 5, dtype=object), y=Y[:5])


def with_value(value: float) -> Callable[[], bytes]:
    def build() -> bytes:
        x = X.copy()
        x[4, 1] = value
        return npz(x=x, y=Y)

    return build


BAD: dict[str, tuple[str, Callable[[], bytes], str]] = {
    "NaN": ("d.npz", with_value(np.nan), "holds nan in sample"),
    "infinity": ("d.npz", with_value(np.inf), "holds inf in sample"),
    "a number beyond float32": ("d.npz", with_value(1e39), "holds 1e+39 in sample"),
    "a pickle": ("d.npz", pickled, "announces object"),
    "an array of a terabyte announced": ("d.npz", header_bomb, "which its"),
    "a zip that unpacks beyond the limit": ("d.npz", zip_bomb, "unpacks to more"),
    "no zip": ("d.npz", lambda: b"PK no", "not a readable archive"),
    "other names": ("d.npz", lambda: npz(a=X, b=Y), "needed are x and y"),
    "fewer labels than samples": ("d.npz", lambda: npz(x=X, y=Y[:-1]), "have shapes"),
    "labels that are no whole numbers": ("d.npz", lambda: npz(x=X, y=Y + 0.5), "no class"),
    "labels of text": ("d.npz", lambda: npz(x=X, y=Y.astype(str)), "announces <U"),
    "one dimension": ("d.npz", lambda: npz(x=X[:, 0], y=Y), "needed are numbers"),
    "a csv without the label column": ("d.csv", lambda: csv([["a", "b"], [1, 2]]), "no column 'label'"),
    "a csv with a word": ("d.csv", lambda: csv([["a", "label"], ["x", 2]]), "line 2, column 'a': 'x'"),
    "a csv with a short line": ("d.csv", lambda: csv([["a", "b", "label"], [1, 2]]), "line 2 has 2 fields"),
    "a csv with NaN": (
        "d.csv",
        lambda: csv([["a", "label"], *(["nan", i % 2] for i in range(9))]),
        "holds nan",
    ),
    "a csv with a header alone": ("d.csv", lambda: csv([["a", "label"]]), "needs a header and rows"),
    "a csv that is not UTF-8": ("d.csv", lambda: b"\xff\xfe\n\xff", "cannot be read"),
    "safetensors with a 1 GB header": (
        "d.safetensors",
        lambda: (1 << 30).to_bytes(8, "little") + b"{}",
        "header of 1073741824",
    ),
    "text that is not UTF-8": ("d.txt", lambda: b"\xff" * 50, "is not UTF-8"),
    "text of a few letters": ("d.txt", lambda: b"short", "at least 20"),
    "an unknown suffix": ("d.pt", lambda: b"", "suffix 'pt'"),
}


@pytest.mark.parametrize("name", BAD)
def test_from_file__bad_input__is_refused_with_a_sentence(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    file, build, sentence = BAD[name]
    monkeypatch.setattr(ingest, "MAX_DATASET_BYTES", 100_000)
    with pytest.raises(InvalidDataset) as caught:
        from_file(file, build())
    assert sentence in str(caught.value)


def test_from_file__more_bytes_than_allowed__is_refused_unread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ingest, "MAX_DATASET_BYTES", 10)
    with pytest.raises(InvalidDataset, match="at most 10 are allowed"):
        from_file("d.npz", npz(x=X, y=Y))


@settings(max_examples=150, deadline=None)
@given(
    file=st.sampled_from(["d.npz", "d.safetensors"]), place=st.integers(0, 2_000), byte=st.integers(0, 255)
)
def test_from_file__one_byte_changed__is_refused_or_still_a_dataset(file: str, place: int, byte: int) -> None:
    data = bytearray(npz(x=X, y=Y) if file == "d.npz" else safe_save({"x": X, "y": Y}))
    data[place % len(data)] = byte
    try:
        classification(from_file(file, bytes(data)))
    except InvalidDataset:
        return
