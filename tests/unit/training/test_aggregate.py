"""Robust aggregation: agrees with ByzFL, is blind to who sent what, and is the same bits everywhere."""

import itertools
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from protocol.aggregation import Aggregation
from tests.unit.training.specs import make_spec
from worker.training.aggregate import aggregate, robust
from worker.training.aggregate_fast import fast_aggregate
from worker.training.aggregate_middle import SORTED_VOTES
from worker.training.aggregate_sort import compare_rows, selection
from worker.training.checkpoint import initial_checkpoint
from worker.training.codec import encode
from worker.training.errors import InvalidRecipe
from worker.training.models import layout_of
from worker.training.rounds import apply_round

VECTORS = json.loads((Path(__file__).parents[2] / "vectors" / "aggregation.json").read_text())
COORDINATEWISE = ("median", "trimmed-mean")
BY_DISTANCE = ("krum", "multi-krum", "geometric-median", "centred-clipping")
COMBINATIONS = [
    pair for pair in itertools.product(("mean", *COORDINATEWISE, *BY_DISTANCE), ("none", "nnm", "bucketing"))
    if pair != ("mean", "none")
]  # fmt: skip
Matrix = NDArray[np.float32]


def rule_of(rule: str, before: str = "none", f: int = 1, **fields: Any) -> Aggregation:
    return Aggregation(rule=rule, before=before, f=f, **fields)  # type: ignore[arg-type]


def name_of(case: dict[str, Any]) -> str:
    return "-".join([case["input"], case["aggregation"]["before"], case["aggregation"]["rule"]])


def finite(low: float = -1e6, high: float = 1e6) -> st.SearchStrategy[float]:
    return st.floats(low, high, width=32)


def matrices(rows: st.SearchStrategy[int], values: st.SearchStrategy[float]) -> st.SearchStrategy[Matrix]:
    return st.tuples(rows, st.integers(1, 6)).flatmap(
        lambda shape: arrays(np.float32, shape, elements=values)
    )


@pytest.mark.parametrize("how", ["exact", "fast"])
@pytest.mark.parametrize("case", VECTORS["cases"], ids=name_of)
def test_rule__vectors_that_byzfl_aggregated__agrees(case: dict[str, Any], how: str) -> None:
    gradients = np.array(VECTORS["inputs"][case["input"]], dtype=np.float32)
    rule = Aggregation(**case["aggregation"])
    order = None if case["order"] is None else np.array(case["order"], dtype=np.int64)
    found = robust(rule, list(gradients), order) if how == "exact" else fast_aggregate(rule, gradients, order)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, np.array(case["output"]), rtol=0, atol=1e-5)


@pytest.mark.parametrize(("rule", "before"), COMBINATIONS)
@settings(max_examples=15, deadline=None)
@given(data=st.data())
def test_rule__gradients_in_another_order__gives_the_same_bytes(
    rule: str, before: str, data: st.DataObject
) -> None:
    gradients = list(
        data.draw(matrices(st.integers(5, 8), st.sampled_from([-3.0, -0.0, 0.0, 1e-40, 0.1, 7.0, 1e30])))
    )
    shuffled = data.draw(st.permutations(gradients))
    chosen = rule_of(rule, before, bucket=2)
    assert aggregate(chosen, gradients).tobytes() == aggregate(chosen, shuffled).tobytes()


