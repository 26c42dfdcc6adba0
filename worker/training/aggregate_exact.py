"""Distances between gradients without any rounding, and sums in a fixed order: the same bits everywhere.

A decoded gradient of the codecs int8 and int16 is a vector of integers below 2**GRID_BITS times a power of
two of its own (``codec.FLOOR_BITS``); one of the codec float32 is put on that grid by rounding to nearest.
Each integer is split into two limbs of LIMB_BITS. The inner products of limbs, over COLUMNS coordinates at a
time, stay below 2**53, so double precision holds every partial sum exactly: the matrix product has one
possible result, whatever its order, its threads and its fused operations. The rest are Python integers.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import frexp, ldexp, sqrt
from typing import Final, Self, TypeAlias

import numpy as np
from numpy.typing import NDArray

from worker.training.aggregate_mix import Mixing
from worker.training.codec import FLOOR_BITS

Vector: TypeAlias = NDArray[np.float32]
Integers: TypeAlias = NDArray[np.object_]

GRID_BITS: Final = FLOOR_BITS
LIMB_BITS: Final = 16
COLUMNS: Final = 8_192
#: Sums of 2**(2 * LIMB_BITS) over this many coordinates fit int64.
MAX_SIZE: Final = 1 << 30


@dataclass(frozen=True, slots=True, kw_only=True)
class ExactPoints:
    """Inner products as integers: <point i, point j> = gram[i, j] * 2**exponent / denominator**2."""

    gram: Integers
    exponent: int
    denominator: int

    @classmethod
    def of(cls, gradients: Sequence[Vector]) -> Self:
        """The points that are the gradients themselves: finite float32 vectors of one size, at most
        MAX_SIZE."""
        exponents = _grid_exponents(gradients)
        sums = _limb_products(gradients, exponents).astype(object)
        count = len(gradients)
        crossed = sums[:count, count:]
        high, low = sums[:count, :count], sums[count:, count:]
        on_own_grids = high * 2 ** (2 * LIMB_BITS) + (crossed + crossed.T) * 2**LIMB_BITS + low
        lowest = min(exponents)
        shifts = np.array([2 ** (exponent - lowest) for exponent in exponents], dtype=object)
        return cls(gram=on_own_grids * np.outer(shifts, shifts), exponent=2 * lowest, denominator=1)

    @property
    def count(self) -> int:
        return len(self.gram)

    def squared_distances(self) -> Integers:
        """[count, count], in units of 2**exponent / denominator**2."""
        squares = np.diagonal(self.gram)
        distances: Integers = squares[:, np.newaxis] + squares[np.newaxis, :] - 2 * self.gram
        return distances

    def distances_to(self, centre: Sequence[float]) -> list[float]:
        """Correctly rounded but for the last step: the root of a correctly rounded square."""
        weights, places = _as_integers(centre)
        products = self.gram @ weights
        square = weights @ products
        squares = np.diagonal(self.gram) * 4**places - products * 2 ** (places + 1) + square
        scale = self.exponent - 2 * places
        return [sqrt(_ratio(value, scale, self.denominator**2)) for value in squares]

    def mixed(self, mixing: Mixing) -> Self:
        rows = mixing.rows.astype(object)
        return type(self)(
            gram=rows @ self.gram @ rows.T,
            exponent=self.exponent,
            denominator=self.denominator * mixing.denominator,
        )


def weighted_sum(weights: Sequence[float], gradients: Sequence[Vector]) -> Vector:
    """Sum of weight * gradient in the order given: one rounding a product, one a sum, in float64; then
    float32."""
    size = len(gradients[0])
    result = np.empty(size, dtype=np.float32)
    total, term = np.empty(COLUMNS), np.empty(COLUMNS)
    for start in range(0, size, COLUMNS):
        stop = min(start + COLUMNS, size)
        partial, scratch = total[: stop - start], term[: stop - start]
        partial[:] = 0.0
        for weight, gradient in zip(weights, gradients, strict=True):
            if weight != 0.0:
                np.multiply(gradient[start:stop], weight, out=scratch, dtype=np.float64)
                np.add(partial, scratch, out=partial)
        result[start:stop] = partial
    return result


def mixed_votes(mixing: Mixing, gradients: Sequence[Vector], out: NDArray[np.float32]) -> None:
    """The votes of a mixing, float32 [votes, size], into ``out``: products of integers and gradients, added
    in float64 in the order of the gradients, divided, rounded to float32."""
    values = [gradient.astype(np.float64) for gradient in gradients]
    total, term = np.empty(out.shape[1]), np.empty(out.shape[1])
    for row, vote in zip(mixing.rows, out, strict=True):
        total[:] = 0.0
        for index in np.flatnonzero(row):
            if row[index] == 1:
                np.add(total, values[index], out=total)
            else:
                np.multiply(values[index], float(row[index]), out=term)
                np.add(total, term, out=total)
        np.divide(total, float(mixing.denominator), out=total)
        vote[:] = total


def _grid_exponents(gradients: Sequence[Vector]) -> list[int]:
    """For each gradient the exponent of its grid: its values are below 2**(exponent + GRID_BITS)."""
    peaks = [max(float(gradient.max()), -float(gradient.min())) for gradient in gradients]
    exponents = [frexp(peak)[1] - GRID_BITS if peak > 0.0 else None for peak in peaks]
    # Zeros lie on every grid; theirs must not make the others' integers longer.
    lowest = min((exponent for exponent in exponents if exponent is not None), default=0)
    return [lowest if exponent is None else exponent for exponent in exponents]


def _limb_products(gradients: Sequence[Vector], exponents: Sequence[int]) -> NDArray[np.int64]:
    """int64 [2n, 2n]: inner products of the high limbs (first n) and low limbs (last n) of n gradients."""
    count, size = len(gradients), len(gradients[0])
    if size > MAX_SIZE:
        raise ValueError(f"{size} coordinates, at most {MAX_SIZE}")
    limbs = np.empty((2 * count, COLUMNS))
    scratch = np.empty(COLUMNS)
    sums = np.zeros((2 * count, 2 * count), dtype=np.int64)
    for start in range(0, size, COLUMNS):
        stop = min(start + COLUMNS, size)
        piece = limbs[:, : stop - start]
        for index, (gradient, exponent) in enumerate(zip(gradients, exponents, strict=True)):
            high, low = piece[index], piece[count + index]
            np.multiply(gradient[start:stop], ldexp(1.0, -exponent), out=low, dtype=np.float64)
            np.rint(low, out=low)
            np.multiply(low, 2.0**-LIMB_BITS, out=high)
            np.rint(high, out=high)
            np.multiply(high, 2.0**LIMB_BITS, out=scratch[: stop - start])
            np.subtract(low, scratch[: stop - start], out=low)
        sums += (piece @ piece.T).astype(np.int64)
    return sums


def _as_integers(values: Sequence[float]) -> tuple[Integers, int]:
    """Integers and one number of binary places that mean exactly ``values``."""
    ratios = [value.as_integer_ratio() for value in values]
    places = max(denominator.bit_length() - 1 for _, denominator in ratios)
    integers = [numerator << places - (denominator.bit_length() - 1) for numerator, denominator in ratios]
    return np.array(integers, dtype=object), places


def _ratio(numerator: int, exponent: int, denominator: int) -> float:
    """numerator * 2**exponent / denominator, correctly rounded: Python divides integers so."""
    if exponent >= 0:
        return (numerator << exponent) / denominator
    return numerator / (denominator << -exponent)
