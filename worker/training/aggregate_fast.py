"""The same rules at the speed of the processor's matrix product: for measurements and simulations.

Never for what replicas must agree on: results differ from the exact ones, and between machines, in the last
digits.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Self, TypeAlias

import numpy as np
from numpy.typing import NDArray

from protocol.aggregation import Aggregation
from worker.training.aggregate_middle import fast_middle
from worker.training.aggregate_mix import Mixing, mixing_of
from worker.training.aggregate_rules import centre_of

Matrix: TypeAlias = NDArray[np.float32]
Floats: TypeAlias = NDArray[np.float64]

COLUMNS: Final = 16_384


@dataclass(frozen=True, slots=True, kw_only=True)
class FastPoints:
    """Inner products, float64 [count, count], of float32 products added in float32 over COLUMNS coordinates
    and in float64 beyond."""

    gram: Floats

    @classmethod
    def of(cls, gradients: Matrix) -> Self:
        gram = np.zeros((len(gradients), len(gradients)))
        for start in range(0, gradients.shape[1], COLUMNS):
            piece = gradients[:, start : start + COLUMNS]
            gram += piece @ piece.T
        return cls(gram=gram)

    @classmethod
    def of_norms(cls, gradients: Matrix) -> Self:
        """Points that know their norms but not each other: enough for one step from the zero vector."""
        squares = np.zeros(len(gradients))
        for start in range(0, gradients.shape[1], COLUMNS):
            squares += [float(np.dot(piece, piece)) for piece in gradients[:, start : start + COLUMNS]]
        return cls(gram=np.diag(squares))

    @property
    def count(self) -> int:
        return len(self.gram)

    def squared_distances(self) -> NDArray[Any]:
        squares = np.diagonal(self.gram)
        distances: Floats = squares[:, np.newaxis] + squares[np.newaxis, :] - 2 * self.gram
        # Rounding must not make two points nearer to each other than each is to itself.
        np.maximum(distances, 0.0, out=distances)
        np.fill_diagonal(distances, 0.0)
        return distances

    def distances_to(self, centre: Sequence[float]) -> list[float]:
        weights = np.array(centre)
        products = self.gram @ weights
        squares = np.diagonal(self.gram) - 2 * products + weights @ products
        return [float(root) for root in np.sqrt(np.maximum(squares, 0.0))]

    def mixed(self, mixing: Mixing) -> Self:
        rows = mixing.rows / mixing.denominator
        return type(self)(gram=rows @ self.gram @ rows.T)


def fast_aggregate(
    rule: Aggregation, gradients: Matrix, bucket_order: NDArray[np.int64] | None = None, *, threads: int = 1
) -> NDArray[np.float32]:
    """One float32 vector [size] from a C-ordered float32 matrix [n, size] of finite values.

    ``bucket_order`` is a permutation of 0..n-1, read when ``rule.before`` is bucketing. ``threads`` sort
    coordinates; matrix products have as many as numpy gives them.
    """
    points = FastPoints.of(gradients) if rule.before == "nnm" else None
    mixing = mixing_of(rule, len(gradients), points, bucket_order)
    if rule.rule in ("median", "trimmed-mean"):
        return fast_middle(rule, mixing, gradients, threads)
    if rule.rule == "mean":
        centre = [1.0 / mixing.votes] * mixing.votes
    else:
        centre = centre_of(rule, _votes(rule, gradients, points, mixing))
    weights = np.array(mixing.weights(centre), dtype=np.float32)
    if np.count_nonzero(weights) == 1:
        index = int(np.flatnonzero(weights)[0])
        chosen: NDArray[np.float32] = gradients[index] * weights[index]
        return chosen
    combined: NDArray[np.float32] = weights @ gradients
    return combined


def _votes(rule: Aggregation, gradients: Matrix, points: FastPoints | None, mixing: Mixing) -> FastPoints:
    if rule.rule == "centred-clipping" and rule.iterations == 1 and mixing.is_identity:
        return FastPoints.of_norms(gradients)
    found = points or FastPoints.of(gradients)
    return found if mixing.is_identity else found.mixed(mixing)
