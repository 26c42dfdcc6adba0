"""A spec is read strictly and refused with a sentence that names the field."""

from typing import Any

import pytest

from protocol.errors import InvalidInput
from protocol.spec import TaskSpec, spec_json_schema
from tests.unit.protocol.builders import spec, spec_value


def test_parse__canonical_bytes__round_trips() -> None:
    made = spec()
    assert TaskSpec.parse(made.blob) == made
    assert TaskSpec.parse(made.blob).hash == made.hash


def test_escrow__every_round_in_full() -> None:
    assert spec().escrow_wei == 20 * (4 * 1000 + 100)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"model__arch": "resnet"}, ["model.arch", "resnet"]),
        ({"money__reward_per_shard": "-5"}, ["money.reward_per_shard", "-5"]),
        ({"money__reward_per_shard": "0"}, ["reward_per_shard", "0"]),
        ({"recipe__rounds": 10**9}, ["recipe.rounds", "1000000000"]),
        ({"recipe__rounds": 0}, ["recipe.rounds"]),
        ({"recipe__global_batch": 127}, ["global_batch", "127"]),
        ({"recipe__optimizer__lr": "0"}, ["recipe.optimizer.lr"]),
        ({"recipe__optimizer__lr": 0.1}, ["recipe.optimizer.lr"]),
        (
            {"recipe__global_batch": 2**20, "recipe__micro_batch": 1},
            ["262144 micro-batches", "recipe.micro_batch"],
        ),
        (
            {
                "recipe__shards": 1024,
                "recipe__global_batch": 2**16,
                "recipe__micro_batch": 1,
                "limits__max_uncertified_rounds": 5,
            },
            ["recipe.micro_batch", "limits.max_uncertified_rounds"],
        ),
        ({"limits__min_shards": 5}, ["limits.min_shards"]),
        ({"limits__rounds_per_certificate": 5}, ["rounds_per_certificate"]),
        ({"money__slash_per_fault": "50001"}, ["slash_per_fault"]),
        ({"limits__task_life_s": 59}, ["limits.task_life_s", "59"]),
        (
            {"money__miner_stake": str(2**100), "money__slash_per_fault": str(2**96)},
            ["slash_per_fault", str(2**96)],
        ),
        ({"dataset__sha256": "AB" * 32}, ["dataset.sha256"]),
        ({"code": "import os"}, ["code"]),
        ({"money__reward_per_shard": "9" * 38}, ["escrow"]),
    ],
)
def test_from_value__one_bad_field__is_named(changes: dict[str, Any], words: list[str]) -> None:
    with pytest.raises(InvalidInput) as caught:
        TaskSpec.from_value(spec_value(**changes))
    assert caught.value.exit_code == 2
    assert all(word in str(caught.value) for word in words), str(caught.value)


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b"\xff", b" " + b"x" * (64 * 1024)])
def test_parse__not_a_spec__raises(data: bytes) -> None:
    with pytest.raises(InvalidInput):
        TaskSpec.parse(data)


def test_parse__same_value_in_other_bytes__is_refused() -> None:
    with pytest.raises(InvalidInput, match="canonical"):
        TaskSpec.parse(spec().blob.replace(b'","', b'", "', 1))


def test_schema__names_every_part() -> None:
    assert {"Recipe", "Money", "Limits"} <= set(spec_json_schema()["$defs"])
