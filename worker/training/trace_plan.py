"""Which segments of a trace are replayed.

A thief has to get from the first weights, which are its own, to weights that it stole. It can do so in few
large steps or in many small ones. The largest segments are therefore replayed, and some others that nobody
could foresee when the trace was committed to; every member replays the same ones, so that what it finds can
be agreed on. Segments rank by how far they move the parameters or any optimizer vector, each in units of that
vector's median move: a false momentum moves the weights in a segment that replays without fault. The segment
before the largest is looked at for the same reason.
"""

import hashlib
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from protocol.contest_recipe import ContestRecipe, TraceTerms
from worker.training.contest_step import State, Vector
from worker.training.errors import InvalidRecipe


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayPlan:
    """The segments that every member replays, without repetition."""

    largest: tuple[int, ...]
    random: tuple[int, ...]

    @property
    def segments(self) -> tuple[int, ...]:
        return *self.largest, *self.random


def moves(states: Iterable[State]) -> NDArray[np.float64]:
    """How far each segment moves: float64 [segments], the largest of its vectors' distances, each in
    units of the vector's median distance. No more than two of the states are held at a time."""
    found = np.array(list(_distances(iter(states))), dtype=np.float64)  # [segments, vectors]
    # A trace that stands still but for one jump is ranked by that jump, however large the quotient.
    with np.errstate(over="ignore"):
        relative = [
            distances / max(float(np.median(distances)), np.finfo(np.float64).tiny) for distances in found.T
        ]
    worst: NDArray[np.float64] = np.max(np.stack(relative), axis=0)
    return worst


def _distances(states: Iterator[State]) -> Iterator[list[np.floating[Any]]]:
    """How far each segment moves each vector. Not ``pairwise``: it would hold a third state."""
    before = next(states)
    for after in states:
        yield [np.linalg.norm(b.astype(np.float64) - a) for a, b in _pairs(before, after)]
        before = after


def _pairs(before: State, after: State) -> Iterator[tuple[Vector, Vector]]:
    return zip(_vectors(before), _vectors(after), strict=True)


def _vectors(state: State) -> list[Vector]:
    return [state.parameters, *(state.optimizer[name] for name in sorted(state.optimizer))]


def rank(found: NDArray[np.float64]) -> list[int]:
    """Segments in the order in which they are worth a replay: the largest, the one before it, then the others
    by falling move; ties by position."""
    order = [int(i) for i in np.argsort(-found, kind="stable")]
    if order[0] > 0:
        before = order[0] - 1
        order.remove(before)
        order.insert(1, before)
    return order


def replay_plan(order: Sequence[int], terms: TraceTerms, seed: bytes) -> ReplayPlan:
    """What is replayed of a trace whose segments rank in ``order`` (as of ``rank``). ``seed`` is common to
    all members and known to nobody before the trace was committed to."""
    if terms.largest + terms.random > len(order):
        raise InvalidRecipe("trace", f"asks for more replays than its {len(order)} segments")
    others = sorted(order[terms.largest :], key=lambda segment: _ticket(seed, segment))
    return ReplayPlan(largest=tuple(order[: terms.largest]), random=tuple(others[: terms.random]))


def replayed_share(recipe: ContestRecipe, members: int) -> float:
    """What ``members`` replicas together compute, as a share of the training: an upper bound for whole
    segments."""
    return members * recipe.replays / recipe.segments if recipe.trace else 0.0


def check_replays(recipe: ContestRecipe, members: int) -> None:
    """Raises InvalidRecipe where ``members`` replicas would compute more than the training itself."""
    if members * recipe.replays > recipe.segments:
        raise InvalidRecipe(
            "trace",
            f"makes each of {members} members replay {recipe.replays} of {recipe.segments} segments, "
            "together more than the training: lower recipe.trace.every, largest or random, or take a smaller "
            "committee",
        )


def found_by_chance(recipe: ContestRecipe, false_segments: int) -> float:
    """The probability that one of ``false_segments`` is replayed when none of them is among the largest: what
    the finest of thefts has to fear."""
    if recipe.trace is None:
        return 0.0
    rest = recipe.segments - recipe.trace.largest
    true = rest - min(false_segments, rest)
    return float(1 - Fraction(math.comb(true, recipe.trace.random), math.comb(rest, recipe.trace.random)))


def _ticket(seed: bytes, segment: int) -> bytes:
    return hashlib.sha256(b"segment/" + seed + segment.to_bytes(8, "big")).digest()
