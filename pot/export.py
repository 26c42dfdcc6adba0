"""A checkpoint's parameters, without optimizer state, as files that need none of our code."""

import io
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from pot.client import Client, write_file
from pot.output import Reply
from protocol.errors import InvalidInput, Refused
from protocol.ids import TaskId, sha256
from worker.training.tensors import load_entry, read_header, safe_save

PREFIX: Final = "param."
MAX_FILE_BYTES: Final = 1 << 34


def export_model(
    client: Client, *, task: int | None, file: Path | None, form: str, out: Path | None
) -> Reply:
    """Write the parameters of a task's certified model, or of a fetched checkpoint."""
    if (task is None) == (file is None):
        raise InvalidInput("Name one model: --task N, or --file CHECKPOINT.safetensors.")
    blob, stem = (_certified(client, task), f"task-{task}") if task is not None else _read(file or Path())
    tensors = parameters_of(blob, "checkpoint")
    path = out or Path(f"{stem}.params.{form}")
    data = as_npz(tensors) if form == "npz" else safe_save(tensors)
    write_file(path, data)
    shapes = {name: list(tensor.shape) for name, tensor in tensors.items()}
    count = sum(tensor.size for tensor in tensors.values())
    document = {
        "path": str(path),
        "checkpoint_sha256": sha256(blob).hex(),
        "parameters": count,
        "tensors": shapes,
    }
    return Reply(
        data=document, text=[f"{path}: {len(tensors)} tensors, {count:,} parameters, {len(data):,} bytes."]
    )


def parameters_of(blob: bytes, subject: str) -> dict[str, NDArray[Any]]:
    """Parameter name -> float32 tensor. Raises BlobRejected or InvalidInput when it is no checkpoint."""
    header = read_header(blob, subject)
    found = {
        name.removeprefix(PREFIX): load_entry(blob, entry, subject)
        for name, entry in header.items()
        if name.startswith(PREFIX)
    }
    if not found:
        raise InvalidInput(f"The {subject} holds no parameters: `pot task fetch` writes one that does.")
    return found


def as_npz(tensors: dict[str, NDArray[Any]]) -> bytes:
    """A numpy archive that loads with ``allow_pickle=False``."""
    stream = io.BytesIO()
    np.savez(stream, allow_pickle=False, **tensors)
    return stream.getvalue()


def _certified(client: Client, number: int) -> bytes:
    task = client.task(TaskId(number))
    if task.last_round == 0:
        raise Refused(f"Task {number} has no certified round yet. Follow it with `pot task watch {number}`.")
    return client.blobs.get(task.model, client.spec(task.task_id).limits.max_blob_bytes)


def _read(path: Path) -> tuple[bytes, str]:
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            raise InvalidInput(f"{path} is larger than {MAX_FILE_BYTES} bytes.")
        return path.read_bytes(), path.stem
    except OSError as error:
        raise InvalidInput(f"{path} cannot be read: {error.strerror}.") from error
