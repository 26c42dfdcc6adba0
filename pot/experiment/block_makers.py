"""Three ways to earn a block, with real work: hashing, a contest for a model, a pooled round.

Each maker does the work of all ``miners`` of a block in this process and counts processor time, so that
what else runs on the machine does not matter. The block's interval is the time that equal machines, working
side by side, would have taken.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Final, Protocol

from pot.experiment.contests import CANCER, DIGITS, RECOMMENDED, Setting, dataset, job
from pot.experiment.shapes import Shape, dataset_blob, spec_of
from protocol.hash_work import next_target, target_for
from protocol.ids import ZERO32
from protocol.learning_block import Block, Kind
from worker.hash_miner import BATCH, search
from worker.training.checkpoint import initial_checkpoint, load_checkpoint
from worker.training.contest_model import count_correct
from worker.training.contest_step import advance, initial_state
from worker.training.data import load_dataset
from worker.training.rounds import apply_round
from worker.training.step import encode_gradient, shard_gradient

WANTED_S: Final = 600
"""The interval of the header clock that difficulty aims at, as Bitcoin's."""
HASHES: Final = 60_000
"""Hashes of a block of proof of work at the first target: a few hundredths of a second."""
LOOK_EVERY: Final = 10
"""Steps between a miner's looks at its own accuracy."""
TASK_ROUNDS: Final = 1_024
"""Of a pooled task: as many as a spec allows."""
MIX: Final = ((DIGITS, RECOMMENDED, 0.90), (CANCER, 24, 0.93), (DIGITS, 32, 0.88))
"""Tasks of different kinds: data, size of Z, target accuracy."""


class Maker(Protocol):
    """One way to earn blocks."""

    def block(self, number: int, miners: int) -> float:
        """Make block ``number`` with so many equal miners; the interval in processor seconds of one miner."""


@dataclass(kw_only=True)
class WorkMaker:
    """Proof of work with Bitcoin's adjustment. The search is shared, so it is over after 1/miners of its
    hashes' time; ``base`` miners make a block in WANTED_S of the header clock at the first target."""

    base: int
    blocks: list[Block] = field(default_factory=list)
    unit_s: float = 0.0
    """Processor seconds per second of the header clock; measured before the first block."""
    clock: float = 0.0

    def block(self, number: int, miners: int) -> float:
        if not self.unit_s:
            self.unit_s = self._measure() / WANTED_S
        last = self.blocks[-1] if self.blocks else None
        target = next_target(self.blocks, WANTED_S, target_for(HASHES))
        # The header tells when its search began: what is found must not be changed afterwards.
        bare = Block(
            kind=Kind.WORK,
            parent=last.hash if last else ZERO32,
            height=number,
            time=round(self.clock),
            target=target,
        )
        began, first = time.process_time(), 0
        while (nonce := search(bare, first, 1, BATCH)) is None:
            first += BATCH
        interval = (time.process_time() - began) / miners
        self.clock += interval / self.unit_s
        self.blocks.append(replace(bare, nonce=nonce))
        return interval

    def _measure(self) -> float:
        """Processor seconds in which ``base`` miners hash HASHES times."""
        hopeless = Block(kind=Kind.WORK, parent=ZERO32, height=0, time=0, target=1)
        began = time.process_time()
        search(hopeless, 0, 1, HASHES)
        return (time.process_time() - began) / self.base


@dataclass(frozen=True, slots=True, kw_only=True)
class ContestMaker:
    """Every miner trains from its own seed and hands in as soon as it is at the target on data of its own;
    the first one makes the block. ``tasks`` take turns."""

    tasks: Sequence[tuple[Setting, int, float]]
    seed: int

    def block(self, number: int, miners: int) -> float:
        setting, outputs, target = self.tasks[number % len(self.tasks)]
        return min(
            self._until(setting, outputs, target, miner=number * 64 + place) for place in range(miners)
        )

    def _until(self, setting: Setting, outputs: int, target: float, *, miner: int) -> float:
        """Processor seconds until one miner's network is good enough on the training split, looks included;
        the whole training where it never is."""
        work = job(setting, outputs, miner=miner, seed=self.seed)
        state, began = initial_state(work), time.process_time()
        while state.step < setting.steps:
            state = advance(work, state, LOOK_EVERY)
            score = count_correct(
                work.model, work.seed, state.parameters, dataset(setting.data), split="train"
            )
            if score.correct >= target * score.total:
                break
        return time.process_time() - began


@dataclass(kw_only=True)
class PooledMaker:
    """Rounds of pooled tasks, one task after the other: the shards are shared out, each miner computes its
    own one after the other, then the round is aggregated."""

    seed: int
    _blob: bytes = b""

    def block(self, number: int, miners: int) -> float:
        shape = Shape(arch="mlp", compute="float64", micro_batch=32)
        spec = spec_of(shape, seed=self.seed, rounds=TASK_ROUNDS)
        data = load_dataset(dataset_blob(shape), spec.dataset)
        if number % TASK_ROUNDS == 0 or not self._blob:
            self._blob = initial_checkpoint(spec)
        checkpoint = load_checkpoint(spec, self._blob)
        gradients, took = {}, [0.0] * miners
        for shard in range(spec.recipe.shards):
            began = time.process_time()
            result = shard_gradient(spec, checkpoint, data, checkpoint.round + 1, shard)
            gradients[shard] = encode_gradient(spec, result.gradient)
            took[shard % miners] += time.process_time() - began
        began = time.process_time()
        self._blob = apply_round(spec, self._blob, gradients)
        return max(took) + time.process_time() - began
