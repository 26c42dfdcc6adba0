"""Many gradients become one, bit for bit the same on every machine.

The mean adds the gradients in the order given. A robust rule first puts them into an order of its own, by
their values, so that neither who computed which shard nor who was first carries weight, not even in the last
bit. Where distances decide, they are exact (``aggregate_exact``); where values are combined, elementwise IEEE
operations do it in that order.
"""

from collections.abc import Sequence
from functools import cmp_to_key
from typing import Final, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from protocol.aggregation import Aggregation
from worker.training.aggregate_exact import COLUMNS, ExactPoints, mixed_votes, weighted_sum
from worker.training.aggregate_mix import Mixing, mixing_of
from worker.training.aggregate_rules import centre_of
from worker.training.aggregate_sort import Fill, gradients_as_votes, middle_of
from worker.training.errors import InvalidRecipe
from worker.training.philox import permutation

Vector: TypeAlias = NDArray[np.float32]

#: Different gradients nearly always differ in their first values.
_HEAD: Final = 256


def aggregate(
    rule: Literal["mean"] | Aggregation, gradients: Sequence[Vector], *, material: bytes = b""
) -> Vector:
    """One flat float32 gradient from at least one, of equal sizes and finite values, given in ascending order
    of their shards.

    ``material`` names the random order of the buckets. Raises InvalidRecipe for a rule that is not
    registered, for no gradient at all, and for too few to outvote ``rule.f``.
    """
    if not gradients:
        raise InvalidRecipe("aggregation", "a round needs at least one gradient")
    if isinstance(rule, Aggregation):
        order = permutation(material, len(gradients)) if rule.before == "bucketing" else None
        return robust(rule, sorted(gradients, key=cmp_to_key(_compare)), order)
    if rule != "mean":
        raise InvalidRecipe("aggregation", f"unknown rule {rule!r}; known are 'mean' and robust rules")
    return mean(gradients)


def mean(gradients: Sequence[Vector]) -> Vector:
    """The mean: a float64 sum in the order given, one float64 division, one rounding to float32."""
    size = len(gradients[0])
    result = np.empty(size, dtype=np.float32)
    for start in range(0, size, COLUMNS):
        piece = slice(start, start + COLUMNS)
        total = gradients[0][piece].astype(np.float64)
        for gradient in gradients[1:]:
            np.add(total, gradient[piece], out=total, dtype=np.float64)
        result[piece] = np.divide(total, np.float64(len(gradients)))
    return result


def robust(
    rule: Aggregation, gradients: Sequence[Vector], bucket_order: NDArray[np.int64] | None = None
) -> Vector:
    """A robust rule over gradients whose order settles ties and roundings; ``bucket_order``, a permutation of
    their positions, is read by bucketing. Raises InvalidRecipe for too few gradients."""
    count = len(gradients)
    if (votes := rule.votes(count)) <= 2 * rule.f:
        raise InvalidRecipe(
            "aggregation",
            f"{count} gradients give {votes} vectors, {2 * rule.f + 1} are needed with f = {rule.f}",
        )
    points = ExactPoints.of(gradients) if rule.compares else None
    mixing = mixing_of(rule, count, points, bucket_order)
    if rule.rule in ("median", "trimmed-mean"):
        return middle_of(rule, _fill(mixing, gradients), mixing.votes, len(gradients[0]))
    if points is None:
        centre = [1.0 / mixing.votes] * mixing.votes
    else:
        centre = centre_of(rule, points if mixing.is_identity else points.mixed(mixing))
    return weighted_sum(mixing.weights(centre), gradients)


def _fill(mixing: Mixing, gradients: Sequence[Vector]) -> Fill:
    if mixing.is_identity:
        return gradients_as_votes(gradients)

    def fill(start: int, stop: int, rows: NDArray[np.float32]) -> None:
        mixed_votes(mixing, [gradient[start:stop] for gradient in gradients], rows)

    return fill


def _compare(a: Vector, b: Vector) -> int:
    """Which of two gradients comes first: the smaller in the first coordinate in which they differ."""
    for part in (slice(_HEAD), slice(_HEAD, None)):
        unequal = a[part] != b[part]
        if bool(unequal.any()):
            first = int(unequal.argmax())
            return -1 if a[part][first] < b[part][first] else 1
    return 0
