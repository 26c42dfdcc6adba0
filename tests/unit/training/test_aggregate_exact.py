"""Exact distances are exact, and nothing about the machine reaches a result."""

import json
import os
import subprocess
import sys
from fractions import Fraction
from math import ldexp
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from protocol.aggregation import Aggregation
from tests.support.aggregation_digests import digests
from worker.training.aggregate_exact import COLUMNS, ExactPoints, weighted_sum
from worker.training.aggregate_mix import buckets, nearest_neighbours
from worker.training.aggregate_sort import gradients_as_votes, middle_of

ROOT = Path(__file__).parents[3]
DIGESTS = json.loads((ROOT / "tests" / "vectors" / "aggregation_digests.json").read_text())


@st.composite
def coded(draw: st.DrawFn, size: int) -> NDArray[np.float32]:
    """A vector as the codecs int8 and int16 decode it: codes of 15 bits, exponents at most 17 apart."""
    top = draw(st.integers(-149, 128 - 15 - 17))
    codes = draw(st.lists(st.integers(-(2**15) + 1, 2**15 - 1), min_size=size, max_size=size))
    spread = draw(st.lists(st.integers(0, 17), min_size=size, max_size=size))
    return np.array([ldexp(c, top + s) for c, s in zip(codes, spread, strict=True)], dtype=np.float32)


def inner(a: NDArray[np.float32], b: NDArray[np.float32]) -> Fraction:
    return sum((Fraction(float(x)) * Fraction(float(y)) for x, y in zip(a, b, strict=True)), Fraction(0))


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_exact_points__coded_gradients_of_any_scale__know_their_inner_products_exactly(
    data: st.DataObject,
) -> None:
    size = data.draw(st.integers(1, 6))
    vectors = data.draw(st.lists(coded(size), min_size=1, max_size=4))
    points = ExactPoints.of(vectors)
    for i, a in enumerate(vectors):
        for j, b in enumerate(vectors):
            assert points.gram[i, j] * Fraction(2) ** points.exponent == inner(a, b)


def test_exact_points__more_coordinates_than_one_piece__are_all_counted() -> None:
    vectors = [
        np.full(2 * COLUMNS + 3, value, np.float32) for value in (2.0**32 - 256, -(2.0**32) + 256, 1.0)
    ]
    points = ExactPoints.of(vectors)
    for i, a in enumerate(vectors):
        for j, b in enumerate(vectors):
            exact = len(a) * Fraction(float(a[0])) * Fraction(float(b[0]))
            assert points.gram[i, j] * Fraction(2) ** points.exponent == exact


@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_distances_to__any_centre__are_those_of_rational_arithmetic(data: st.DataObject) -> None:
    vectors = data.draw(st.lists(coded(3), min_size=2, max_size=4))
    weights = data.draw(st.lists(st.floats(0, 1), min_size=len(vectors), max_size=len(vectors)))
    centre = [
        sum((Fraction(w) * Fraction(float(v[k])) for w, v in zip(weights, vectors, strict=True)), Fraction(0))
        for k in range(3)
    ]
    for vector, found in zip(vectors, ExactPoints.of(vectors).distances_to(weights), strict=True):
        square = sum(((Fraction(float(vector[k])) - centre[k]) ** 2 for k in range(3)), Fraction(0))
        assert found == float(np.sqrt(float(square)))


def test_squared_distances__attacker_with_the_largest_numbers__keeps_the_honest_ones_apart() -> None:
    honest = [np.array([1e-30 * k, 0.0], np.float32) for k in range(3)]
    distances = ExactPoints.of([*honest, np.full(2, 3e38, np.float32)]).squared_distances()
    assert 0 < distances[0, 1] < distances[0, 2] < distances[0, 3]


def test_nearest_neighbours__two_groups__mix_inside_their_group() -> None:
    vectors = [np.array([value], np.float32) for value in (0, 1, 2, 100, 101)]
    points = ExactPoints.of(vectors)
    mixing = nearest_neighbours(points, 2)
    assert mixing.rows.tolist()[:3] == [[1, 1, 1, 0, 0]] * 3
    mixed = points.mixed(mixing)
    assert mixed.squared_distances()[0, 1] == 0
    assert mixing.weights([1.0, 0.0, 0.0, 0.0, 0.0]) == [1 / 3, 1 / 3, 1 / 3, 0.0, 0.0]


def test_buckets__size_that_does_not_divide__leaves_a_smaller_last_one() -> None:
    mixing = buckets(np.array([4, 2, 0, 1, 3]), 2)
    assert mixing.denominator == 2
    assert mixing.rows.tolist() == [[0, 0, 1, 0, 1], [1, 1, 0, 0, 0], [0, 0, 0, 2, 0]]


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 7, 8, 13, 16, 31, 32, 33, 64, 100])
def test_middle_of__any_number_of_votes__is_what_sorting_gives(count: int) -> None:
    values = np.random.Generator(np.random.Philox(count)).integers(-9, 9, (count, 300)).astype(np.float32)
    in_order = np.sort(values, axis=0).astype(np.float64)
    fill = gradients_as_votes(list(values))
    median = middle_of(Aggregation(rule="median", f=0), fill, count, 300)
    assert np.array_equal(median, np.median(in_order, axis=0).astype(np.float32))
    for f in {0, (count - 1) // 4, (count - 1) // 2}:
        trimmed = middle_of(Aggregation(rule="trimmed-mean", f=f), fill, count, 300)
        assert np.array_equal(trimmed, in_order[f : count - f].mean(axis=0).astype(np.float32))


def test_weighted_sum__weights_that_are_zero__do_not_touch_their_gradients() -> None:
    huge = np.full(3, np.finfo(np.float32).max, np.float32)
    found = weighted_sum([0.0, 1.0], [huge, np.array([1, -0.0, 3], np.float32)])
    assert found.tobytes() == np.array([1, 0.0, 3], np.float32).tobytes()


def test_digests__this_machine__are_the_committed_ones() -> None:
    assert digests() == DIGESTS


@pytest.mark.parametrize(
    "setting",
    [
        {"OPENBLAS_NUM_THREADS": "1"},
        {"OPENBLAS_NUM_THREADS": "2"},
        {"OPENBLAS_CORETYPE": "Haswell"},
        {"OPENBLAS_CORETYPE": "Prescott"},
        {"NPY_DISABLE_CPU_FEATURES": "X86_V4 AVX512_ICL AVX512_SPR"},
        {"NPY_DISABLE_CPU_FEATURES": "X86_V3 X86_V4 AVX512_ICL AVX512_SPR"},
    ],
    ids=lambda setting: "-".join(next(iter(setting.items()))).replace(" ", "-"),
)
def test_digests__other_threads_kernels_and_instruction_sets__are_the_same(setting: dict[str, str]) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.support.aggregation_digests"],
        cwd=ROOT,
        env={**os.environ, **setting},
        capture_output=True,
        timeout=60,
        check=True,
    )
    assert json.loads(done.stdout) == DIGESTS
