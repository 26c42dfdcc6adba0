"""Miners that do wrong, for demonstrations and tests: trainers wrapped around the honest one.

Nothing in the honest path knows of them; what they return is signed and delivered like honest work.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from protocol.blobs import BlobStore
from protocol.chain.contracts import Contracts
from protocol.chain.events import CertificateAccepted, EventReader
from protocol.errors import ConfigurationError, PotError
from protocol.ids import Address, Sha256
from protocol.policy import load_policy
from protocol.segment import MAX_RECORD_BYTES, SegmentRecord
from protocol.spec import TaskSpec
from worker.trainer import HonestTrainer, ShardAnswer, ShardWork, Trainer, answer
from worker.training.checkpoint import Checkpoint
from worker.training.codec import MANTISSA_BITS, decode, quantise, values_of
from worker.training.data import Batch
from worker.training.models import layout_of
from worker.training.push import push
from worker.training.tolerance import limits_of

if TYPE_CHECKING:
    from worker.training.step import ShardResult

PRETENDED_LOSS_MICROS: Final = 2_302_585
SCALE: Final = 2.0
MAX_DELAY_S: Final = 300.0
COPY_LOOKBACK_BLOCKS: Final = 256
#: Standard deviations that ``alie`` hides behind, and the share of the mean that ``ipm`` sends negated.
ALIE_Z: Final = 1.5
IPM_EPSILON: Final = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Accomplices:
    """What a wrong-doer may use: the honest arithmetic, public data, a way to wait, its own name."""

    honest: HonestTrainer
    contracts: Contracts
    blobs: BlobStore
    sleep_s: Callable[[float], None] = time.sleep
    miner: Address


class Withheld(PotError):
    """The miner chose not to answer."""


@dataclass(frozen=True, slots=True)
class Cheat:
    """A trainer that answers with ``forge(tools, work)`` in the honest encoding."""

    tools: Accomplices
    forge: Callable[[Accomplices, ShardWork], "ShardResult"]

    def train(self, work: ShardWork) -> ShardAnswer:
        return answer(work.spec, self.forge(self.tools, work))


def lazy(_: Accomplices, work: ShardWork) -> "ShardResult":
    """Zeros, and no computation."""
    return _claim(work, np.zeros(layout_of(work.spec.model).size, dtype=np.float32))


def random(_: Accomplices, work: ShardWork) -> "ShardResult":
    """Noise of a plausible size."""
    noise = np.random.default_rng((work.round, work.shard)).normal(
        scale=1e-2, size=layout_of(work.spec.model).size
    )
    return _claim(work, noise.astype(np.float32))


def scaled(tools: Accomplices, work: ShardWork) -> "ShardResult":
    """The honest gradient times SCALE."""
    result = tools.honest.compute(work)
    return replace(result, gradient=result.gradient * result.gradient.dtype.type(SCALE))


def sign_flip(tools: Accomplices, work: ShardWork) -> "ShardResult":
    """The honest gradient, pointing uphill."""
    result = tools.honest.compute(work)
    return replace(result, gradient=-result.gradient)


def wrong_shard(tools: Accomplices, work: ShardWork) -> "ShardResult":
    """The work of the neighbouring shard; where there is one shard only, of the next round's."""
    recipe = work.spec.recipe
    alone = recipe.shards == 1
    other_round = work.round % recipe.rounds + 1 if alone else work.round
    return _on_batches(tools, work, _batches(work, other_round, (work.shard + 1) % recipe.shards))


