"""Coordinate median and trimmed mean (Yin et al., ICML 2018) by a sorting network over the gradients.

Minimum and maximum round nothing, so the sorted values are the same whatever sorts them, and what is added
afterwards is added in ascending order. Batcher's merge exchange (Knuth 5.2.2, algorithm M) sorts any number
of rows; comparators that no wanted row depends on are left out. Rows are handled in pieces that stay in
cache.
"""

from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from protocol.aggregation import Aggregation

Vector: TypeAlias = NDArray[np.float32]
#: Writes the votes' values at the coordinates start .. stop - 1 into float32 [votes, stop - start].
Fill: TypeAlias = Callable[[int, int, NDArray[np.float32]], None]
#: Comparators: the rows (low, high), is the minimum needed, is the maximum needed.
Network: TypeAlias = tuple[tuple[int, int, bool, bool], ...]

COLUMNS: Final = 16_384


def middle_of(rule: Aggregation, fill: Fill, votes: int, size: int) -> Vector:
    """median: the middle value of each coordinate; of an even number, the mean of the two in the middle.
    trimmed-mean: the mean of each coordinate without its f largest and f smallest values; 2f < votes."""
    return _middle_mean(fill, votes, size, skipped_by(rule, votes))


def skipped_by(rule: Aggregation, votes: int) -> int:
    """How many values at each end of a sorted coordinate a rule leaves out."""
    return (votes - 1) // 2 if rule.rule == "median" else rule.f


def gradients_as_votes(gradients: Sequence[Vector]) -> Fill:
    """Votes that are the gradients themselves."""

    def fill(start: int, stop: int, rows: NDArray[np.float32]) -> None:
        for row, gradient in zip(rows, gradients, strict=True):
            row[:] = gradient[start:stop]

    return fill


def _middle_mean(fill: Fill, votes: int, size: int, skipped: int) -> Vector:
    """The mean of the sorted rows skipped .. votes - skipped - 1: float64, in ascending order; then
    float32."""
    result = np.empty(size, dtype=np.float32)
    network = _network(votes, skipped)
    rows = np.empty((votes + 1, COLUMNS), dtype=np.float32)
    total = np.empty(COLUMNS, dtype=np.float64)
    for start, stop in _ranges(size):
        width = stop - start
        fill(start, stop, rows[:votes, :width])
        chosen = compare_rows(network, [row[:width] for row in rows])[skipped : votes - skipped]
        partial = total[:width]
        np.copyto(partial, chosen[0])
        for row in chosen[1:]:
            np.add(partial, row, out=partial)
        np.divide(partial, float(len(chosen)), out=partial)
        # Adding +0 makes -0 and +0, which a minimum may take for each other, the same bytes.
        np.add(partial, 0.0, out=partial)
        result[start:stop] = partial
    return result


def _ranges(size: int) -> Iterator[tuple[int, int]]:
    for start in range(0, size, COLUMNS):
        yield start, min(start + COLUMNS, size)


def compare_rows(network: Network, rows: list[Vector]) -> list[Vector]:
    """The rows as the network arranges them, coordinate by coordinate; the last one given is scratch."""
    spare = rows.pop()
    for low, high, wants_low, wants_high in network:
        a, b = rows[low], rows[high]
        if wants_low:
            np.minimum(a, b, out=spare)
        if wants_high:
            np.maximum(a, b, out=b)
        if wants_low:
            rows[low], spare = spare, a
    return rows


@lru_cache(maxsize=64)
def _network(count: int, skipped: int) -> Network:
    """Leaves the rows skipped .. count - skipped - 1 as sorting would."""
    return _pruned(count, set(range(skipped, count - skipped)), set())


@lru_cache(maxsize=64)
def selection(count: int, skipped: int) -> Network:
    """Leaves in the rows skipped .. count - skipped - 1 what sorting would leave there, in any order."""
    middle = set(range(skipped, count - skipped))
    return _pruned(count, middle, middle)


def _pruned(count: int, needed: set[int], alike: set[int]) -> Network:
    """A sorting network without the comparators that ``needed`` rows can do without, and without the last
    ones between two rows of ``alike``, whose values may be exchanged."""
    needed, alike, kept = set(needed), set(alike), []
    for low, high in reversed(_merge_exchange(count)):
        wants = (low in needed, high in needed)
        if any(wants) and not {low, high} <= alike:
            kept.append((low, high, *wants))
            needed |= {low, high}
            alike -= {low, high}
    return tuple(reversed(kept))


def _merge_exchange(count: int) -> list[tuple[int, int]]:
    top = 1 << max(count - 1, 1).bit_length() - 1
    found = []
    p = top
    while p > 0:
        q, r, d = top, 0, p
        while True:
            found += [(i, i + d) for i in range(count - d) if i & p == r]
            if q == p:
                break
            d, q, r = q - p, q // 2, p
        p //= 2
    return found
