"""The Secure Mapping Layer: one matrix per miner, checked to the last bit, and what it does to a copy."""

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest

from protocol.contest_recipe import MappingTerms
from protocol.spec import ModelSpec
from tests.unit.training.contests import MINERS, MLP, MODELS, dataset, job, seed_of
from worker.training.contest_model import SML_TENSOR, count_correct, load_model, model_manifest, save_model
from worker.training.contest_step import advance, initial_state
from worker.training.errors import BlobRejected, InvalidModel
from worker.training.sml import MappedModel, contest_seed, mapping_matrix
from worker.training.tensors import safe_load, safe_save

VECTOR = json.loads((Path(__file__).parents[2] / "vectors" / "sml.json").read_text())


def test_matrix__vector__has_the_same_bits_everywhere() -> None:
    seed = contest_seed(bytes.fromhex(VECTOR["parent"]), VECTOR["task_id"], VECTOR["miner"])
    matrix = mapping_matrix(seed, MappingTerms(**VECTOR["mapping"]))
    assert seed.hex() == VECTOR["seed"]
    assert [float(v).hex() for v in matrix[0, :4]] == VECTOR["first"]
    assert hashlib.sha256(matrix.astype("<f4").tobytes()).hexdigest() == VECTOR["matrix_sha256"]


@pytest.mark.parametrize("changed", ["parent", "task", "miner"])
def test_seed__another_block_task_or_miner__is_another(changed: str) -> None:
    own = contest_seed(bytes(32), 1, MINERS[0])
    parent = bytes(31) + b"\1" if changed == "parent" else bytes(32)
    other = contest_seed(parent, 1 + (changed == "task"), MINERS[changed == "miner"])
    assert own != other
    terms = MappingTerms(inputs=8, outputs=4)
    assert not np.array_equal(mapping_matrix(own, terms), mapping_matrix(other, terms))


def test_seed__hash_of_another_length__is_refused() -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        contest_seed(b"short", 1, MINERS[0])


def test_matrix__entries__keep_lengths_on_average() -> None:
    matrix = mapping_matrix(seed_of(0), MappingTerms(inputs=400, outputs=200))
    assert float(np.square(matrix, dtype=np.float64).sum()) / 400 == pytest.approx(1.0, rel=0.02)


@pytest.mark.parametrize(
    ("arch", "inputs", "outputs", "why"),
    [
        ("mlp", 64, 64, "must reduce"),
        ("mlp", 63, 32, "reads 64 inputs"),
        ("cnn", 5, 2, "no square"),
        ("cnn", 9, 4, "tiles"),
        ("cnn", 4, 4, "must reduce"),
        ("transformer", 32, 8, "16 wide"),
        ("transformer", 16, 16, "must reduce"),
    ],
)
def test_model__mapping_that_does_not_fit__is_refused(arch: str, inputs: int, outputs: int, why: str) -> None:
    with pytest.raises(InvalidModel, match=why):
        MappedModel(model=MODELS[arch], mapping=MappingTerms(inputs=inputs, outputs=outputs))


@pytest.mark.parametrize("arch", ["mlp", "cnn", "transformer"])
@pytest.mark.parametrize("mapped", [True, False])
def test_training__every_architecture__learns_and_its_model_loads(arch: str, mapped: bool) -> None:
    work = job(arch, mapped=mapped, steps=200)
    start, end = initial_state(work), advance(work, initial_state(work), 200)
    blob = save_model(work.model, work.seed, end.parameters)
    loaded = load_model(work.model, work.seed, blob)
    assert np.array_equal(loaded, end.parameters)
    before = count_correct(work.model, work.seed, start.parameters, work.dataset)
    after = count_correct(work.model, work.seed, loaded, work.dataset)
    assert after.total == before.total
    assert after.correct > 2 * before.correct


def test_copy__behind_the_thiefs_matrix__is_near_chance() -> None:
    work = job(steps=300)
    end = advance(work, initial_state(work), 300)
    own = count_correct(work.model, work.seed, end.parameters, work.dataset)
    copies = [
        count_correct(work.model, seed_of(thief), end.parameters, work.dataset).correct
        for thief in range(1, 8)
    ]
    assert own.correct > 0.9 * own.total
    assert sum(copies) / len(copies) < 0.15 * own.total


def test_transplant__behind_a_trained_embedding__would_be_exact() -> None:
    """Why the embedding in front of Z is fixed: any trained table E could be replaced by E Z^T pinv(Z'^T)."""
    terms = MappingTerms(inputs=32, outputs=16)
    z, other = (mapping_matrix(seed_of(i), terms).astype(np.float64) for i in (0, 1))
    table = np.random.default_rng(1).normal(size=(64, 32))
    stolen = table @ z.T @ np.linalg.pinv(other.T)
    assert np.allclose(stolen @ other.T, table @ z.T, atol=1e-9)


def test_load__matrix_of_another_miner__is_refused() -> None:
    work = job()
    blob = save_model(work.model, seed_of(1), initial_state(work).parameters)
    with pytest.raises(BlobRejected, match="mapping layer is not the one"):
        load_model(work.model, work.seed, blob)


def test_load__one_bit_of_the_matrix__is_refused() -> None:
    work = job()
    blob = save_model(work.model, work.seed, initial_state(work).parameters)
    tensors = dict(safe_load(blob, model_manifest(work.model), "model"))
    matrix = tensors[SML_TENSOR].copy()
    matrix[3, 5] = np.nextafter(matrix[3, 5], np.float32(1))
    with pytest.raises(BlobRejected, match="mapping layer"):
        load_model(work.model, work.seed, safe_save({**tensors, SML_TENSOR: matrix}))


def test_load__other_shape_missing_matrix_extra_tensor_or_nan__is_refused() -> None:
    work = job()
    blob = save_model(work.model, work.seed, initial_state(work).parameters)
    tensors = dict(safe_load(blob, model_manifest(work.model), "model"))
    without = {name: t for name, t in tensors.items() if name != SML_TENSOR}
    bad = tensors["param.output.weight"].copy()
    bad[0, 0] = np.nan
    wrong = [
        {**tensors, "param.output.weight": tensors["param.output.weight"][:, :-1]},
        without,
        {**tensors, "param.more": bad[0]},
        {**tensors, "param.output.weight": bad},
        {**tensors, "param.output.bias": tensors["param.output.bias"].astype(np.float64)},
    ]
    for each in wrong:
        with pytest.raises(BlobRejected):
            load_model(work.model, work.seed, safe_save(each))


def test_load__model_of_another_architecture__is_refused() -> None:
    work = job()
    wider = MappedModel(
        model=ModelSpec(arch="mlp", params={**MLP.params, "hidden": 17}), mapping=work.model.mapping
    )
    blob = save_model(wider, work.seed, wider.initial(work.seed))
    with pytest.raises(BlobRejected):
        load_model(work.model, work.seed, blob)


def test_load__truncated_or_foreign_bytes__are_refused() -> None:
    work = job()
    blob = save_model(work.model, work.seed, initial_state(work).parameters)
    for data in (b"", blob[:-1], blob + b"x", (1 << 40).to_bytes(8, "little") + blob[8:]):
        with pytest.raises(BlobRejected):
            load_model(work.model, work.seed, data)


def test_score__wrong_data__is_an_error() -> None:
    work = job()
    with pytest.raises(Exception, match="dataset"):
        count_correct(work.model, work.seed, initial_state(work).parameters, dataset("transformer"))
