"""Running means: whose they are, what they are to the last bit, and that a round cannot do without them."""

from collections.abc import Mapping

import numpy as np
import pytest
from numpy.typing import NDArray

from protocol.ids import Address, parse_address
from protocol.spec import TaskSpec
from tests.unit.training.specs import dataset_of, make_spec
from worker.training.aggregate import aggregate
from worker.training.centralized import one_process_replay
from worker.training.checkpoint import initial_checkpoint, load_checkpoint, save_checkpoint
from worker.training.codec import decode
from worker.training.errors import BlobRejected, InvalidRecipe
from worker.training.models import layout_of
from worker.training.rounds import apply_round
from worker.training.running import RunningMeans, go_on, no_means
from worker.training.step import encode_gradient

ANN, BOB, EVE = (parse_address(f"0x{number:040x}") for number in (1, 2, 3))


def vector(*values: float) -> NDArray[np.float32]:
    return np.array(values, dtype=np.float32)


def rounds(*given: Mapping[int, tuple[Address, float]], momentum: str = "0.5") -> RunningMeans:
    """One number a gradient, four shards."""
    running = no_means(4, 1)
    for item in given:
        gradients = {shard: vector(value) for shard, (_, value) in item.items()}
        running = go_on(running, momentum, gradients, {shard: who for shard, (who, _) in item.items()})
    return running


def spec_of(momentum: str) -> TaskSpec:
    return make_spec(
        aggregation={"rule": "median", "f": 1, "before": "nnm", "momentum": momentum},
        limits={"task_life_s": 100, "min_shards": 3},
    )


def blobs(spec: TaskSpec, seed: int) -> dict[int, bytes]:
    random = np.random.Generator(np.random.Philox(seed))
    size = layout_of(spec.model).size
    return {shard: encode_gradient(spec, random.standard_normal(size)) for shard in range(4)}


def test_running_mean__first_gradient_of_a_miner__is_the_mean() -> None:
    assert rounds({0: (ANN, 3.0), 2: (BOB, 5.0)}).means[:, 0].tolist() == [3.0, 0.0, 5.0, 0.0]


def test_running_mean__miner_on_another_shard__goes_on_with_its_own() -> None:
    running = rounds({0: (ANN, 4.0), 1: (EVE, 100.0)}, {1: (ANN, 8.0), 0: (EVE, 100.0)})
    assert running.means[:2, 0].tolist() == [100.0, 6.0]
    assert running.miners[1].tobytes() == bytes.fromhex(ANN[2:])


def test_running_mean__several_shards_of_one_miner__go_on_in_ascending_order() -> None:
    running = rounds({0: (ANN, 2.0), 3: (ANN, 4.0)}, {1: (ANN, 2.0), 2: (ANN, 4.0), 3: (ANN, 10.0)})
    assert running.means[:, 0].tolist() == [0.0, 2.0, 4.0, 10.0]


def test_running_mean__miner_who_misses_a_round__starts_anew() -> None:
    running = rounds({0: (ANN, 2.0)}, {0: (BOB, 2.0)}, {0: (ANN, 8.0)})
    assert running.means[0, 0] == 8.0
    assert not running.miners[1:].any()


def test_running_mean__decimal_momentum__rounds_once_an_operation() -> None:
    first, second = vector(0.1, -3.7e-5), vector(7.3, 2.9e4)
    one = go_on(no_means(1, 2), "0.9", {0: first}, {0: ANN})
    found = go_on(one, "0.9", {0: second}, {0: ANN}).means[0]
    kept, new = np.float32(0.9), np.float32(1.0 - 0.9)
    for index in range(2):
        left, right = np.float32(first[index] * kept), np.float32(second[index] * new)
        assert found[index] == np.float32(left + right)


def test_running_mean__nobody_named_for_a_shard__is_refused() -> None:
    with pytest.raises(InvalidRecipe, match="nobody is named for shard 2"):
        go_on(no_means(4, 1), "0.5", {2: vector(1.0)}, {1: ANN})
    spec = spec_of("0.9")
    with pytest.raises(InvalidRecipe, match="nobody is named for shard 0"):
        apply_round(spec, initial_checkpoint(spec), blobs(spec, 1))


def test_apply_round__aggregation_with_momentum__aggregates_the_running_means() -> None:
    spec, layout = spec_of("0.9"), layout_of(spec_of("0.9").model)
    first, second = blobs(spec, 1), blobs(spec, 2)
    one = apply_round(spec, initial_checkpoint(spec), first, dict.fromkeys(range(4), ANN))
    two = apply_round(spec, one, second, dict.fromkeys(range(4), ANN))
    kept, new = np.float32(0.9), np.float32(1.0 - 0.9)
    means = [
        decode("int16", layout, first[k]) * kept + decode("int16", layout, second[k]) * new for k in range(4)
    ]
    after, before = load_checkpoint(spec, two), load_checkpoint(spec, one)
    assert after.running is not None
    assert after.running.means.tobytes() == np.stack(means).tobytes()
    direction = before.state["momentum"] * np.float32(0.9) + aggregate(spec.recipe.aggregation, means)
    assert after.state["momentum"].tobytes() == direction.tobytes()


def test_apply_round__other_order_of_shards__gives_the_same_bytes() -> None:
    spec = spec_of("0.9")
    miners = {0: ANN, 1: BOB, 2: EVE, 3: ANN}
    blob = apply_round(spec, initial_checkpoint(spec), blobs(spec, 1), miners)
    second = blobs(spec, 2)
    models = {
        apply_round(spec, blob, {k: second[k] for k in order}, miners)
        for order in ((0, 1, 2, 3), (3, 1, 0, 2))
    }
    assert len(models) == 1


def test_apply_round__without_momentum__does_not_depend_on_who_computed() -> None:
    spec = spec_of("0")
    blob, work = initial_checkpoint(spec), blobs(spec, 1)
    assert apply_round(spec, blob, work) == apply_round(spec, blob, work, dict.fromkeys(range(4), ANN))
    assert load_checkpoint(spec, blob).running is None


def test_load_checkpoint__with_running_means__gives_them_back_and_no_other_spec_takes_them() -> None:
    spec = spec_of("0.9")
    blob = apply_round(spec, initial_checkpoint(spec), blobs(spec, 1), {0: ANN, 1: BOB, 2: EVE, 3: ANN})
    assert save_checkpoint(spec, load_checkpoint(spec, blob)) == blob
    with pytest.raises(BlobRejected, match="running"):
        load_checkpoint(spec_of("0"), blob)


def test_one_process_replay__with_momentum__learns() -> None:
    spec = make_spec(
        aggregation={"rule": "median", "f": 1, "before": "nnm", "momentum": "0.9"},
        optimizer={"kind": "sgd", "lr": "1"},
        limits={"task_life_s": 100, "min_shards": 3},
    )
    *_, last = one_process_replay(
        spec, dataset_of(spec), miners={0: ANN, 1: BOB, 2: EVE, 3: parse_address(f"0x{4:040x}")}
    )
    assert last.loss_micros < 600_000