@pytest.mark.parametrize("before", ["none", "nnm"])
@pytest.mark.parametrize("rule", COORDINATEWISE)
@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize(("n", "size"), [(5, 1), (12, 40_000), (SORTED_VOTES, 1), (SORTED_VOTES + 1, 5_000)])
def test_fast_rule__any_threads_and_windows__finds_what_the_exact_one_does(
    n: int, size: int, threads: int, rule: str, before: str
) -> None:
    rows = np.random.Generator(np.random.Philox(1)).standard_normal((n, size), dtype=np.float32)
    kept = rows.copy()
    chosen = rule_of(rule, before, f=n // 4)
    found = fast_aggregate(chosen, rows, threads=threads)
    assert np.abs(found - robust(chosen, list(rows))).max() < 1e-6
    assert np.array_equal(rows, kept)


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_selection__any_values_and_ties__parts_the_middle_from_both_ends(data: st.DataObject) -> None:
    values = data.draw(matrices(st.integers(1, 20), st.sampled_from([-1e30, -2.0, 0.0, 0.5, 3.0, 7.0])))
    count = len(values)
    skipped = data.draw(st.integers(0, (count - 1) // 2))
    rows = [*values.copy(), np.empty(values.shape[1], np.float32)]
    middle = compare_rows(selection(count, skipped), rows)[skipped : count - skipped]
    assert np.array_equal(np.sort(middle, axis=0), np.sort(values, axis=0)[skipped : count - skipped])


@pytest.mark.parametrize("rule", COORDINATEWISE)
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_coordinatewise_rule__f_outliers__stays_among_the_honest_values(
    rule: str, data: st.DataObject
) -> None:
    f = data.draw(st.integers(0, 4))
    honest = data.draw(matrices(st.integers(f + 1, f + 6), finite()))
    anything = st.floats(width=32, allow_nan=False, allow_infinity=False)
    attackers = data.draw(arrays(np.float32, (f, honest.shape[1]), elements=anything))
    found = aggregate(rule_of(rule, f=f), [*honest, *attackers])
    assert (found >= honest.min(axis=0)).all()
    assert (found <= honest.max(axis=0)).all()


@pytest.mark.parametrize("rule", ["krum", "multi-krum"])
@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_krum__f_far_outliers_together__takes_none_of_them(rule: str, data: st.DataObject) -> None:
    f = data.draw(st.integers(1, 3))
    honest = data.draw(matrices(st.integers(2 * f + 1, 9), finite(-1.0, 1.0)))
    far = np.full((f, honest.shape[1]), data.draw(st.sampled_from([1e3, -1e10, 3e38])), dtype=np.float32)
    found = aggregate(rule_of(rule, f=f), [*far, *honest])
    assert (abs(found) <= 1.0).all()
    if rule == "krum":
        assert any(np.array_equal(found, gradient) for gradient in honest)


@pytest.mark.parametrize("rule", ["geometric-median", "centred-clipping"])
@pytest.mark.parametrize("before", ["none", "nnm"])
@pytest.mark.parametrize("size", [1e2, 1e10, 1e20, 3e38])
def test_bounded_pull__outlier_of_any_size__moves_the_result_no_further_than_a_step(
    rule: str, before: str, size: float
) -> None:
    honest = np.random.Generator(np.random.Philox(3)).standard_normal((9, 50)).astype(np.float32) + 1
    outliers = np.full((2, 50), size, dtype=np.float32)
    chosen = rule_of(rule, before, f=2, iterations=30, radius="4")
    found = aggregate(chosen, [*outliers, *honest])
    assert np.linalg.norm(found - honest.mean(axis=0)) < 5.0


@pytest.mark.parametrize(("rule", "before"), COMBINATIONS)
@settings(max_examples=10, deadline=None)
@given(gradient=arrays(np.float32, 5, elements=finite()), count=st.integers(5, 8))
def test_rule__everybody_says_the_same__gives_that(
    rule: str, before: str, gradient: NDArray[np.float32], count: int
) -> None:
    found = aggregate(rule_of(rule, before, radius="999999999", iterations=3), [gradient] * count)
    np.testing.assert_allclose(found, gradient, rtol=3e-7, atol=1e-38)


@pytest.mark.parametrize("signs", [(1, -1, -1, 1, -1), (-1, -1, -1, -1, -1)])
@pytest.mark.parametrize(("rule", "before"), COMBINATIONS)
def test_rule__nothing_but_zeros__gives_plus_zeros(rule: str, before: str, signs: tuple[int, ...]) -> None:
    gradients = [np.array([sign * 0.0] * 3, np.float32) for sign in signs]
    assert aggregate(rule_of(rule, before), gradients).tobytes() == bytes(12)


@pytest.mark.parametrize(
    ("rule", "count"),
    [(rule_of("median", f=2), 4), (rule_of("krum", f=1), 2), (rule_of("median", "bucketing", f=2), 8)],
)
def test_rule__too_few_gradients_to_outvote_f__is_refused(rule: Aggregation, count: int) -> None:
    with pytest.raises(InvalidRecipe, match=f"{count} gradients give"):
        aggregate(rule, [np.ones(3, np.float32)] * count)


def test_bucketing__another_material__makes_other_buckets() -> None:
    gradients = list(np.eye(8, dtype=np.float32) * 4)
    chosen = rule_of("median", "bucketing")
    found = {
        aggregate(rule_of("krum", "bucketing"), gradients, material=bytes([i])).tobytes() for i in range(8)
    }
    assert len(found) > 1
    assert (
        aggregate(chosen, gradients, material=b"a").tobytes()
        == aggregate(chosen, gradients, material=b"a").tobytes()
    )


@pytest.mark.parametrize(("rule", "before"), [*COMBINATIONS])
def test_apply_round__robust_rule_and_any_arrival_order__gives_the_same_model(rule: str, before: str) -> None:
    spec = make_spec(
        shards=6, global_batch=384, aggregation={"rule": rule, "before": before, "f": 1},
        limits={"task_life_s": 100, "min_shards": 6},
    )  # fmt: skip
    layout = layout_of(spec.model)
    raw = np.random.Generator(np.random.Philox(11))
    blobs = {k: encode("int16", layout, raw.standard_normal(layout.size)) for k in range(6)}
    orders = ([0, 1, 2, 3, 4, 5], [5, 4, 3, 2, 1, 0], [2, 0, 5, 1, 4, 3])
    models = {apply_round(spec, initial_checkpoint(spec), {k: blobs[k] for k in order}) for order in orders}
    relabelled = {k: blobs[5 - k] for k in range(6)}
    assert models == {apply_round(spec, initial_checkpoint(spec), relabelled)}
