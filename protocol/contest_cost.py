"""What a contest's spec asks of whoever trains, replays, scores and stores it, and how much it may ask.

Everything is estimated from the spec's numbers alone, before a tensor is built: one document of a few
hundred bytes must not occupy every miner and every validator for days. Work is in multiply-adds, of which one
core does some 10^10 a second in float64; numbers that are computed on have 8 bytes.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from protocol.contest_recipe import MAX_CHECKPOINTS, ContestRecipe, MappingTerms
from protocol.errors import InvalidInput
from protocol.spec import ModelSpec, Optimizer

MAX_FORWARD_WORK: Final = 1 << 34
"""One test sample's forward pass: some two seconds on one core."""
MAX_SEGMENT_WORK: Final = 1 << 40
"""One replayed segment: some two minutes on one core."""
MAX_COUNTING_WORK: Final = 1 << 48
"""All replays and all test samples of all entries, for one member of a committee: some eight hours on one
core, of the two days that scoring may take."""
MAX_TRAINING_WORK: Final = 1 << 52
"""One miner's whole training: some five days on one core, of the thirty that commitments may take."""
MAX_ACTIVATION_BYTES: Final = 8 << 30
"""What one chunk of test samples, or one micro-batch of training, holds at once: what a machine of 16 GB has
to spare."""
MAX_STORED_BYTES: Final = 4 << 30
"""All checkpoints of one entry: each miner stores them, and each member fetches those of up to 64 entries."""

CHUNK_SAMPLES: Final = 256
"""Test samples that are scored at once: ``CHUNK`` of ``worker/training/contest_model.py``."""
_NUMBER_BYTES: Final = 8
_STORED_NUMBER_BYTES: Final = 4
_PASSES: Final = 3
"""A training step is a forward pass, and a backward pass of twice its work."""
_UPDATE_WORK: Final = 32
"""The optimizer's exact update of one number of one vector, as multiply-adds."""
_DRAW_WORK: Final = 16
"""One number of Z from its Philox stream, as multiply-adds."""
_SOFTMAX_WORK: Final = 16
"""One attention weight's exponential, as multiply-adds."""
_CALL_WORK: Final = 10_000_000
"""What a micro-batch takes however small it is: a millisecond of Python."""
_OPTIMIZER_VECTORS: Final[Mapping[str, int]] = {"sgd": 1, "adamw": 2}

