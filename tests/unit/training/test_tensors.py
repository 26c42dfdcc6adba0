import json

import numpy as np
import pytest

from worker.training.errors import BlobRejected
from worker.training.tensors import (
    MAX_HEADER_BYTES,
    Manifest,
    TensorSpec,
    safe_load,
    safe_save,
)

MANIFEST = Manifest(
    tensors=(
        TensorSpec(name="a", dtype="F32", shape=(2, 3)),
        TensorSpec(name="b", dtype="I8", shape=(4,)),
    )
)


def good() -> dict[str, np.ndarray]:
    return {"a": np.arange(6, dtype=np.float32).reshape(2, 3), "b": np.arange(4, dtype=np.int8)}


def blob(header: object, body: bytes) -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + body


def entry(dtype: str, shape: list[int], begin: int, end: int) -> dict[str, object]:
    return {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}


def test_safe_load__what_safe_save_wrote__comes_back_read_only() -> None:
    loaded = safe_load(safe_save(good()), MANIFEST, "blob")
    assert all(np.array_equal(loaded[name], array) for name, array in good().items())
    assert not any(array.flags.writeable for array in loaded.values())


def test_safe_save__another_order_of_names__gives_the_same_bytes() -> None:
    tensors = good()
    assert safe_save(tensors) == safe_save(dict(reversed(tensors.items())))


NAN = np.full((2, 3), np.nan, dtype=np.float32)
A, B = entry("F32", [2, 3], 0, 24), entry("I8", [4], 24, 28)
BOMBS = {
    "empty": (b"", "header of 0 bytes"),
    "header of one gigabyte announced": ((1 << 30).to_bytes(8, "little") + b"{}", "header of 1073741824"),
    "header longer than the limit, really there": (
        blob(b" " * (MAX_HEADER_BYTES + 8), b""),
        f"limit {MAX_HEADER_BYTES}",
    ),
    "header longer than the blob": ((100).to_bytes(8, "little") + b"{}", "in a blob of 10"),
    "no JSON": (blob(b"\xff\xfe{", b""), "not JSON"),
    "JSON nested beyond the stack": (blob(b"[" * 200_000, b""), "not JSON"),
    "a list": (blob([], b""), "does not list"),
    "no tensors": (blob({}, b""), "does not list"),
    "metadata": (blob({"a": A, "b": B, "__metadata__": {}}, bytes(28)), "is not a tensor"),
    "unknown dtype": (blob({"a": entry("BF16", [2, 3], 0, 12)}, bytes(12)), "unknown dtype"),
    "negative dimension": (blob({"a": entry("F32", [-2, -3], 0, 24)}, bytes(24)), "unknown dtype, shape"),
    "boolean dimension": (blob({"b": entry("I8", [True], 0, 1)}, bytes(1)), "unknown dtype, shape"),
    "a terabyte in four bytes": (blob({"b": entry("I8", [1 << 40], 0, 4)}, bytes(4)), "spans 4 bytes"),
    "a terabyte with matching offsets": (
        blob({"b": entry("I8", [1 << 40], 0, 1 << 40)}, bytes(4)),
        "tensors end at byte",
    ),
    "overlapping offsets": (
        blob({"a": A, "b": entry("I8", [4], 20, 24)}, bytes(24)),
        "leaves a gap or overlaps",
    ),
    "a gap": (blob({"a": A, "b": entry("I8", [4], 28, 32)}, bytes(32)), "leaves a gap or overlaps"),
    "bytes after the last tensor": (safe_save(good()) + b"x", "tensors end at byte"),
    "truncated": (safe_save(good())[:-1], "tensors end at byte"),
    "repeated name": (
        blob(b'{"a":' + json.dumps(A).encode() + b',"a":' + json.dumps(A).encode() + b"}", bytes(24)),
        "repeats a name",
    ),
    "extra tensor": (safe_save({**good(), "c": np.zeros(1, np.int8)}), "expected None"),
    "missing tensor": (safe_save({"a": good()["a"]}), "'b' is missing"),
    "wrong shape": (safe_save({**good(), "a": np.zeros((3, 2), np.float32)}), "shape=(3, 2)"),
    "wrong dtype": (safe_save({**good(), "b": np.zeros(4, np.uint8)}), "dtype='U8'"),
    "NaN": (safe_save({**good(), "a": NAN}), "NaN or infinity"),
    "infinity": (safe_save({**good(), "a": NAN * np.inf}), "NaN or infinity"),
}


@pytest.mark.parametrize("name", BOMBS)
def test_safe_load__bomb__is_rejected_and_named(name: str) -> None:
    data, sentence = BOMBS[name]
    with pytest.raises(BlobRejected) as caught:
        safe_load(data, MANIFEST, "the blob under test")
    assert "the blob under test" in str(caught.value)
    assert sentence in str(caught.value)
