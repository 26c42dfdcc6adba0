"""Coordinate median and trimmed mean in float32 and on several threads: for measurements and simulations.

What is averaged need not be in order: few votes go through a network that only parts the middle from both
ends, many are put side by side and sorted in registers. Votes are mixed a window at a time, by a matrix
product that has threads of its own; then each thread takes a share of the window, in pieces.
"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from protocol.aggregation import Aggregation
from worker.training.aggregate_mix import Mixing
from worker.training.aggregate_sort import compare_rows, selection, skipped_by

Matrix: TypeAlias = NDArray[np.float32]
Vector: TypeAlias = NDArray[np.float32]

#: From so many votes on, sorting a coordinate's values in registers beats a network over whole rows.
SORTED_VOTES: Final = 48
SORTED_COLUMNS: Final = 1_024
NETWORK_COLUMNS: Final = 16_384
#: Where rows begin a power of two apart, the values of a column compete for the same few lines of a cache:
#: votes are put side by side from rows that do not.
PADDING: Final = 16


def fast_middle(rule: Aggregation, mixing: Mixing, gradients: Matrix, threads: int) -> Vector:
    """``middle_of`` the votes of a mixing of float32 [n, size], but for the order of additions and their
    rounding, which are float32's: a sum beyond its largest number is infinite."""
    size = gradients.shape[1]
    find = _by_sort if mixing.votes >= SORTED_VOTES else _by_network
    middle = partial(find, skipped_by(rule, mixing.votes))
    result = np.empty(size, dtype=np.float32)
    with ThreadPoolExecutor(max_workers=threads) as pool:
        for window, votes in _windows(mixing, gradients, NETWORK_COLUMNS * threads):
            target = result[window]
            shares = list(_slices(len(target), -(-len(target) // threads)))
            run = pool.map if threads > 1 else map
            # Taking the results raises here what a share has raised.
            list(run(middle, [votes[:, share] for share in shares], [target[share] for share in shares]))
    return result


def _windows(mixing: Mixing, gradients: Matrix, width: int) -> Iterator[tuple[slice, Matrix]]:
    """The votes [votes, at most width] of each window; they are valid until the next one is asked for."""
    size = gradients.shape[1]
    if mixing.is_identity:
        yield slice(0, size), gradients
        return
    weights = (mixing.rows / mixing.denominator).astype(np.float32)
    mixed = np.empty((mixing.votes, width), dtype=np.float32)
    for window in _slices(size, width):
        yield window, np.matmul(weights, gradients[:, window], out=mixed[:, : window.stop - window.start])


def _by_network(skipped: int, votes: Matrix, result: Vector) -> None:
    count = len(votes)
    network = selection(count, skipped)
    rows = np.empty((count + 1, NETWORK_COLUMNS), dtype=np.float32)
    for piece in _slices(len(result), NETWORK_COLUMNS):
        width = piece.stop - piece.start
        np.copyto(rows[:count, :width], votes[:, piece])
        chosen = compare_rows(network, [row[:width] for row in rows])[skipped : count - skipped]
        total = chosen[0]
        for row in chosen[1:]:
            np.add(total, row, out=total)
        np.multiply(total, np.float32(1.0 / len(chosen)), out=result[piece])


def _by_sort(skipped: int, votes: Matrix, result: Vector) -> None:
    count = len(votes)
    weights = np.zeros(count, dtype=np.float32)
    weights[skipped : count - skipped] = 1.0 / (count - 2 * skipped)
    near = np.empty((count, SORTED_COLUMNS + PADDING), dtype=np.float32)
    rows = np.empty((SORTED_COLUMNS, count), dtype=np.float32)
    for piece in _slices(len(result), SORTED_COLUMNS):
        width = piece.stop - piece.start
        part = rows[:width]
        np.copyto(near[:, :width], votes[:, piece])
        np.copyto(part, near[:, :width].T)
        part.sort(axis=1)
        np.matmul(part, weights, out=result[piece])


def _slices(size: int, step: int) -> Iterator[slice]:
    for start in range(0, size, step):
        yield slice(start, min(start + step, size))
