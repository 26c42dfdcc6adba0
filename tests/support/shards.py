"""Micro-batches for work that a test makes up."""

import numpy as np

from protocol.blobs import BlobStore
from protocol.ids import Sha256
from protocol.spec import TaskSpec
from worker.forging import consistent
from worker.training.codec import decode
from worker.training.errors import BlobRejected
from worker.training.models import layout_of
from worker.training.parts import Vector, encode_part
from worker.training.step import ShardResult


def forged_parts(spec: TaskSpec, gradient: bytes) -> tuple[Vector, ...]:
    """Parts whose sum is whatever ``gradient`` says; zeros for a blob that says nothing."""
    layout = layout_of(spec.model)
    try:
        values = decode(spec.recipe.codec, layout, gradient)
    except BlobRejected:
        values = np.zeros(layout.size, dtype=np.float32)
    return consistent(spec, ShardResult(gradient=values, parts=(), samples=1, loss_micros=1)).parts


def put_parts(spec: TaskSpec, blobs: BlobStore, parts: tuple[Vector, ...]) -> tuple[Sha256, ...]:
    """Store parts; their names."""
    return tuple(blobs.put(encode_part(spec, part)) for part in parts)
