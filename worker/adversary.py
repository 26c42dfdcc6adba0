"""Miners that do wrong, for demonstrations and tests: trainers wrapped around the honest one.

Nothing in the honest path knows of them; what they return is signed and delivered like honest work.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from protocol.chain.events import CertificateAccepted, EventReader
from protocol.contribution import Contribution
from protocol.errors import ConfigurationError, PotError
from protocol.ids import Sha256
from protocol.policy import load_policy
from protocol.segment import MAX_RECORD_BYTES, SegmentRecord
from worker.forging import Accomplices, batches_of, claim, consistent, on_batches, part_of
from worker.trainer import ShardAnswer, ShardWork, Trainer, answer
from worker.training.checkpoint import Checkpoint
from worker.training.codec import MANTISSA_BITS, decode, quantise, values_of
from worker.training.data import Batch
from worker.training.models import layout_of
from worker.training.push import push
from worker.training.tolerance import limits_of

if TYPE_CHECKING:
    from worker.training.step import ShardResult

SCALE: Final = 2.0
MAX_DELAY_S: Final = 300.0
COPY_LOOKBACK_BLOCKS: Final = 256
#: Standard deviations that ``alie`` hides behind, and the share of the mean that ``ipm`` sends negated.
ALIE_Z: Final = 1.5
IPM_EPSILON: Final = 0.1


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
    return claim(work, np.zeros(layout_of(work.spec.model).size, dtype=np.float32))


def random(_: Accomplices, work: ShardWork) -> "ShardResult":
    """Noise of a plausible size."""
    noise = np.random.default_rng((work.round, work.shard)).normal(
        scale=1e-2, size=layout_of(work.spec.model).size
    )
    return claim(work, noise.astype(np.float32))


def scaled(tools: Accomplices, work: ShardWork) -> "ShardResult":
    """The honest gradient times SCALE."""
    result = tools.honest.compute(work)
    doubled = tuple(part * np.float32(SCALE) for part in result.parts)
    return replace(result, gradient=result.gradient * result.gradient.dtype.type(SCALE), parts=doubled)


def sign_flip(tools: Accomplices, work: ShardWork) -> "ShardResult":
    """The honest gradient, pointing uphill."""
    result = tools.honest.compute(work)
    return replace(result, gradient=-result.gradient, parts=tuple(-part for part in result.parts))


def wrong_shard(tools: Accomplices, work: ShardWork) -> "ShardResult":
    """The work of the neighbouring shard; where there is one shard only, of the next round's."""
    recipe = work.spec.recipe
    alone = recipe.shards == 1
    other_round = work.round % recipe.rounds + 1 if alone else work.round
    return on_batches(tools, work, batches_of(work, other_round, (work.shard + 1) % recipe.shards))


def partial_batch(tools: Accomplices, work: ShardWork) -> "ShardResult":
    """The first half of each batch, claimed to be all of it."""
    halves = [
        part_of(batch, (len(batch.targets) + 1) // 2) for batch in batches_of(work, work.round, work.shard)
    ]
    result = on_batches(tools, work, halves)
    return consistent(work.spec, replace(result, samples=work.spec.recipe.samples_per_shard))


def one_batch(tools: Accomplices, work: ShardWork) -> "ShardResult":
    """Honest work but for the last micro-batch, which is doubled."""
    result = tools.honest.compute(work)
    last = result.parts[-1]
    forged = result.gradient + last.astype(result.gradient.dtype)
    return replace(result, gradient=forged, parts=(*result.parts[:-1], last + last))


def false_batches(tools: Accomplices, work: ShardWork) -> "ShardResult":
    """The right gradient, made up of micro-batches that are not: each has half of its neighbour's work."""
    result = tools.honest.compute(work)
    if len(result.parts) == 1:
        return one_batch(tools, work)
    first, second, *others = result.parts
    half = ((first + second) / np.float32(2)).astype(np.float32)
    return replace(result, parts=(half, half, *others))


def false_sum(tools: Accomplices, work: ShardWork) -> "ShardResult":
    """Honest micro-batches, and a gradient that is twice their sum."""
    return replace(scaled(tools, work), parts=tools.honest.compute(work).parts)


def label_flip(tools: Accomplices, work: ShardWork) -> "ShardResult":
    """Honest arithmetic on mirrored labels."""
    params = work.spec.model.params
    last = int(params.get("classes", params.get("vocab", 0))) - 1
    flipped = [
        Batch(inputs=batch.inputs, targets=last - batch.targets)
        for batch in batches_of(work, work.round, work.shard)
    ]
    return on_batches(tools, work, flipped)


def low_precision(tools: Accomplices, work: ShardWork) -> "ShardResult":
    """The right work in bfloat16 where float32 or float64 was asked for."""
    import torch

    cheap = msgspec.structs.replace(
        work.spec, recipe=msgspec.structs.replace(work.spec.recipe, compute="float32")
    )
    with torch.autocast(torch.device(tools.honest.device).type, dtype=torch.bfloat16):
        return on_batches(tools, work, batches_of(work, work.round, work.shard), cheap)


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
    return consistent(work.spec, replace(result, gradient=values_of(layout, pushed)))


def alie(tools: Accomplices, work: ShardWork) -> "ShardResult":
    """A Little Is Enough (Baruch et al. 2019): what the colluders know, ALIE_Z standard deviations below its
    mean in every coordinate, so that no coordinate looks strange beside honest ones."""
    result, known = _conspire(tools, work)
    lie = known.mean(axis=0) - ALIE_Z * known.std(axis=0)
    return consistent(work.spec, replace(result, gradient=lie.astype(result.gradient.dtype)))


def ipm(tools: Accomplices, work: ShardWork) -> "ShardResult":
    """Inner-product manipulation (Xie et al. 2020): a little of the negated mean, which turns the sum uphill
    where enough of them send it."""
    result, known = _conspire(tools, work)
    lie = (-IPM_EPSILON * known.mean(axis=0)).astype(result.gradient.dtype)
    return consistent(work.spec, replace(result, gradient=lie))


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
                        return self._stolen(work, c)
        return self._tools.honest.train(work)

    def _stolen(self, work: ShardWork, c: Contribution) -> ShardAnswer:
        gradient, *parts = (
            self._tools.blobs.get(name, work.spec.limits.max_blob_bytes) for name in (c.gradient, *c.batches)
        )
        return ShardAnswer(
            gradient=gradient, batches=tuple(parts), samples=c.samples, loss_micros=c.loss_micros
        )

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
    beside = on_batches(tools, work, batches_of(work, work.round, (work.shard + 1) % spec.recipe.shards))
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
    "one-batch": _forging(one_batch),
    "false-batches": _forging(false_batches),
    "false-sum": _forging(false_sum),
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
