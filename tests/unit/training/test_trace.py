"""Training traces: honest ones pass, in either class; a replay of any false segment shows a forgery."""

from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from itertools import pairwise

import numpy as np
import pytest

from pot.experiment import thefts
from protocol.contest_recipe import TraceTerms
from protocol.errors import PeerMisbehaved
from protocol.ids import Sha256, sha256
from protocol.policy import default_policy
from protocol.spec import Optimizer
from tests.unit.training.contests import job
from worker.training.contest_model import save_model
from worker.training.contest_step import Job, State, advance, initial_state, load_state, save_state
from worker.training.errors import BlobRejected, InvalidRecipe
from worker.training.trace import Trace, check_ends, check_terms, record, segment_bounds
from worker.training.trace_plan import (
    check_replays,
    found_by_chance,
    moves,
    rank,
    replay_plan,
    replayed_share,
)
from worker.training.trace_replay import SegmentVerdict, replay_segment
from worker.training.transplant import transplant

SGD = Optimizer(kind="sgd", lr="0.1", momentum="0.9")
ADAMW = Optimizer(kind="adamw", lr="0.01")


@cache
def run(arch: str = "mlp", miner: int = 0, compute: str = "float64", adamw: bool = False) -> list[State]:
    work = job(arch, miner, compute=compute, optimizer=ADAMW if adamw else SGD)
    states = [initial_state(work)]
    for segment in range(work.recipe.segments):
        first, last = segment_bounds(work.recipe, segment)
        states.append(advance(work, states[-1], last - first))
    return states


def judge(work: Job, states: Sequence[State], segment: int) -> SegmentVerdict:
    before, after = (save_state(work, states[segment + i]) for i in (0, 1))
    return replay_segment(work, segment, before, after, policy=default_policy())


def test_record__whole_run__names_every_checkpoint_and_ends_in_the_model() -> None:
    work, blobs = job(), dict[Sha256, bytes]()

    def put(data: bytes) -> Sha256:
        blobs[sha256(data)] = data
        return sha256(data)

    trace, last = record(work, put)
    assert len(trace.checkpoints) == work.recipe.segments + 1 == 11
    assert [save_state(work, state) for state in run()] == [blobs[name] for name in trace.checkpoints]
    assert Trace.parse(trace.blob, work.recipe) == trace
    model = save_model(work.model, work.seed, last.parameters)
    check_ends(work, trace, blobs[trace.checkpoints[-1]], model)


def test_root__two_checkpoints_exchanged__is_another() -> None:
    names = tuple(sha256(bytes([i])) for i in range(4))
    swapped = (names[0], names[2], names[1], names[3])
    assert Trace(checkpoints=names).root != Trace(checkpoints=swapped).root


@pytest.mark.parametrize("arch", ["mlp", "cnn", "transformer"])
def test_replay__honest_segment__is_identical(arch: str) -> None:
    states = run(arch)
    verdicts = [judge(job(arch), states, segment) for segment in (0, 5, 9)]
    assert all(v.ok and v.identical for v in verdicts)


def test_replay__honest_noise_in_the_tolerant_class__passes_by_the_code_check() -> None:
    work, states = job(compute="float32"), run(compute="float32")
    noisy = State(
        step=states[1].step,
        parameters=states[1].parameters * np.float32(1 + 2**-23),
        optimizer=states[1].optimizer,
    )
    verdict = judge(work, [states[0], noisy], 0)
    assert verdict.ok
    assert not verdict.identical


@pytest.mark.parametrize("compute", ["float64", "float32"])
@pytest.mark.parametrize("adamw", [False, True])
def test_replay__segment_with_one_step_less__is_a_miss(compute: str, adamw: bool) -> None:
    work = job(compute=compute, optimizer=ADAMW if adamw else SGD)
    states = run("mlp", 0, compute, adamw)
    short = advance(work, states[3], 1)
    claimed = State(step=states[4].step, parameters=short.parameters, optimizer=short.optimizer)
    verdict = judge(work, [*states[:4], claimed], 3)
    assert not verdict.ok
    assert "differ" in verdict.reason