def partial_batch(tools: Accomplices, work: ShardWork) -> "ShardResult":
    """The first half of each batch, claimed to be all of it."""
    halves = [_part(batch, (len(batch.targets) + 1) // 2) for batch in _batches(work, work.round, work.shard)]
    result = _on_batches(tools, work, halves)
    return replace(result, samples=work.spec.recipe.samples_per_shard)


def label_flip(tools: Accomplices, work: ShardWork) -> "ShardResult":
    """Honest arithmetic on mirrored labels."""
    params = work.spec.model.params
    last = int(params.get("classes", params.get("vocab", 0))) - 1
    flipped = [
        Batch(inputs=batch.inputs, targets=last - batch.targets)
        for batch in _batches(work, work.round, work.shard)
    ]
    return _on_batches(tools, work, flipped)


def low_precision(tools: Accomplices, work: ShardWork) -> "ShardResult":
    """The right work in bfloat16 where float32 or float64 was asked for."""
    import torch

    cheap = msgspec.structs.replace(
        work.spec, recipe=msgspec.structs.replace(work.spec.recipe, compute="float32")
    )
    with torch.autocast(torch.device(tools.honest.device).type, dtype=torch.bfloat16):
        return _on_batches(tools, work, _batches(work, work.round, work.shard), cheap)


def late(tools: Accomplices, work: ShardWork) -> "ShardResult":
    """Honest work, delivered after the round's deadline."""
    result = tools.honest.compute(work)
    tools.sleep_s(min(1.5 * work.spec.limits.round_deadline_s, MAX_DELAY_S))
    return result


def selective_abort(tools: Accomplices, work: ShardWork) -> "ShardResult":
    """Honest work on every other job, silence on the rest."""
    if (work.round + work.shard) % 2:
        raise Withheld(f"Round {work.round}, shard {work.shard} is withheld on purpose.")
    return tools.honest.compute(work)


def inside_tolerance(tools: Accomplices, work: ShardWork) -> "ShardResult":
    """The honest gradient, with every code that the policy lets differ moved one level away from zero: no
    check of one shard finds it, a test over many does."""
    result, spec = tools.honest.compute(work), work.spec
    layout = layout_of(spec.model)
    limits = limits_of(spec, load_policy(spec.policy_sha256, tools.blobs))
    own = quantise(MANTISSA_BITS[spec.recipe.codec], layout, result.gradient)
    pushed = push(own, np.sign(own.codes).astype(np.int64), limits)
    return replace(result, gradient=values_of(layout, pushed))


def alie(tools: Accomplices, work: ShardWork) -> "ShardResult":
    """A Little Is Enough (Baruch et al. 2019): what the colluders know, ALIE_Z standard deviations below its
    mean in every coordinate, so that no coordinate looks strange beside honest ones."""
    result, known = _conspire(tools, work)
    lie = known.mean(axis=0) - ALIE_Z * known.std(axis=0)
    return replace(result, gradient=lie.astype(result.gradient.dtype))


def ipm(tools: Accomplices, work: ShardWork) -> "ShardResult":
    """Inner-product manipulation (Xie et al. 2020): a little of the negated mean, which turns the sum uphill
    where enough of them send it."""
    result, known = _conspire(tools, work)
    return replace(result, gradient=(-IPM_EPSILON * known.mean(axis=0)).astype(result.gradient.dtype))


class Stale:
    """Gradients at the first model of the task it ever saw, forever."""

    def __init__(self, tools: Accomplices) -> None:
        self._honest = tools.honest
        self._first: dict[Sha256, Checkpoint] = {}

    def train(self, work: ShardWork) -> ShardAnswer:
        old = self._first.setdefault(work.spec.hash, work.checkpoint)
        return self._honest.train(replace(work, checkpoint=replace(old, round=work.checkpoint.round)))


class Copier:
    """Another miner's newest certified gradient, under its own name; honest until there is one."""

    def __init__(self, tools: Accomplices) -> None:
        self._tools = tools

    def train(self, work: ShardWork) -> ShardAnswer:
        for segment in reversed(self._segments(work.spec.hash)):
            record = SegmentRecord.from_blob(self._tools.blobs.get(segment, MAX_RECORD_BYTES))
            for item in reversed(record.rounds):
                for signed in item.contributions:
                    c = signed.contribution
                    if c.miner != self._tools.miner:
                        stolen = self._tools.blobs.get(c.gradient, work.spec.limits.max_blob_bytes)
                        return ShardAnswer(gradient=stolen, samples=c.samples, loss_micros=c.loss_micros)
        return self._tools.honest.train(work)

    def _segments(self, spec_hash: Sha256) -> list[Sha256]:
        return _segments(self._tools, spec_hash)


def _segments(tools: Accomplices, spec_hash: Sha256) -> list[Sha256]:
    """The records of what was certified for a spec of late."""
    contracts = tools.contracts
    last = contracts.client.block("latest").number
    first = max(contracts.deployment.block, last - COPY_LOOKBACK_BLOCKS)
    return [
        event.certificate.segment
        for event in EventReader(contracts).read(first, last)
        if isinstance(event, CertificateAccepted) and event.certificate.spec_hash == spec_hash
    ]


def _conspire(tools: Accomplices, work: ShardWork) -> "tuple[ShardResult, NDArray[np.float64]]":
    """The honest result, and the gradients that colluders know, one a row: of this shard, of an accomplice's
    next to it, and of the newest certified round."""
    own, spec = tools.honest.compute(work), work.spec
    beside = _on_batches(tools, work, _batches(work, work.round, (work.shard + 1) % spec.recipe.shards))
    known = [own.gradient, beside.gradient]
    for segment in _segments(tools, spec.hash)[-1:]:
        record = SegmentRecord.from_blob(tools.blobs.get(segment, MAX_RECORD_BYTES))
        for signed in record.rounds[-1].contributions:
            blob = tools.blobs.get(signed.contribution.gradient, spec.limits.max_blob_bytes)
            known.append(decode(spec.recipe.codec, layout_of(spec.model), blob))
    return own, np.stack([gradient.astype(np.float64) for gradient in known])


def _forging(forge: Callable[[Accomplices, ShardWork], "ShardResult"]) -> Callable[[Accomplices], Trainer]:
    return lambda tools: Cheat(tools, forge)


KINDS: Final[Mapping[str, Callable[[Accomplices], Trainer]]] = {
    "lazy": _forging(lazy),
    "random": _forging(random),
    "stale": Stale,
    "scaled": _forging(scaled),
    "sign-flip": _forging(sign_flip),
    "wrong-shard": _forging(wrong_shard),
    "partial-batch": _forging(partial_batch),
    "label-flip": _forging(label_flip),
    "low-precision": _forging(low_precision),
    "inside-tolerance": _forging(inside_tolerance),
    "alie": _forging(alie),
    "ipm": _forging(ipm),
    "late": _forging(late),
    "selective-abort": _forging(selective_abort),
    "copied": Copier,
}


def adversary(kind: str, tools: Accomplices) -> Trainer:
    """The wrong-doer of that kind. Raises ConfigurationError when there is none."""
    if kind not in KINDS:
        raise ConfigurationError(f"{kind!r} is no adversary; known are {', '.join(KINDS)}.")
    return KINDS[kind](tools)


def _claim(work: ShardWork, gradient: "np.typing.NDArray[np.float32]") -> "ShardResult":
    from worker.training.step import ShardResult

    samples = work.spec.recipe.samples_per_shard
    return ShardResult(gradient=gradient, samples=samples, loss_micros=PRETENDED_LOSS_MICROS)


def _batches(work: ShardWork, round_number: int, shard: int) -> list[Batch]:
    from worker.training.step import shard_batches

    return shard_batches(work.spec, work.dataset, round_number, shard)


def _on_batches(
    tools: Accomplices, work: ShardWork, batches: list[Batch], spec: TaskSpec | None = None
) -> "ShardResult":
    from worker.training.step import batches_gradient

    honest = tools.honest
    return batches_gradient(
        spec or work.spec, work.checkpoint.parameters, batches, threads=honest.threads, device=honest.device
    )


def _part(batch: Batch, size: int) -> Batch:
    return Batch(inputs=batch.inputs[:size], targets=batch.targets[:size])
