"""One round's update: certified model and accepted gradients in, next model out, the same bits for
everybody."""

import hashlib
from collections.abc import Iterable, Mapping

import numpy as np

from protocol.aggregation import Aggregation
from protocol.ids import Address
from protocol.spec import TaskSpec
from worker.training.aggregate import aggregate
from worker.training.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from worker.training.codec import decode
from worker.training.errors import InvalidRecipe, UnusualArithmetic
from worker.training.models import layout_of
from worker.training.optimizer import update
from worker.training.running import go_on


def apply_round(
    spec: TaskSpec,
    checkpoint_blob: bytes,
    gradients: Mapping[int, bytes],
    miners: Mapping[int, Address] | None = None,
) -> bytes:
    """The checkpoint blob after one more round.

    ``gradients`` maps shard numbers to gradient blobs; their order does not matter, and which shards are
    missing is the caller's policy. ``miners`` says who computed which; it is read where the aggregation has a
    momentum. Raises BlobRejected for a bad blob (named by its shard), InvalidRecipe for
    a shard or round the recipe does not have, Diverged, and UnusualArithmetic where this process cannot
    compute exactly.
    """
    require_exact_arithmetic()
    before = load_checkpoint(spec, checkpoint_blob)
    if before.round >= spec.recipe.rounds:
        raise InvalidRecipe("rounds", f"all {spec.recipe.rounds} rounds are done")
    if strangers := [shard for shard in gradients if not 0 <= shard < spec.recipe.shards]:
        raise InvalidRecipe("shards", f"shard {strangers[0]} is not in 0..{spec.recipe.shards - 1}")
    layout, recipe = layout_of(spec.model), spec.recipe
    decoded = {
        k: decode(recipe.codec, layout, gradients[k], f"gradient of shard {k}") for k in sorted(gradients)
    }
    number, running = before.round + 1, before.running
    if running is not None and isinstance(recipe.aggregation, Aggregation):
        running = go_on(running, recipe.aggregation.momentum, decoded, miners or {})
        decoded = {shard: running.means[shard] for shard in decoded}
    material = _bucket_material(spec, number, gradients.values())
    gradient = aggregate(recipe.aggregation, list(decoded.values()), material=material)
    parameters, state = update(recipe.optimizer, number, before.parameters, gradient, before.state)
    after = Checkpoint(round=number, parameters=parameters, state=state, running=running)
    return save_checkpoint(spec, after)


def _bucket_material(spec: TaskSpec, number: int, gradients: Iterable[bytes]) -> bytes:
    """What the order of buckets follows from: all gradients of the round, so that nobody knows it before the
    last one is committed to, and not who sent them. Empty for a rule without buckets."""
    rule = spec.recipe.aggregation
    if rule == "mean" or rule.before != "bucketing":
        return b""
    names = sorted(hashlib.sha256(gradient).digest() for gradient in gradients)
    return b"".join([b"buckets", spec.hash, number.to_bytes(4, "big"), *names])


def require_exact_arithmetic() -> None:
    """Raises UnusualArithmetic when some library has switched this thread's processor to flush subnormals."""
    smallest = np.array([2.0**-149], dtype=np.float32)
    if not bool((np.multiply(smallest, np.float32(1)) > 0).all()):
        raise UnusualArithmetic
