"""A thief hands in a trace that was not trained; the members of a committee, who never saw it, replay a
quarter of it together."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from pot.experiment import thefts
from pot.experiment.contests import DIGITS, MEMBERS, RECOMMENDED, dataset, job, trace_terms
from protocol.contest_recipe import TraceTerms
from protocol.policy import default_policy
from worker.training.contest_model import count_correct
from worker.training.contest_step import Job, State, advance, initial_state, save_state
from worker.training.trace import segment_bounds
from worker.training.trace_plan import found_by_chance, moves, rank, replay_plan, replayed_share
from worker.training.trace_replay import SegmentVerdict, replay_segment
from worker.training.transplant import transplant

RIDGES: Final = (1e-6, 1e-4, 1e-2, 1e-1)
LONGEST_TAIL: Final = 12
SKIPPED: Final = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Run:
    """An honest miner's training with all its checkpoints; equal to itself alone."""

    job: Job
    states: tuple[State, ...]

    @property
    def terms(self) -> TraceTerms:
        terms = self.job.recipe.trace
        assert terms is not None
        return terms


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One theft: ``fake`` of the segments were not computed; ``accuracy`` (percent) of the goal behind the
    thief's Z; ``by_largest``: a false segment was among the largest, which are always replayed; ``chance``:
    the exact probability of being caught, over all draws."""

    kind: str
    fake: int
    accuracy: float
    caught: bool
    by_largest: bool
    chance: float


def runs(count: int, seed: int, every: int) -> list[Run]:
    """Honest miners of one contest, with a checkpoint after ``every`` steps."""
    found = []
    for miner in range(count):
        work = job(DIGITS, RECOMMENDED, miner=miner, seed=seed, trace=trace_terms(every))
        states = [initial_state(work)]
        for segment in range(work.recipe.segments):
            first, last = segment_bounds(work.recipe, segment)
            states.append(advance(work, states[-1], last - first))
        found.append(Run(job=work, states=tuple(states)))
    return found


def attempt(miners: Sequence[Run], number: int, seed: int) -> Attempt:
    """One theft of a kind that follows from its number; everything else by chance from the seed."""
    chance = random.Random(f"{seed}/theft/{number}")
    thief, victim = chance.sample(list(miners), 2)
    kind = thefts.KINDS[number % len(thefts.KINDS)]
    target = _target(thief, victim, chance)
    forgery = _forge(kind, thief, victim, target, chance)
    order = rank(moves(forgery.states))
    # All members replay the same segments: whether enough of them are honest is PBFT's question.
    plan = replay_plan(order, thief.terms, chance.randbytes(32))
    seen = sorted(forgery.fake.intersection(plan.segments))
    caught = any(not _passes(thief.job, forgery.states, segment) for segment in seen)
    by_largest = not forgery.fake.isdisjoint(plan.largest)
    score = count_correct(thief.job.model, thief.job.seed, target, thief.job.dataset)
    return Attempt(
        kind=kind,
        fake=len(forgery.fake),
        accuracy=100 * score.correct / score.total,
        caught=caught,
        by_largest=by_largest,
        chance=1.0 if by_largest else found_by_chance(thief.job.recipe, len(forgery.fake)),
    )


def honest_misses(miner: Run, segments: Sequence[int]) -> int:
    """Honest segments that a replay with two threads does not find the same to the last bit."""
    return sum(not _replay(miner.job, miner.states, segment, threads=2).identical for segment in segments)


def share_replayed(miner: Run) -> float:
    """What all replicas together compute, as a share of the training."""
    return replayed_share(miner.job.recipe, MEMBERS)


def _target(thief: Run, victim: Run, chance: random.Random) -> thefts.Vector:
    """What the thief wants to have trained: stolen weights as they are, or moved behind its own Z."""
    if chance.random() < 0.25:
        return victim.states[-1].parameters
    return _moved(thief, victim, chance.choice(RIDGES))


@lru_cache(maxsize=1_024)
def _moved(thief: Run, victim: Run, ridge: float) -> thefts.Vector:
    features, stolen = dataset(DIGITS.data).x_train, victim.states[-1].parameters
    return transplant(thief.job.model, stolen, victim.job.seed, thief.job.seed, features, ridge)


def _passes(work: Job, states: Sequence[State], segment: int) -> bool:
    return _replay(work, states, segment).ok


def _replay(work: Job, states: Sequence[State], segment: int, *, threads: int = 1) -> SegmentVerdict:
    before, after = (save_state(work, states[segment + i]) for i in (0, 1))
    return replay_segment(work, segment, before, after, policy=default_policy(), threads=threads)


def _forge(
    kind: str, thief: Run, victim: Run, target: thefts.Vector, chance: random.Random
) -> thefts.Forgery:
    work, total = thief.job, thief.job.recipe.segments
    tail = chance.randrange(LONGEST_TAIL)
    # Every order of magnitude of fineness is tried as often.
    over = min(total - tail, round(2 * (total / 2) ** chance.random()))
    first = total - tail - over
    match kind:
        case "jump":
            return thefts.straight(work, thief.states, target, first=total - tail - 1, over=1)
        case "splice":
            return thefts.splice(work, thief.states, victim.states, first=chance.randrange(total - 1))
        case "interpolation":
            return thefts.straight(work, thief.states, target, first=first, over=over)
        case "foreign seed":
            return thefts.foreign_seed(work, thief.states[0], victim.states)
        case "fake steps":
            return thefts.fake_steps(work, thief.states, target, first=first, over=over)
        case _:
            kicks = max(1, over // 2)
            return thefts.false_momentum(
                work, thief.states, target, first=max(0, total - tail - 2 * kicks), over=kicks
            )
