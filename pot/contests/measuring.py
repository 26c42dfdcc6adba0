"""What one miner's work in a contest takes, measured on this machine."""

import time
from dataclasses import dataclass
from typing import Final

from pot.contests.draft import ContestDraft
from worker.training.contest_step import Job, advance, initial_state, save_state
from worker.training.data import parse_dataset
from worker.training.sml import MappedModel

MEASURED_STEPS: Final = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """One miner's work as this machine does it: the bytes of a checkpoint, the seconds of a step (None when
    that was not measured)."""

    checkpoint_bytes: int
    step_s: float | None


def measure(draft: ContestDraft, *, timed: bool = True) -> Measured:
    """A checkpoint's size, and unless not ``timed`` the seconds of a step as a miner computes it here."""
    spec = draft.spec
    job = Job(
        recipe=spec.recipe,
        model=MappedModel(model=spec.model, mapping=spec.recipe.mapping),
        dataset=parse_dataset(draft.public, spec.dataset.kind),
        seed=bytes(32),
    )
    state = initial_state(job)
    size = len(save_state(job, state))
    if not timed:
        return Measured(checkpoint_bytes=size, step_s=None)
    state = advance(job, state, 1)  # the first step pays for what is loaded once
    begun = time.perf_counter()
    advance(job, state, MEASURED_STEPS)
    return Measured(checkpoint_bytes=size, step_s=(time.perf_counter() - begun) / MEASURED_STEPS)
