"""Numbers that follow from executing a shard: honest machines agree on them, forgers do not."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from protocol.ids import sha256
from protocol.spec import TaskSpec
from tests.unit.training.specs import CNN, MLP, TRANSFORMER, dataset_of, make_spec, with_recipe
from tests.unit.training.test_replay import TOLERANT, site, start
from worker.training.models import layout_of
from worker.training.parts import Opening, encode_part, sum_of
from worker.training.replay import replay_shard
from worker.training.step import ShardResult, batches_gradient, encode_gradient, shard_batches
from worker.training.witness import (
    NEEDED,
    WITNESSES,
    agreeing,
    agrees,
    digits_proof,
    score_places,
    scores_proof,
)

SEED, OTHER = b"one validator", b"another"
MODELS = [MLP, CNN, TRANSFORMER]
IDS = ["mlp", "cnn", "transformer"]


def computed(spec: TaskSpec, **recipe: Any) -> ShardResult:
    """The first shard of ``spec``, computed as its recipe or another one says."""
    batches = shard_batches(spec, dataset_of(spec), 1, 0)
    how = with_recipe(spec, **recipe)
    return batches_gradient(how, start(spec).parameters, batches, watch=(SEED, OTHER))


def opening_of(spec: TaskSpec, own: ShardResult) -> Opening:
    blobs = {sha256(blob): blob for blob in (encode_part(spec, part) for part in own.parts)}
    return Opening(
        names=tuple(sha256(encode_part(spec, part)) for part in own.parts), fetch=blobs.__getitem__
    )


def proof_of(spec: TaskSpec, threads: int, seed: bytes = SEED) -> bytes:
    """What a replica gets that replays honest work."""
    own = computed(spec)
    where = replace(site(spec, threads), witnesses=(seed,))
    verdict = replay_shard(where, encode_gradient(spec, own.gradient), opening_of(spec, own))
    assert verdict.ok, verdict.reason
    (proof,) = verdict.proofs
    return proof


@pytest.mark.parametrize("local_steps", [1, 2])
@pytest.mark.parametrize("micro_batch", [8, 32])
@pytest.mark.parametrize("model", MODELS, ids=IDS)
def test_proof__exact_work_on_other_threads__agrees_everywhere(
    model: dict[str, object], micro_batch: int, local_steps: int
) -> None:
    spec = make_spec(model=model, micro_batch=micro_batch, local_steps=local_steps)
    one, two = proof_of(spec, 1), proof_of(spec, 2)
    assert agreeing(spec, one, two) == WITNESSES
    assert len(one) == 4 * WITNESSES


@pytest.mark.parametrize("model", MODELS, ids=IDS)
def test_proof__float32_work_on_other_threads__agrees_everywhere(model: dict[str, object]) -> None:
    spec = make_spec(model=model, compute="float32", verification=TOLERANT)
    assert agreeing(spec, proof_of(spec, 1), proof_of(spec, 2)) == WITNESSES


def published(spec: TaskSpec, own: ShardResult) -> np.ndarray:
    return sum_of(own.parts)


def cheap(spec: TaskSpec, own: ShardResult) -> np.ndarray:
    """The whole work in float32."""
    return computed(spec, compute="float32").gradient.astype(np.float64)


def forward(spec: TaskSpec, own: ShardResult) -> np.ndarray:
    """What a forward pass tells: the gradient of the output layer."""
    guess = sum_of(own.parts)
    for name, where in layout_of(spec.model).slices().items():
        if name.startswith("output."):
            guess[where] = own.gradient[where]
    return guess


@pytest.mark.parametrize("forge", [published, cheap, forward])
@pytest.mark.parametrize("model", MODELS, ids=IDS)
def test_proof__forged_from_what_is_published_or_from_less_work__does_not_agree(
    model: dict[str, object], forge: Callable[[TaskSpec, ShardResult], np.ndarray]
) -> None:
    spec = make_spec(model=model)
    own = computed(spec)
    true = digits_proof(spec, SEED, own.gradient, own.parts)
    forged = digits_proof(spec, SEED, forge(spec, own), own.parts)
    assert len(forged) == len(true)
    assert not agrees(spec, forged, true)


@pytest.mark.parametrize("compute", ["float64", "float32"])
def test_proof__of_another_validator__does_not_agree(compute: str) -> None:
    spec = make_spec(compute=compute, verification=TOLERANT if compute == "float32" else None)
    assert not agrees(spec, proof_of(spec, 1, OTHER), proof_of(spec, 1, SEED))


def test_proof__scores_guessed_by_their_mean__does_not_agree() -> None:
    spec = make_spec(compute="float32", verification=TOLERANT)
    scores = computed(spec).scores[0]
    assert agreeing(spec, scores_proof(np.full(WITNESSES, scores.mean())), scores_proof(scores)) < NEEDED // 2


@pytest.mark.parametrize("claimed", [b"", bytes(4 * WITNESSES - 4), bytes(4 * WITNESSES)])
def test_agrees__too_short_or_zero__is_false(claimed: bytes) -> None:
    spec = make_spec()
    assert not agrees(spec, claimed, proof_of(spec, 1))


def test_digits_proof__gradient_of_zeros__is_empty_and_agrees_with_an_empty_one_alone() -> None:
    spec = make_spec()
    zeros = np.zeros(layout_of(spec.model).size)
    proof = digits_proof(spec, SEED, zeros, (zeros.astype(np.float32),))
    assert proof == b""
    assert agrees(spec, b"", proof)
    assert not agrees(spec, bytes(4), proof)


def test_watched_scores__many_micro_batches__are_those_of_one() -> None:
    spec = make_spec(compute="float32", micro_batch=64)
    whole, cut = computed(spec), computed(spec, micro_batch=8)
    assert np.allclose(whole.scores, cut.scores, atol=1e-6)
    places = score_places(SEED, 64 * 10)
    assert ((places >= 0) & (places < 640)).all()


def test_proof__claim_that_fails__has_none() -> None:
    spec = make_spec()
    own = computed(spec)
    where = replace(site(spec), witnesses=(SEED,))
    verdict = replay_shard(where, encode_gradient(spec, 2 * own.gradient), opening_of(spec, own))
    assert not verdict.ok
    assert verdict.proofs == ()


def test_proof__own_part_rounded_to_the_other_side__is_that_of_the_published_parts() -> None:
    """With local steps the parts steer what comes after them; two honest machines round one in a billion
    differently."""
    spec = make_spec(local_steps=2, micro_batch=16)
    own = computed(spec)
    first = own.parts[0].copy()
    place = int(np.abs(first).argmax())
    first[place] = np.nextafter(first[place], np.float32(np.inf))
    batches = shard_batches(spec, dataset_of(spec), 1, 0)
    steered = batches_gradient(spec, start(spec).parameters, batches, claimed=(first, *own.parts[1:]))
    parts = (first, *steered.parts[1:])
    moved = ShardResult(gradient=steered.gradient, parts=parts, samples=64, loss_micros=1)
    where = replace(site(spec), witnesses=(SEED,))
    verdict = replay_shard(where, encode_gradient(spec, moved.gradient), opening_of(spec, moved))
    assert verdict.ok, verdict.reason
    assert agreeing(spec, verdict.proofs[0], digits_proof(spec, SEED, steered.gradient, parts)) == WITNESSES
    assert not agrees(spec, verdict.proofs[0], digits_proof(spec, SEED, own.gradient, parts))
