"""A spec chooses its aggregation, and says no to what could not protect it."""

from typing import Any

import pytest

from protocol.aggregation import MAX_COMPARED_SHARDS, Aggregation
from protocol.errors import InvalidInput
from protocol.spec import TaskSpec
from tests.unit.training.specs import make_spec


def spec_with(aggregation: Any, *, shards: int = 4, min_shards: int = 3) -> TaskSpec:
    limits = {"task_life_s": 100, "min_shards": min_shards}
    return make_spec(aggregation=aggregation, shards=shards, global_batch=shards * 64, limits=limits)


def test_spec__without_aggregation__is_the_plain_mean() -> None:
    assert make_spec().recipe.aggregation == "mean"
    assert b'"aggregation":"mean"' in make_spec().blob


def test_spec__robust_rule__survives_its_canonical_bytes_with_every_field() -> None:
    spec = spec_with({"rule": "multi-krum", "f": 1, "before": "nnm"})
    assert TaskSpec.parse(spec.blob) == spec
    assert spec.recipe.aggregation == Aggregation(rule="multi-krum", f=1, before="nnm")
    assert (
        b'"aggregation":{"before":"nnm","bucket":2,"f":1,"iterations":8,"momentum":"0","radius":"1",'
        b'"rule":"multi-krum","smoothing":"0.000001"}' in spec.blob
    )


@pytest.mark.parametrize(
    ("aggregation", "complaint"),
    [
        ("vote", "recipe.aggregation is 'vote'"),
        ({"rule": "vote", "f": 1}, "recipe.aggregation.rule is 'vote'"),
        ({"rule": "median"}, "missing required field `f`"),
        ({"rule": "median", "f": -1}, "recipe.aggregation.f is '-1'"),
        ({"rule": "median", "f": 1.5}, "recipe.aggregation.f is '1.5'"),
        ({"rule": "median", "f": 1, "code": "x"}, "unknown field `code`"),
        ({"rule": "centred-clipping", "f": 1, "radius": "0.0"}, "recipe.aggregation.radius is '0.0'"),
        ({"rule": "centred-clipping", "f": 1, "radius": "-1"}, "recipe.aggregation.radius is '-1'"),
        ({"rule": "geometric-median", "f": 1, "smoothing": 0.1}, "recipe.aggregation.smoothing is '0.1'"),
        ({"rule": "geometric-median", "f": 1, "iterations": 65}, "recipe.aggregation.iterations is '65'"),
        ({"rule": "median", "f": 1, "momentum": "1"}, "recipe.aggregation.momentum is '1'"),
        ({"rule": "median", "f": 1, "momentum": 0.9}, "recipe.aggregation.momentum is '0.9'"),
        ({"rule": "mean", "f": 0}, "a plain mean tolerates nobody"),
        ({"rule": "median", "f": 2}, "needs 5 vectors, and limits.min_shards = 3 may leave it 3"),
        ({"rule": "median", "f": 1, "before": "bucketing"}, "may leave it 2"),
    ],
)
def test_spec__aggregation_that_cannot_work__is_refused_in_a_sentence(
    aggregation: Any, complaint: str
) -> None:
    with pytest.raises(InvalidInput) as refused:
        spec_with(aggregation)
    assert complaint in str(refused.value)


@pytest.mark.parametrize(
    "aggregation", [{"rule": "krum", "f": 1}, {"rule": "median", "f": 1, "before": "nnm"}]
)
def test_spec__more_shards_than_can_be_compared__is_refused(aggregation: dict[str, Any]) -> None:
    assert spec_with(aggregation, shards=MAX_COMPARED_SHARDS)
    with pytest.raises(InvalidInput, match="shards is 257"):
        spec_with(aggregation, shards=MAX_COMPARED_SHARDS + 1)
    assert spec_with({"rule": "median", "f": 1}, shards=MAX_COMPARED_SHARDS + 1)
