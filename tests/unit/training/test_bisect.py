"""A fault is narrowed down to one micro-batch, to the sum, or to nothing narrower; honest work to nothing."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from protocol.batches import SUM, WHOLE
from protocol.blobs import BlobMissing
from protocol.errors import ServiceUnreachable
from protocol.ids import Sha256, sha256
from protocol.policy import default_policy
from protocol.spec import TaskSpec
from tests.unit.training.specs import CNN, MLP, TRANSFORMER, dataset_of, make_spec
from worker.training import replay
from worker.training.checkpoint import initial_checkpoint, load_checkpoint
from worker.training.codec import MANTISSA_BITS, encode, quantise, values_of
from worker.training.models import layout_of
from worker.training.parts import Opening, Vector, encode_part, sum_fault, sum_of
from worker.training.replay import Claim, ShardSite
from worker.training.step import ShardResult, batches_gradient, encode_gradient, shard_gradient

CODECS = ["float32", "int8", "int16"]
TOLERANT = {"sample_ppm": 0, "hardware_class": "tolerant"}
SMALL = 16
"""Samples of a micro-batch: a shard of 64 has four."""


def site_of(spec: TaskSpec, threads: int = 1) -> ShardSite:
    return ShardSite(
        spec=spec,
        checkpoint=load_checkpoint(spec, initial_checkpoint(spec)),
        dataset=dataset_of(spec),
        round=1,
        shard=0,
        policy=default_policy(),
        threads=threads,
    )


def honest(site: ShardSite) -> ShardResult:
    return shard_gradient(site.spec, site.checkpoint, site.dataset, 1, 0)


def claim(site: ShardSite, result: ShardResult, withheld: Sequence[int] = ()) -> Claim:
    blobs = [encode_part(site.spec, part) for part in result.parts]
    stored = {sha256(blob): blob for index, blob in enumerate(blobs) if index not in withheld}

    def fetch(name: Sha256) -> bytes:
        if name not in stored:
            raise BlobMissing(name)
        return stored[name]

    names = tuple(sha256(blob) for blob in blobs)
    gradient = encode_gradient(site.spec, result.gradient)
    return Claim(site=site, gradient=gradient, opening=Opening(names=names, fetch=fetch))


def with_part(result: ShardResult, index: int, part: Vector) -> ShardResult:
    """The part replaced, and the gradient moved with it."""
    moved = result.gradient + (part - result.parts[index]).astype(result.gradient.dtype)
    parts = (*result.parts[:index], part, *result.parts[index + 1 :])
    return replace(result, gradient=moved, parts=parts)


@pytest.mark.parametrize("model", [MLP, CNN, TRANSFORMER], ids=["mlp", "cnn", "transformer"])
@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize("steps", [1, 2])
def test_replay__honest_work_of_another_thread_count__has_nothing_wrong(
    model: dict[str, object], codec: str, steps: int
) -> None:
    spec = make_spec(model=model, codec=codec, local_steps=steps, micro_batch=SMALL)
    made = claim(site_of(spec), honest(site_of(spec)))
    elsewhere = replace(made, site=site_of(spec, threads=2))
    verdict = elsewhere.replay()
    assert (verdict.ok, verdict.reason) == (True, "")
    assert [made.spot_fault(i) for i in (0, 3, SUM, WHOLE)] == [""] * 4


@pytest.mark.parametrize("codec", ["int8", "int16"])
def test_replay__honest_float32_parts_with_noise__pass_the_tolerant_policy(codec: str) -> None:
    spec = make_spec(codec=codec, compute="float32", verification=TOLERANT, micro_batch=SMALL)
    result = honest(site_of(spec))
    noise = np.random.default_rng(1)
    for index, part in enumerate(result.parts):
        off = (part * noise.normal(scale=3e-7, size=part.size)).astype(np.float32)
        result = with_part(result, index, part + off)
    verdict = claim(site_of(spec), result).replay()
    assert (verdict.ok, verdict.reason) == (True, "")


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize("index", [0, 2, 3])
def test_replay__one_false_micro_batch__is_named_and_shown_alone(codec: str, index: int) -> None:
    spec = make_spec(codec=codec, micro_batch=SMALL)
    result = honest(site_of(spec))
    made = claim(site_of(spec), with_part(result, index, 2 * result.parts[index]))
    verdict = made.replay()
    assert (verdict.ok, verdict.batch) == (False, index)
    assert verdict.reason.startswith(f"micro-batch {index}: the right one moves")
    assert made.spot_fault(index) == verdict.reason
    assert [made.spot_fault(i) for i in range(4) if i != index] == [""] * 3
    assert made.spot_fault(SUM) == ""


@pytest.mark.parametrize("codec", CODECS)
def test_replay__right_parts_and_another_gradient__is_a_false_sum(codec: str) -> None:
    spec = make_spec(codec=codec, micro_batch=SMALL)
    result = honest(site_of(spec))
    made = claim(site_of(spec), replace(result, gradient=-result.gradient))
    assert (made.replay().ok, made.replay().batch) == (False, SUM)
    assert "not the sum of the micro-batches" in made.spot_fault(SUM)


def test_replay__right_gradient_of_false_parts__is_false_all_the_same() -> None:
    spec = make_spec(micro_batch=SMALL)
    result = honest(site_of(spec))
    swapped = replace(result, parts=(result.parts[1], result.parts[0], *result.parts[2:]))
    verdict = claim(site_of(spec), swapped).replay()
    assert (verdict.ok, verdict.identical, verdict.batch) == (False, True, 0)


def test_replay__second_local_step_is_false__is_shown_where_the_claimed_steps_lead() -> None:
    spec = make_spec(local_steps=4, micro_batch=SMALL)
    result = honest(site_of(spec))
    made = claim(site_of(spec), with_part(result, 1, 2 * result.parts[1]))
    # Later steps were computed where the honest second one led: the claim's own path shows them false too.
    assert made.replay().batch == 1
    assert made.spot_fault(1)
    assert made.spot_fault(0) == ""


def test_replay__later_local_step_on_another_machine__needs_the_claimed_point_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    spec = make_spec(local_steps=4, micro_batch=SMALL)
    result = honest(site_of(spec))
    made = claim(site_of(spec), with_part(result, 3, -result.parts[3]))
    counted: list[int] = []

    def counting(*arguments: object, **options: object) -> ShardResult:
        counted.append(1)
        return batches_gradient(*arguments, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(replay, "batches_gradient", counting)
    assert made.spot_fault(3)
    assert counted == []


def test_replay__deviation_thinly_spread__is_a_fault_of_the_whole() -> None:
    """No single micro-batch moves a code, together they move many: the whole is what counts."""
    spec = make_spec(codec="int16", micro_batch=4)
    result = honest(site_of(spec))
    layout = layout_of(spec.model)
    grid = quantise(15, layout, result.gradient)
    step = values_of(layout, replace(grid, codes=np.ones_like(grid.codes))) * np.float32(0.25)
    for index, part in enumerate(result.parts):
        result = with_part(result, index, (part + step).astype(np.float32))
    verdict = claim(site_of(spec), result).replay()
    assert (verdict.ok, verdict.batch) == (False, WHOLE)


def test_replay__parts_withheld__abstains_where_the_whole_passes_and_convicts_where_it_does_not() -> None:
    spec = make_spec(micro_batch=SMALL)
    result = honest(site_of(spec))
    swapped = replace(result, parts=tuple(reversed(result.parts)))
    with pytest.raises(BlobMissing):
        claim(site_of(spec), swapped, withheld=(0,)).replay()
    false = claim(site_of(spec), with_part(result, 0, -result.parts[0]), withheld=(0,))
    assert (false.replay().ok, false.replay().batch, false.spot_fault(0)) == (False, WHOLE, "")


def test_replay__parts_out_of_reach_but_the_same_as_here__are_not_needed() -> None:
    spec = make_spec(micro_batch=SMALL)
    made = claim(site_of(spec), honest(site_of(spec)))

    def unreachable(name: Sha256) -> bytes:
        raise ServiceUnreachable("the blob store", "x", "no answer")

    assert replace(made, opening=replace(made.opening, fetch=unreachable)).replay().ok


def test_replay__part_that_cannot_be_read__is_that_micro_batchs_fault() -> None:
    blob = b"\xff" * 100
    spec = make_spec(micro_batch=SMALL)
    made = claim(site_of(spec), honest(site_of(spec)))
    names = (made.opening.names[0], sha256(blob), *made.opening.names[2:])
    stored = {sha256(blob): blob}
    opening = Opening(names=names, fetch=lambda name: stored.get(name) or made.opening.fetch(name))
    broken = replace(made, opening=opening)
    assert (broken.replay().ok, broken.replay().batch) == (False, 1)
    assert broken.spot_fault(1)


def test_spot__number_that_no_micro_batch_has__finds_nothing() -> None:
    spec = make_spec(micro_batch=SMALL)
    made = claim(site_of(spec), honest(site_of(spec)))
    assert made.spot_fault(4) == ""
    short = replace(made, opening=replace(made.opening, names=made.opening.names[:3]))
    assert (short.spot_fault(0), short.replay().ok) == ("", True)


@pytest.mark.parametrize("codec", ["int8", "int16"])
@pytest.mark.parametrize("seed", range(20))
def test_sum_fault__rounded_parts__pass_and_one_moved_code_does_not(codec: str, seed: int) -> None:
    """Whatever the sizes: blocks of zeros, of cancellation, at a power of two."""
    spec = make_spec(codec=codec, micro_batch=8)
    layout, draw = layout_of(spec.model), np.random.default_rng(seed)
    scale = np.repeat(2.0 ** draw.integers(-60, 4, size=layout.size // 32 + 1), 32)[: layout.size]
    exact = [draw.normal(size=layout.size) * scale for _ in range(8)]
    exact[3] = np.where(draw.random(layout.size) < 0.3, -exact[2] * (1 + 1e-9), exact[3])
    exact[5][: layout.size // 4] = 0.0
    parts = [part.astype(np.float32) for part in exact]
    total = np.sum(exact, axis=0)
    assert sum_fault(spec, encode(spec.recipe.codec, layout, total), parts) == ""
    assert sum_fault(spec, encode(spec.recipe.codec, layout, sum_of(parts)), parts) == ""
    grid = quantise(MANTISSA_BITS[spec.recipe.codec], layout, total)
    block = int(np.argmax(grid.exponents))
    place = int(np.argmin(np.abs(grid.codes[block])))
    codes = grid.codes.copy()
    codes[block, place] += 2
    moved = values_of(layout, replace(grid, codes=codes))
    found = sum_fault(spec, encode(spec.recipe.codec, layout, moved), parts)
    assert found.startswith("1 of ")
