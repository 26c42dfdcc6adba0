"""A training trace: what a miner commits to beside its model, to show that it trained it.

A trace names the checkpoint (parameters and optimizer state) before the first step and after every ``every``
steps, the last segment maybe shorter. Blob: canonical JSON ``{"version": 1, "checkpoints": [sha256, ...]}``.
The commitment covers its Merkle root over (uint32 index, bytes32 checkpoint).

Two checks cost nothing and leave only the middle to be replayed: the first checkpoint follows from the
miner's seed, and the last one holds the parameters of the model that was handed in.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Self

import numpy as np

from protocol import merkle
from protocol.canonical import canonical_json, is_canonical
from protocol.contest_recipe import MAX_CHECKPOINTS, ContestRecipe
from protocol.ids import Sha256, parse_sha256, sha256
from protocol.parsing import peer_value
from worker.training.contest_model import load_model
from worker.training.contest_step import Job, State, advance, initial_state, load_state, save_state
from worker.training.errors import BlobRejected, InvalidRecipe

CHECKPOINT_LEAF: Final = ["uint32", "bytes32"]
MAX_TRACE_BYTES: Final = 70 * (MAX_CHECKPOINTS + 1) + 64
_VERSION: Final = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Trace:
    """The checkpoints of one training run by hash: one more than there are segments."""

    checkpoints: tuple[Sha256, ...]

    @property
    def root(self) -> bytes:
        """The Merkle root that a commitment names."""
        return merkle.root(list(enumerate(self.checkpoints)), CHECKPOINT_LEAF)

    @property
    def blob(self) -> bytes:
        """The canonical bytes."""
        return canonical_json(
            {"version": _VERSION, "checkpoints": [checkpoint.hex() for checkpoint in self.checkpoints]}
        )

    @classmethod
    def parse(cls, data: bytes, recipe: ContestRecipe) -> Self:
        """The trace of a run of this recipe. Raises PeerMisbehaved or BlobRejected for anything else."""
        if len(data) > MAX_TRACE_BYTES:
            raise BlobRejected("trace", f"is {len(data)} bytes, at most {MAX_TRACE_BYTES} are allowed")
        with peer_value("trace"):
            value = json.loads(data)
            trace = cls(checkpoints=tuple(parse_sha256(item) for item in value["checkpoints"]))
            if value.keys() != {"version", "checkpoints"} or not is_canonical(data, value):
                raise ValueError("it is not canonical")
            if value["version"] != _VERSION:
                raise ValueError(f"version {value['version']} is unknown")
        if len(trace.checkpoints) != recipe.segments + 1:
            raise BlobRejected("trace", f"has {len(trace.checkpoints)} checkpoints of {recipe.segments + 1}")
        return trace


def checkpoint_names(blob: bytes) -> tuple[Sha256, ...]:
    """The checkpoints that one's own trace names."""
    return tuple(parse_sha256(item) for item in json.loads(blob)["checkpoints"])


def segment_bounds(recipe: ContestRecipe, segment: int) -> tuple[int, int]:
    """The steps done before and after segment 0, 1, ... Raises InvalidRecipe for one that is not there."""
    if recipe.trace is None or not 0 <= segment < recipe.segments:
        raise InvalidRecipe("trace", f"segment {segment} is not in 0..{recipe.segments - 1}")
    first = segment * recipe.trace.every
    return first, min(first + recipe.trace.every, recipe.steps)


def record(
    job: Job, put: Callable[[bytes], Sha256], *, threads: int = 1, device: str = "cpu"
) -> tuple[Trace, State]:
    """Train the whole job; every checkpoint goes to ``put``. Returns the trace and the last state. Raises
    InvalidRecipe where the recipe asks for no trace or one of too many checkpoints, and as ``advance``."""
    check_terms(job.recipe)
    state = initial_state(job)
    names = [put(save_state(job, state))]
    for segment in range(job.recipe.segments):
        first, last = segment_bounds(job.recipe, segment)
        state = advance(job, state, last - first, threads=threads, device=device)
        names.append(put(save_state(job, state)))
    return Trace(checkpoints=tuple(names)), state


def check_terms(recipe: ContestRecipe) -> None:
    """Raises InvalidRecipe where a trace is missing, too long or has fewer segments than one replica
    replays."""
    if recipe.trace is None:
        raise InvalidRecipe("trace", "is not asked for")
    if recipe.segments + 1 > MAX_CHECKPOINTS:
        raise InvalidRecipe("trace", f"has {recipe.segments + 1} checkpoints, at most {MAX_CHECKPOINTS}")
    if recipe.replays > recipe.segments:
        raise InvalidRecipe("trace", f"asks for more replays than its {recipe.segments} segments")


def check_ends(job: Job, trace: Trace, last_blob: bytes, model_blob: bytes) -> None:
    """Whether a trace starts where the seed says and ends in the model. Raises BlobRejected."""
    if trace.checkpoints[0] != sha256(save_state(job, initial_state(job))):
        raise BlobRejected("trace", "does not start from the first weights of this block, task and miner")
    if trace.checkpoints[-1] != sha256(last_blob):
        raise BlobRejected("trace", "ends in another checkpoint than the one that was given")
    last = load_state(job, last_blob, job.recipe.steps)
    if not np.array_equal(last.parameters, load_model(job.model, job.seed, model_blob)):
        raise BlobRejected("trace", "does not end in the model that was handed in")