def test_replay__checkpoint_of_another_step_or_with_nan__is_a_miss() -> None:
    work, states = job(), run()
    late = State(step=5, parameters=states[1].parameters, optimizer=states[1].optimizer)
    broken = State(
        step=2, parameters=states[1].parameters * np.float32(np.nan), optimizer=states[1].optimizer
    )
    for claimed in (late, broken):
        verdict = judge(work, [states[0], claimed], 0)
        assert not verdict.ok
        assert verdict.reason


def test_ends__trace_from_another_seed__is_refused() -> None:
    mine, theirs = job(miner=0), job(miner=1)
    states = run(miner=1)
    trace = Trace(checkpoints=tuple(sha256(save_state(theirs, state)) for state in states))
    model = save_model(mine.model, mine.seed, states[-1].parameters)
    with pytest.raises(BlobRejected, match="first weights"):
        check_ends(mine, trace, save_state(theirs, states[-1]), model)


def test_ends__model_that_the_trace_does_not_reach__is_refused() -> None:
    work, states = job(), run()
    trace = Trace(checkpoints=tuple(sha256(save_state(work, state)) for state in states))
    better = save_model(work.model, work.seed, states[-2].parameters)
    with pytest.raises(BlobRejected, match="does not end in the model"):
        check_ends(work, trace, save_state(work, states[-1]), better)
    with pytest.raises(BlobRejected, match="another checkpoint"):
        check_ends(work, trace, save_state(work, states[-2]), better)


def forged(kind: str) -> tuple[Job, thefts.Forgery]:
    work, owner, honest, foreign = job(miner=0), job(miner=1), run(), run(miner=1)
    features = work.dataset.batch(work.model.model, "train", np.arange(500)).inputs.astype(np.float32)
    target = transplant(work.model, foreign[-1].parameters, owner.seed, work.seed, features)
    match kind:
        case "jump":
            return work, thefts.straight(work, honest, target, first=4, over=1)
        case "splice":
            return work, thefts.splice(work, honest, foreign, first=4)
        case "interpolation":
            return work, thefts.straight(work, honest, target, first=3, over=6)
        case "foreign seed":
            return work, thefts.foreign_seed(work, honest[0], foreign)
        case "fake steps":
            return work, thefts.fake_steps(work, honest, target, first=3, over=6)
        case _:
            return work, thefts.false_momentum(work, honest, target, first=3, over=3)


@pytest.mark.parametrize("kind", thefts.KINDS)
def test_forgery__every_kind__misses_in_every_false_segment_and_in_no_other(kind: str) -> None:
    work, forgery = forged(kind)
    assert len(forgery.states) == work.recipe.segments + 1
    missed = {s for s in range(work.recipe.segments) if not judge(work, forgery.states, s).ok}
    assert missed == forgery.fake


@pytest.mark.parametrize("kind", ["jump", "splice", "false momentum"])
def test_rank__forgery_in_large_steps__is_among_the_first(kind: str) -> None:
    _, forgery = forged(kind)
    assert forgery.fake & set(rank(moves(forgery.states))[:2])


def test_moves__states_one_after_the_other__are_what_all_of_them_together_give() -> None:
    for kind in ("jump", "false momentum"):
        _, forgery = forged(kind)
        states = forgery.states
        vectors = [[s.parameters for s in states], [s.optimizer["momentum"] for s in states]]
        relative = []
        for vector in vectors:
            found = np.array([np.linalg.norm(b.astype(np.float64) - a) for a, b in pairwise(vector)])
            relative.append(found / max(float(np.median(found)), np.finfo(np.float64).tiny))
        assert moves(iter(states)).tobytes() == np.max(np.stack(relative), axis=0).tobytes()


def test_moves__one_leap_in_a_trace_that_stands_still__ranks_first() -> None:
    states = [
        State(step=s, parameters=np.array([0, 3e38 if s == 2 else 0], np.float32), optimizer={})
        for s in range(9)
    ]
    assert rank(moves(states))[:3] == [1, 0, 2]


@pytest.mark.parametrize("adamw", [False, True])
@pytest.mark.parametrize("part", ["parameters", "optimizer"])
def test_replay__checkpoints_at_the_ends_of_the_range__are_a_miss(adamw: bool, part: str) -> None:
    work, states = job(optimizer=ADAMW if adamw else SGD), run("mlp", 0, "float64", adamw)
    low, high = (extreme(states[place], part, sign) for place, sign in ((0, -1), (1, 1)))
    for pair in ([low, high], [low, states[1]], [states[0], high]):
        verdict = judge(work, pair, 0)
        assert not verdict.ok
        assert verdict.reason


