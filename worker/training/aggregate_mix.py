"""What happens to gradients before a rule sees them, as integer weights: nearest-neighbour mixing, bucketing.

NNM: Allouah et al., AISTATS 2023. Bucketing: Karimireddy, He, Jaggi, ICLR 2022.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import fsum, lcm
from typing import Any, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from protocol.aggregation import Aggregation


@dataclass(frozen=True, slots=True, kw_only=True)
class Mixing:
    """``votes`` vectors made of n gradients: vote i = sum over j of rows[i, j] * gradient j / denominator.

    ``rows``: int64 [votes, n], each row's sum is ``denominator``.
    """

    rows: NDArray[np.int64]
    denominator: int

    @property
    def votes(self) -> int:
        return len(self.rows)

    def weights(self, centre: Sequence[float]) -> list[float]:
        """The weight of each gradient in sum over i of centre[i] * vote i."""
        if self.is_identity:
            return list(centre)
        return [
            fsum(weight * part for weight, part in zip(centre, column, strict=True)) / self.denominator
            for column in self.rows.T.tolist()
        ]

    @property
    def is_identity(self) -> bool:
        """Whether the votes are the gradients themselves, in their order."""
        return self.denominator == 1 and bool((self.rows == np.eye(*self.rows.shape, dtype=np.int64)).all())


class Points(Protocol):
    """Vectors that are known by their distances alone."""

    @property
    def count(self) -> int:
        """How many there are."""

    def squared_distances(self) -> NDArray[Any]:
        """[count, count], in a unit of its own; they can be compared and added."""

    def distances_to(self, centre: Sequence[float]) -> list[float]:
        """The Euclidean distance of each point from sum over i of centre[i] * point i."""

    def mixed(self, mixing: Mixing) -> Self:
        """The votes of a mixing of these points."""


def unmixed(count: int) -> Mixing:
    """Each gradient is one vote."""
    return Mixing(rows=np.eye(count, dtype=np.int64), denominator=1)


def nearest_neighbours(points: Points, f: int) -> Mixing:
    """Each point becomes the mean of the count - f points nearest to it, itself among them; of equally near
    ones the first."""
    kept = points.count - f
    order = np.argsort(points.squared_distances(), axis=1, kind="stable")[:, :kept]
    rows = np.zeros((points.count, points.count), dtype=np.int64)
    np.put_along_axis(rows, order.astype(np.int64), 1, axis=1)
    return Mixing(rows=rows, denominator=kept)


def buckets(order: NDArray[np.int64], size: int) -> Mixing:
    """Means of ``size`` gradients each, taken in the order given; the last bucket has what is left over."""
    groups = [order[start : start + size] for start in range(0, len(order), size)]
    denominator = lcm(len(groups[0]), len(groups[-1]))
    rows = np.zeros((len(groups), len(order)), dtype=np.int64)
    for row, group in zip(rows, groups, strict=True):
        row[group] = denominator // len(group)
    return Mixing(rows=rows, denominator=denominator)


def mixing_of(
    rule: Aggregation, count: int, points: Points | None, bucket_order: NDArray[np.int64] | None
) -> Mixing:
    """What ``rule.before`` does to ``count`` gradients; nnm reads ``points``, bucketing ``bucket_order``."""
    match rule.before:
        case "none":
            return unmixed(count)
        case "nnm":
            if points is None:
                raise ValueError("nearest-neighbour mixing needs distances")
            return nearest_neighbours(points, rule.f)
        case "bucketing":
            if bucket_order is None:
                raise ValueError("bucketing needs an order")
            return buckets(bucket_order, rule.bucket)
