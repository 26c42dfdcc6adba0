import numpy as np
import pytest

from tests.unit.training.specs import ADAMW, CNN, MLP, SGD, TRANSFORMER, dataset_of, make_spec
from worker.training.centralized import one_process_replay, train_centralized
from worker.training.checkpoint import load_checkpoint
from worker.training.errors import InvalidRecipe
from worker.training.evaluate import evaluate

WIDER_MLP = {**MLP, "params": {**MLP["params"], "hidden": 64}}
# Of the seeded run of five rounds; they change with the spec's format, the data or the arithmetic alone.
LOSS_MICROS = 2180544
MODEL_SHA256 = "79a14d7568903d3efc244b48fafc8096a0413841a27ff97051dd7a859e94264f"


@pytest.mark.parametrize("optimizer", [SGD, ADAMW], ids=["sgd", "adamw"])
@pytest.mark.parametrize("codec", ["float32", "int8", "int16"])
def test_one_process_replay__digits_thirty_rounds__learns_and_matches_plain_torch(
    optimizer: dict[str, str], codec: str
) -> None:
    spec = make_spec(optimizer=optimizer, codec=codec, model=WIDER_MLP)
    dataset = dataset_of(spec)
    *_, last = one_process_replay(spec, dataset)
    ours = evaluate(spec, load_checkpoint(spec, last.checkpoint_blob), dataset)
    plain = train_centralized(spec, dataset)
    theirs = evaluate(spec, plain.checkpoint, dataset)
    assert ours.accuracy > 0.9
    assert abs(ours.correct - theirs.correct) <= 2, "within 0.5 percentage points of 359 samples"
    assert last.loss_micros == pytest.approx(plain.losses_micros[-1], rel=0.01)


def test_one_process_replay__seeded_tiny_run__reaches_the_committed_model_and_loss() -> None:
    # A policy of no meaning, so that a new one moves nothing here.
    spec = make_spec(rounds=5, verification={"sample_ppm": 100_000, "policy": "0" * 64})
    run = list(one_process_replay(spec, dataset_of(spec), threads=2))
    assert [r.round for r in run] == [1, 2, 3, 4, 5]
    assert run[-1].loss_micros == LOSS_MICROS
    assert run[-1].model_sha256.hex() == MODEL_SHA256


@pytest.mark.parametrize("model", [MLP, CNN, TRANSFORMER], ids=["mlp", "cnn", "transformer"])
def test_one_process_replay__one_and_two_threads__end_in_the_same_model(model: dict[str, object]) -> None:
    spec = make_spec(model=model, rounds=4)
    hashes = [
        [r.model_sha256 for r in one_process_replay(spec, dataset_of(spec), threads=threads)]
        for threads in (1, 2)
    ]
    assert hashes[0] == hashes[1]


def test_one_process_replay__cnn__learns_digits() -> None:
    spec = make_spec(model=CNN, optimizer={"kind": "adamw", "lr": "0.03"}, rounds=60)
    *_, last = one_process_replay(spec, dataset_of(spec))
    assert evaluate(spec, load_checkpoint(spec, last.checkpoint_blob), dataset_of(spec)).accuracy > 0.8


def test_one_process_replay__transformer__learns_a_sonnet() -> None:
    spec = make_spec(model=TRANSFORMER, optimizer=ADAMW, rounds=100, global_batch=64)
    dataset = dataset_of(spec)
    *_, last = one_process_replay(spec, dataset)
    result = evaluate(spec, load_checkpoint(spec, last.checkpoint_blob), dataset)
    assert result.total % 16 == 0
    assert result.accuracy > 0.5
    assert result.loss_micros is not None
    assert result.loss_micros < 2_000_000, "a uniform guess loses 3.8 nats"


def test_one_process_replay__local_steps__learns() -> None:
    spec = make_spec(local_steps=4, optimizer={"kind": "sgd", "lr": "0.1"})
    *_, last = one_process_replay(spec, dataset_of(spec))
    assert evaluate(spec, load_checkpoint(spec, last.checkpoint_blob), dataset_of(spec)).accuracy > 0.85


def test_train_centralized__local_steps__are_refused() -> None:
    spec = make_spec(local_steps=4)
    with pytest.raises(InvalidRecipe, match="local_steps"):
        train_centralized(spec, dataset_of(spec))


def test_evaluate__parameters_of_zero__guess_one_class() -> None:
    spec = make_spec()
    *_, last = one_process_replay(make_spec(rounds=1), dataset_of(spec))
    checkpoint = load_checkpoint(make_spec(rounds=1), last.checkpoint_blob)
    np.copyto(checkpoint.parameters, 0)
    result = evaluate(spec, checkpoint, dataset_of(spec))
    assert result.total == 359
    assert result.correct < 60
    assert result.loss_micros == pytest.approx(2_302_585, abs=1)
