"""Many gradients become one, bit for bit the same on every machine.

A rule takes the decoded gradients in ascending order of shard number and uses elementwise IEEE operations
alone, one per kernel. Further rules enter ``RULES``; nothing else changes.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from worker.training.errors import InvalidRecipe

Vector: TypeAlias = NDArray[np.float32]
Rule: TypeAlias = Callable[[Sequence[Vector]], Vector]


def aggregate(rule: str, gradients: Sequence[Vector]) -> Vector:
    """One flat float32 gradient from at least one, given in ascending order of their shards.

    Raises InvalidRecipe for a rule that is not registered or for no gradient at all.
    """
    chosen = RULES.get(rule)
    if chosen is None:
        raise InvalidRecipe("aggregation", f"unknown rule {rule!r}; known are {', '.join(sorted(RULES))}")
    if not gradients:
        raise InvalidRecipe("aggregation", "a round needs at least one gradient")
    return chosen(gradients)


def mean(gradients: Sequence[Vector]) -> Vector:
    """The mean: a float64 sum in the order given, one float64 division, one rounding to float32."""
    total = gradients[0].astype(np.float64)
    for gradient in gradients[1:]:
        np.add(total, gradient, out=total, dtype=np.float64)
    return np.divide(total, np.float64(len(gradients))).astype(np.float32)


RULES: Final[Mapping[str, Rule]] = {"mean": mean}