def extreme(state: State, part: str, sign: int) -> State:
    edge = np.float32(sign * 3e38)
    if part == "parameters":
        return replace(state, parameters=np.append(state.parameters[:-1], edge))
    return replace(state, optimizer={n: np.append(v[:-1], edge) for n, v in state.optimizer.items()})


def test_plan__any_seed__largest_are_always_replayed_and_others_once() -> None:
    terms = TraceTerms(every=1, largest=5, random=4)
    order = [7, 3, 11, 0, 9, *[i for i in range(20) if i not in (7, 3, 11, 0, 9)]]
    for number in range(10):
        plan = replay_plan(order, terms, bytes([number]))
        assert plan.largest == (7, 3, 11, 0, 9)
        assert len(set(plan.segments)) == len(plan.segments) == 9


def test_plan__same_seed__is_the_same_and_another_looks_elsewhere() -> None:
    terms = TraceTerms(every=1, largest=2, random=8)
    plans = [replay_plan(range(200), terms, bytes([i % 5])).random for i in range(10)]
    assert plans[:5] == plans[5:]
    assert len(set(plans)) == 5


def test_share__all_replicas__counts_every_replay() -> None:
    recipe = job(steps=200, trace=TraceTerms(every=2, largest=4, random=4)).recipe
    assert replayed_share(recipe, 4) == 4 * (4 + 4) / 100
    assert replayed_share(job(trace=None).recipe, 4) == 0.0


def test_replays__more_than_the_training_together__are_refused() -> None:
    recipe = job(steps=200, trace=TraceTerms(every=2, largest=13, random=12)).recipe
    check_replays(recipe, 4)
    with pytest.raises(InvalidRecipe, match="7 members replay 25 of 100 segments"):
        check_replays(recipe, 7)
    check_replays(job(trace=None).recipe, 64)


def test_chance__false_segments_beside_the_largest__are_found_as_often_as_said() -> None:
    terms = TraceTerms(every=2, largest=2, random=8)
    recipe = job(steps=100, trace=terms).recipe
    false = set(range(10, 16))
    order = [0, 1, *range(2, 50)]
    found = sum(
        not false.isdisjoint(replay_plan(order, terms, number.to_bytes(4, "big")).random)
        for number in range(2_000)
    )
    assert found / 2_000 == pytest.approx(found_by_chance(recipe, len(false)), abs=0.04)
    assert found_by_chance(recipe, 0) == 0.0
    assert found_by_chance(recipe, 50) == 1.0


def test_terms__missing_too_many_or_too_long__are_refused() -> None:
    for recipe in (
        job(trace=None).recipe,
        job(trace=TraceTerms(every=2, largest=6, random=6)).recipe,
        job(steps=5_000, trace=TraceTerms(every=1, largest=1, random=1)).recipe,
    ):
        with pytest.raises(InvalidRecipe, match="trace"):
            check_terms(recipe)


def test_bounds__last_segment__may_be_shorter() -> None:
    recipe = job(steps=5).recipe
    assert [segment_bounds(recipe, s) for s in range(3)] == [(0, 2), (2, 4), (4, 5)]
    with pytest.raises(InvalidRecipe):
        segment_bounds(recipe, 3)


def test_parse__malformed_traces__are_refused() -> None:
    recipe = job().recipe
    good = Trace(checkpoints=tuple(sha256(bytes([i])) for i in range(11)))
    shorter = Trace(checkpoints=good.checkpoints[:-1])
    wrong = [
        b"", b"[]", b"{}", good.blob + b" ", good.blob.replace(b'"version":1', b'"version":2'),
        good.blob.replace(b'{"checkpoints"', b'{"a":1,"checkpoints"'), shorter.blob,
        b"[" * 100_000, b" " * 400_000,
    ]  # fmt: skip
    for data in wrong:
        with pytest.raises((PeerMisbehaved, BlobRejected)):
            Trace.parse(data, recipe)


def test_state__blob_of_another_step__is_refused() -> None:
    work, states = job(), run()
    with pytest.raises(BlobRejected, match="of step 2"):
        load_state(work, save_state(work, states[1]), 4)
