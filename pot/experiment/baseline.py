"""The same training by one process that trusts itself: ``python -m pot.experiment.baseline KIND ROUNDS``,
with a draft as JSON on stdin.

``exact`` is the network's own recipe and arithmetic, round by round, ``plain`` ordinary torch in float32 on
batches of one micro-batch. Each lap is one JSON line on stdout.
"""

import json
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from pot.draft import Draft, build_draft
from worker.training.centralized import one_process_replay, train_centralized

PLAIN_BATCHES: Final = 8
"""Batches of a plain lap, in each of its rounds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lap:
    """So many samples in so much processor and wall-clock time."""

    samples: int
    processor_s: float
    wall_s: float


def exact(document: dict[str, Any], rounds: int) -> Iterator[Lap]:
    """The first rounds of the recipe, every shard of them."""
    draft = _draft(document)
    replay = one_process_replay(draft.spec, draft.dataset)
    for _ in range(rounds):
        processor_s, wall_s = time.process_time(), time.monotonic()
        next(replay)
        yield _lap(draft.spec.recipe.global_batch, processor_s, wall_s)


def plain(document: dict[str, Any], rounds: int) -> Iterator[Lap]:
    """As many laps of plain training."""
    recipe = document["recipe"]
    batch = recipe["micro_batch"]
    small = {"rounds": PLAIN_BATCHES, "shards": 1, "global_batch": batch}
    draft = _draft(
        {**document, "recipe": {**recipe, **small}, "limits": {**document["limits"], "min_shards": 1}}
    )
    for _ in range(rounds):
        processor_s, wall_s = time.process_time(), time.monotonic()
        train_centralized(draft.spec, draft.dataset)
        yield _lap(PLAIN_BATCHES * batch, processor_s, wall_s)


def _draft(document: dict[str, Any]) -> Draft:
    return build_draft(document, Path(), "baseline", None)


def _lap(samples: int, processor_s: float, wall_s: float) -> Lap:
    return Lap(
        samples=samples, processor_s=time.process_time() - processor_s, wall_s=time.monotonic() - wall_s
    )


def main(kind: str, rounds: int) -> int:
    """Run the laps and tell of each."""
    laps = {"exact": exact, "plain": plain}[kind]
    for lap in laps(json.load(sys.stdin), rounds):
        print(json.dumps(asdict(lap)), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], int(sys.argv[2])))
