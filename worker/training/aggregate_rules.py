"""Robust rules over points that are known by their distances: each gives a centre as one weight per point.

Scalar arithmetic is IEEE double, one operation at a time, and ``fsum`` where numbers are added: it rounds the
exact sum once, so that neither order nor version matters. Where points are equally good, the first is taken.

Krum and Multi-Krum: Blanchard et al., NeurIPS 2017, with n - f - 1 neighbours and n - f selected, as ByzFL
has them. Geometric median: Pillutla, Kakade, Harchaoui, IEEE TSP 2022 (smoothed Weiszfeld). Centred clipping:
Karimireddy, He, Jaggi, ICML 2021, from the zero vector.
"""

from math import fsum

import numpy as np
from numpy.typing import NDArray

from protocol.aggregation import Aggregation
from worker.training.aggregate_mix import Points


def centre_of(rule: Aggregation, points: Points) -> list[float]:
    """The weight of each point in the rule's result; ``rule.rule`` is one that needs no coordinates."""
    match rule.rule:
        case "mean":
            return _mean_of(range(points.count), points.count)
        case "krum":
            return _mean_of(_krum_order(points, rule.f)[:1], points.count)
        case "multi-krum":
            return _mean_of(_krum_order(points, rule.f)[: points.count - rule.f], points.count)
        case "geometric-median":
            return _geometric_median(points, rule.iterations, float(rule.smoothing))
        case "centred-clipping":
            return _centred_clipping(points, rule.iterations, float(rule.radius))
        case "median" | "trimmed-mean":
            raise ValueError(f"{rule.rule} is computed coordinate by coordinate")


def _krum_order(points: Points, f: int) -> NDArray[np.int64]:
    """The points by the sum of squared distances to their count - f - 1 nearest others, smallest first."""
    nearest = np.sort(points.squared_distances(), axis=1)[:, 1 : points.count - f]
    return np.argsort(nearest.sum(axis=1), kind="stable").astype(np.int64)


def _mean_of(chosen: "range | NDArray[np.int64]", count: int) -> list[float]:
    weights = [0.0] * count
    for index in chosen:
        weights[index] = 1.0 / len(chosen)
    return weights


def _geometric_median(points: Points, iterations: int, smoothing: float) -> list[float]:
    centre = [0.0] * points.count
    for _ in range(iterations):
        pulls = [1.0 / max(distance, smoothing) for distance in points.distances_to(centre)]
        total = fsum(pulls)
        centre = [pull / total for pull in pulls]
    return centre


def _centred_clipping(points: Points, iterations: int, radius: float) -> list[float]:
    centre = [0.0] * points.count
    for _ in range(iterations):
        scales = [min(1.0, radius / max(distance, radius)) for distance in points.distances_to(centre)]
        kept = 1.0 - fsum(scales) / points.count
        centre = [weight * kept + scale / points.count for weight, scale in zip(centre, scales, strict=True)]
    return centre
