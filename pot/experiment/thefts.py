"""Traces that were not trained: every way we know to lead from one's own first weights to stolen ones."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from worker.training.contest_step import Job, State, advance
from worker.training.trace import segment_bounds

Vector = NDArray[np.float32]
KINDS: Final = ("jump", "splice", "interpolation", "foreign seed", "fake steps", "false momentum")


@dataclass(frozen=True, slots=True, kw_only=True)
class Forgery:
    """A claimed trace: ``states`` one more than segments; ``fake``: the segments that nobody computed."""

    kind: str
    states: tuple[State, ...]
    fake: frozenset[int]


def straight(job: Job, honest: Sequence[State], target: Vector, *, first: int, over: int) -> Forgery:
    """Honest up to segment ``first``, then ``over`` equal steps on the line to ``target``, then honest
    training from there. One step is a jump."""
    origin, states = honest[first], list(honest[: first + 1])
    for place in range(1, over + 1):
        share = np.float32(place / over)
        states.append(
            State(
                step=segment_bounds(job.recipe, first + place - 1)[1],
                parameters=origin.parameters + (target - origin.parameters) * share,
                optimizer={name: v * (np.float32(1) - share) for name, v in origin.optimizer.items()},
            )
        )
    fake = frozenset(range(first, first + over))
    kind = "jump" if over == 1 else "interpolation"
    return Forgery(kind=kind, states=_trained_on(job, states), fake=fake)


def fake_steps(job: Job, honest: Sequence[State], target: Vector, *, first: int, over: int) -> Forgery:
    """As ``straight``, but every step carries the momentum that would explain it: what synthetic data made
    for the purpose would leave behind (Zhang et al. 2022)."""
    line = straight(job, honest, target, first=first, over=over)
    lr, states = float(job.recipe.optimizer.lr), list(line.states)
    for segment in sorted(line.fake):
        low, high = segment_bounds(job.recipe, segment)
        move = states[segment + 1].parameters - states[segment].parameters
        momentum = -move / np.float32(lr * (high - low))
        after = states[segment + 1]
        states[segment + 1] = State(
            step=after.step, parameters=after.parameters, optimizer=dict.fromkeys(after.optimizer, momentum)
        )
    last = max(line.fake) + 1
    return Forgery(kind="fake steps", states=_trained_on(job, states[: last + 1]), fake=line.fake)


def splice(job: Job, honest: Sequence[State], foreign: Sequence[State], *, first: int) -> Forgery:
    """Honest up to segment ``first``, then the rest of somebody else's trace."""
    fake = frozenset(range(first, job.recipe.segments))
    return Forgery(kind="splice", states=(*honest[: first + 1], *foreign[first + 1 :]), fake=fake)


def foreign_seed(job: Job, own: State, foreign: Sequence[State]) -> Forgery:
    """Somebody else's trace with one's own first checkpoint; without it the ends are wrong at once."""
    return Forgery(
        kind="foreign seed", states=(own, *foreign[1:]), fake=frozenset(range(job.recipe.segments))
    )


def false_momentum(job: Job, honest: Sequence[State], target: Vector, *, first: int, over: int) -> Forgery:
    """Every second segment is computed without fault; the ones between replace the momentum by one that
    carries the weights towards ``target``."""
    states, fake = list(honest[: first + 1]), set[int]()
    lr, decay = float(job.recipe.optimizer.lr), float(job.recipe.optimizer.momentum)
    for kick in range(over):
        segment = first + 2 * kick
        low, high = segment_bounds(job.recipe, segment)
        reach = lr * sum(decay ** (step + 1) for step in range(high - low))
        before = states[segment]
        move = (target - before.parameters) / np.float32(over - kick)
        momentum = -move / np.float32(max(reach, 1e-6))
        states.append(
            State(
                step=high, parameters=before.parameters, optimizer=dict.fromkeys(before.optimizer, momentum)
            )
        )
        fake.add(segment)
        states.append(advance(job, states[-1], _length(job, segment + 1)))
    return Forgery(kind="false momentum", states=_trained_on(job, states), fake=frozenset(fake))


def _trained_on(job: Job, states: list[State]) -> tuple[State, ...]:
    """The rest of the segments, computed as they should be."""
    for segment in range(len(states) - 1, job.recipe.segments):
        states.append(advance(job, states[-1], _length(job, segment)))
    return tuple(states)


def _length(job: Job, segment: int) -> int:
    first, last = segment_bounds(job.recipe, segment)
    return last - first
