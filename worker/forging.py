"""What wrong-doers share: the honest arithmetic on other data, and claims that look whole."""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from protocol.blobs import BlobStore
from protocol.chain.contracts import Contracts
from protocol.ids import Address
from protocol.spec import TaskSpec
from worker.trainer import HonestTrainer, ShardWork
from worker.training.data import Batch
from worker.training.parts import sum_of

if TYPE_CHECKING:
    from worker.training.step import ShardResult

PRETENDED_LOSS_MICROS: Final = 2_302_585


@dataclass(frozen=True, slots=True, kw_only=True)
class Accomplices:
    """What a wrong-doer may use: the honest arithmetic, public data, a way to wait, its own name."""

    honest: HonestTrainer
    contracts: Contracts
    blobs: BlobStore
    sleep_s: Callable[[float], None] = time.sleep
    miner: Address


def claim(work: ShardWork, gradient: NDArray[np.float32]) -> "ShardResult":
    from worker.training.step import ShardResult

    samples = work.spec.recipe.samples_per_shard
    made = ShardResult(gradient=gradient, parts=(), samples=samples, loss_micros=PRETENDED_LOSS_MICROS)
    return consistent(work.spec, made)


def consistent(spec: TaskSpec, result: "ShardResult") -> "ShardResult":
    """``result`` with as many micro-batches as a coordinator counts, and the gradient as their sum: the first
    ones are as they are, the last one makes up for the rest."""
    honest = result.parts[: spec.recipe.micro_batches - 1]
    nothing = np.zeros(result.gradient.shape, dtype=np.float32)
    missing = spec.recipe.micro_batches - 1 - len(honest)
    before = (*honest, *[nothing] * missing)
    rest = result.gradient.astype(np.float64) - sum_of([nothing, *before])
    return replace(result, parts=(*before, rest.astype(np.float32)))


def batches_of(work: ShardWork, round_number: int, shard: int) -> list[Batch]:
    """The inner batches of any shard of any round."""
    from worker.training.step import shard_batches

    return shard_batches(work.spec, work.dataset, round_number, shard)


def on_batches(
    tools: Accomplices, work: ShardWork, batches: list[Batch], spec: TaskSpec | None = None
) -> "ShardResult":
    from worker.training.step import batches_gradient

    honest = tools.honest
    return batches_gradient(
        spec or work.spec, work.checkpoint.parameters, batches, threads=honest.threads, device=honest.device
    )


def part_of(batch: Batch, size: int) -> Batch:
    return Batch(inputs=batch.inputs[:size], targets=batch.targets[:size])