PARAMETER_NAMES: Final[Mapping[str, tuple[str, ...]]] = {
    "mlp": ("classes", "hidden", "inputs", "layers"),
    "cnn": ("channels", "classes", "height", "width"),
    "transformer": ("context", "heads", "layers", "vocab", "width"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelCost:
    """A model behind its Z. ``parameters``: trained numbers. ``fixed``: other numbers that a pass holds
    whatever its samples (Z, a fixed embedding), ``fixed_work`` what it computes of them. Of one sample:
    ``forward`` multiply-adds, ``activations`` numbers held at once in a forward pass, ``kept`` numbers held
    for a backward pass."""

    parameters: int
    fixed: int
    fixed_work: int
    forward: int
    activations: int
    kept: int


def model_cost(model: ModelSpec, mapping: MappingTerms | None) -> ModelCost:
    """The cost of a registered architecture. Raises InvalidInput when the parameters have other names."""
    names = PARAMETER_NAMES[model.arch]
    if tuple(sorted(model.params)) != names:
        raise InvalidInput(f"model.params of a {model.arch} are exactly {', '.join(names)}.")
    return _COSTS[model.arch](model.params, mapping)


def check_cost(model: ModelSpec, recipe: ContestRecipe, *, answers: int, entries: int) -> None:
    """Raises InvalidInput, with what is asked and what is allowed, when a contest of so many test ``answers``
    and ``entries`` asks for too much."""
    cost = model_cost(model, recipe.mapping)
    samples = answers // max(1, model.params["context"]) if model.arch == "transformer" else answers
    scoring = samples * cost.forward + -(-samples // CHUNK_SAMPLES) * cost.fixed_work
    replay = _work(cost, recipe, min(recipe.trace.every, recipe.steps)) if recipe.trace else 0
    counting = entries * (recipe.replays * replay + scoring)
    training = _work(cost, recipe, recipe.steps)
    forward = cost.forward + cost.fixed_work
    _require("One test sample's forward pass", forward, MAX_FORWARD_WORK, "a smaller model")
    _require(
        "One segment of the trace", replay, MAX_SEGMENT_WORK, "a smaller recipe.trace.every, batch or model"
    )
    _require(
        f"Scoring {entries} entries", counting, MAX_COUNTING_WORK, "fewer entries, replays or test samples"
    )
    _require("One miner's training", training, MAX_TRAINING_WORK, "fewer recipe.steps or a smaller batch")
    _check_memory(cost, recipe)
    if recipe.trace is not None:
        _check_trace(cost, recipe)


def state_bytes(cost: ModelCost, optimizer: Optimizer) -> int:
    """The numbers of one checkpoint: parameters and at most as many optimizer vectors."""
    return _STORED_NUMBER_BYTES * cost.parameters * (1 + _OPTIMIZER_VECTORS[optimizer.kind])


def _work(cost: ModelCost, recipe: ContestRecipe, steps: int) -> int:
    """Multiply-adds of ``steps`` training steps."""
    micro_batches = -(-recipe.batch // recipe.micro_batch)
    vectors = 1 + _OPTIMIZER_VECTORS[recipe.optimizer.kind]
    step = _PASSES * recipe.batch * cost.forward
    step += micro_batches * (_CALL_WORK + _PASSES * cost.fixed_work + cost.parameters)
    step += _UPDATE_WORK * vectors * cost.parameters
    return _DRAW_WORK * cost.fixed + steps * step


def _require(what: str, work: int, most: int, remedy: str) -> None:
    if work > most:
        raise InvalidInput(
            f"{what} takes about {work:,} multiply-adds, at most {most:,} are allowed: ask for {remedy}."
        )


def _check_memory(cost: ModelCost, recipe: ContestRecipe) -> None:
    for what, numbers, remedy in (
        (f"{CHUNK_SAMPLES} test samples", CHUNK_SAMPLES * cost.activations, "a smaller model"),
        (
            "one micro-batch of training",
            min(recipe.batch, recipe.micro_batch) * cost.kept,
            "a smaller recipe.micro_batch or model",
        ),
    ):
        needed = _NUMBER_BYTES * (numbers + cost.fixed + cost.parameters)
        if needed > MAX_ACTIVATION_BYTES:
            raise InvalidInput(
                f"Computing {what} needs about {needed:,} bytes of memory at once, at most "
                f"{MAX_ACTIVATION_BYTES:,} are allowed: ask for {remedy}."
            )


def _check_trace(cost: ModelCost, recipe: ContestRecipe) -> None:
    checkpoints = recipe.segments + 1
    if checkpoints > MAX_CHECKPOINTS:
        raise InvalidInput(
            f"recipe.trace has {checkpoints} checkpoints, at most {MAX_CHECKPOINTS} are allowed: raise "
            "recipe.trace.every."
        )
    each = state_bytes(cost, recipe.optimizer)
    if checkpoints * each > MAX_STORED_BYTES:
        raise InvalidInput(
            f"recipe.trace has {checkpoints} checkpoints of {each:,} bytes, together {checkpoints * each:,}; "
            f"at most {MAX_STORED_BYTES:,} are allowed: raise recipe.trace.every or ask for a smaller model."
        )


def _mlp(p: Mapping[str, int], mapping: MappingTerms | None) -> ModelCost:
    z = mapping.inputs * mapping.outputs if mapping else 0
    hidden, layers, classes = p["hidden"], p["layers"], p["classes"]
    inputs = mapping.outputs if mapping else p["inputs"]
    if layers:
        parameters = (inputs + 1) * hidden + (layers - 1) * (hidden + 1) * hidden + (hidden + 1) * classes
    else:
        parameters = (inputs + 1) * classes
    ends = p["inputs"] + inputs + 2 * classes
    return ModelCost(
        parameters=parameters,
        fixed=z,
        fixed_work=0,
        forward=parameters + z,
        activations=ends + 2 * hidden,
        kept=ends + 2 * hidden * layers,
    )


def _cnn(p: Mapping[str, int], mapping: MappingTerms | None) -> ModelCost:
    side = math.isqrt(mapping.inputs) if mapping else 1
    height, width = p["height"] // side, p["width"] // side
    first, channels, classes = mapping.outputs if mapping else 1, p["channels"], p["classes"]
    convolutions = 9 * first * channels, 18 * channels * channels
    features = 2 * channels * (height // 4) * (width // 4)
    pixels, pooled = height * width, (height // 2) * (width // 2)
    z = mapping.inputs * mapping.outputs if mapping else 0
    # A convolution lays out the 9 pixels around each pixel; its result is held before and after the ReLU.
    held = p["height"] * p["width"] * 2 + pixels * (10 * first + 3 * channels)
    held += pooled * (9 * channels + 6 * channels) + features + 2 * classes
    return ModelCost(
        parameters=sum(convolutions) + 3 * channels + (features + 1) * classes,
        fixed=z,
        fixed_work=0,
        forward=pixels * (convolutions[0] + z) + pooled * convolutions[1] + (features + 1) * classes,
        activations=held,
        kept=held,
    )


def _transformer(p: Mapping[str, int], mapping: MappingTerms | None) -> ModelCost:
    context, width, layers, vocab = p["context"], p["width"], p["layers"], p["vocab"]
    blocks = layers * (12 * width + 10) * width
    ends = context * width + 2 * width + (width + 1) * vocab
    table = vocab * width
    pairs = p["heads"] * context * context
    # Queries, keys, values, what they are mixed to, and the four times wider layer before and after its GELU.
    block = 18 * context * width + 3 * pairs
    return ModelCost(
        parameters=blocks + ends + (0 if mapping else table),
        fixed=mapping.inputs * (mapping.outputs + 2 * vocab) + table if mapping else 0,
        fixed_work=vocab * mapping.inputs * mapping.outputs if mapping else 0,
        forward=context * (blocks + (width + 1) * vocab)
        + layers * (2 * width * context * context + _SOFTMAX_WORK * pairs),
        activations=block + 2 * context * vocab,
        kept=layers * block + 3 * context * vocab,
    )


_COSTS: Final[Mapping[str, Callable[[Mapping[str, int], MappingTerms | None], ModelCost]]] = {
    "mlp": _mlp,
    "cnn": _cnn,
    "transformer": _transformer,
}
