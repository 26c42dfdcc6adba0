import numpy as np
import pytest

from tests.unit.training.specs import make_spec
from worker.training.errors import InvalidRecipe
from worker.training.shards import shard_indices

RECIPE = make_spec(global_batch=64, shards=4, rounds=1_000).recipe
HASH = bytes(range(32))


def round_of(number: int, samples: int = 1_000, spec_hash: bytes = HASH) -> np.ndarray:
    return np.concatenate([shard_indices(spec_hash, RECIPE, samples, number, k) for k in range(4)])


def test_shard_indices__one_round__are_disjoint_int64_of_equal_size() -> None:
    shards = [shard_indices(HASH, RECIPE, 1_000, 3, k) for k in range(4)]
    assert {shard.shape for shard in shards} == {(16,)}
    assert {shard.dtype for shard in shards} == {np.dtype(np.int64)}
    assert len(set(np.concatenate(shards).tolist())) == 64


def test_shard_indices__one_epoch__uses_no_sample_twice_and_leaves_only_the_remainder() -> None:
    used = np.concatenate([round_of(number) for number in range(1, 1_000 // 64 + 1)])
    assert len(used) == len(set(used.tolist())) == 960


def test_shard_indices__next_epoch__is_another_order() -> None:
    assert not np.array_equal(round_of(1), round_of(1 + 1_000 // 64))


def test_shard_indices__another_spec__draws_other_samples() -> None:
    assert not np.array_equal(round_of(1), round_of(1, spec_hash=bytes(32)))


def test_shard_indices__known_spec__are_these_numbers() -> None:
    assert shard_indices(HASH, RECIPE, 1_000, 1, 0)[:6].tolist() == [87, 598, 958, 551, 970, 780]


def test_shard_indices__batch_larger_than_the_data__uses_all_samples_equally() -> None:
    counts = np.bincount(round_of(7, samples=30), minlength=30)
    assert counts.min() >= 2
    assert counts.max() <= 3


def test_shard_indices__result__cannot_be_changed_by_the_caller() -> None:
    with pytest.raises(ValueError, match="read-only"):
        shard_indices(HASH, RECIPE, 1_000, 1, 0)[0] = 5


@pytest.mark.parametrize(
    ("number", "shard", "samples"),
    [(0, 0, 9), (1_001, 0, 9), (1, -1, 9), (1, 4, 9), (1, 0, 0), (1, 0, 1 << 40)],
)
def test_shard_indices__outside_the_recipe__is_refused(number: int, shard: int, samples: int) -> None:
    with pytest.raises(InvalidRecipe):
        shard_indices(HASH, RECIPE, samples, number, shard)
