"""What the check says about wrong work, and how soon the tests over rounds see work that hides inside it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import msgspec
import numpy as np
import torch
from numpy.typing import NDArray

from pot.experiment.executions import Work
from pot.experiment.noise import SECRET
from protocol.policy import Limits
from worker.training.bias import NoiseHistory, Suspicion, observe, suspicions
from worker.training.checkpoint import Checkpoint, load_checkpoint
from worker.training.codec import MANTISSA_BITS, CodecName, quantise
from worker.training.data import Batch, Dataset, load_dataset
from worker.training.models import layout_of
from worker.training.push import push
from worker.training.step import batches_gradient, shard_batches, shard_gradient
from worker.training.tolerance import Zone, compare_codes, residual

Gradient = NDArray[np.floating[Any]]
SHARES_PPM: Final = (100_000, 250_000, 500_000, 1_000_000)
DIRECTIONS: Final = ("gradient", "fixed", "poison")


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """One shard of a task, as a cheat sees it."""

    work: Work
    dataset: Dataset
    first: Checkpoint
    checkpoint: Checkpoint
    round: int
    shard: int

    def honest(self) -> Gradient:
        return shard_gradient(self.work.spec, self.checkpoint, self.dataset, self.round, self.shard).gradient

    def batches(self, shard: int) -> list[Batch]:
        return shard_batches(self.work.spec, self.dataset, self.round, shard)

    def on(self, batches: list[Batch], checkpoint: Checkpoint) -> Gradient:
        return batches_gradient(self.work.spec, checkpoint.parameters, batches).gradient


def scenes(work: Work) -> list[Scene]:
    """The shards of a task after its first round, so that there is something stale."""
    dataset = load_dataset(work.dataset.read_bytes(), work.spec.dataset)
    models = [load_checkpoint(work.spec, path.read_bytes()) for path in work.checkpoints]
    return [
        Scene(work=work, dataset=dataset, first=models[0], checkpoint=models[i], round=i + 1, shard=shard)
        for i in range(1, len(models))
        for shard in range(work.spec.recipe.shards)
    ]


def _half(scene: Scene) -> Gradient:
    parts = [
        Batch(inputs=b.inputs[: len(b.targets) // 2], targets=b.targets[: len(b.targets) // 2])
        for b in scene.batches(scene.shard)
    ]
    return scene.on(parts, scene.checkpoint)


def _low_precision(scene: Scene) -> Gradient:
    spec = scene.work.spec
    cheap = msgspec.structs.replace(spec, recipe=msgspec.structs.replace(spec.recipe, compute="float32"))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        return batches_gradient(cheap, scene.checkpoint.parameters, scene.batches(scene.shard)).gradient


def _random(scene: Scene) -> Gradient:
    honest = scene.honest()
    generator = np.random.default_rng((scene.round, scene.shard))
    return np.asarray(generator.normal(scale=float(np.std(honest)), size=honest.shape))


def _poison(scene: Scene) -> Gradient:
    top = int(scene.work.spec.model.params.get("classes", scene.work.spec.model.params.get("vocab", 1))) - 1
    flipped = [Batch(inputs=b.inputs, targets=top - b.targets) for b in scene.batches(scene.shard)]
    return scene.on(flipped, scene.checkpoint)


KINDS: Final[Mapping[str, Callable[[Scene], Gradient]]] = {
    "lazy": lambda scene: np.zeros_like(scene.honest()),
    "random": _random,
    "stale": lambda scene: scene.on(scene.batches(scene.shard), scene.first),
    "scaled": lambda scene: 2 * scene.honest(),
    "sign-flip": lambda scene: -scene.honest(),
    "wrong-shard": lambda scene: scene.on(
        scene.batches((scene.shard + 1) % scene.work.spec.recipe.shards), scene.checkpoint
    ),
    "half-batch": _half,
    "label-flip": _poison,
    "low-precision": _low_precision,
}


def caught(scene: Scene, kind: str, codecs: Mapping[CodecName, Limits]) -> dict[CodecName, Zone]:
    """What the check says about one forged shard, per codec."""
    layout, honest, forged = layout_of(scene.work.spec.model), scene.honest(), KINDS[kind](scene)
    return {
        codec: compare_codes(
            quantise(MANTISSA_BITS[codec], layout, honest),
            quantise(MANTISSA_BITS[codec], layout, forged),
            limits,
        ).zone
        for codec, limits in codecs.items()
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class Pursuit:
    """One adversary inside the tolerance: after how many sampled shards which test rejected its honesty
    (None: not within ``shards``), and how far its work was from the honest one, at most."""

    compute: str
    codec: CodecName
    direction: str
    share_ppm: int
    alarm_after: int | None
    test: Suspicion | None
    misses: int
    l2_ppb: int
    shards: int


def pursue(
    found: list[Scene],
    direction: str,
    share_ppm: int,
    codec: CodecName,
    limits: Limits,
    test_ppb: int,
    seed: int,
) -> Pursuit:
    """Follow an adversary that moves ``share_ppm`` of what the limits allow, one way, in every shard."""
    history, misses, l2 = NoiseHistory(), 0, 0
    alarm: tuple[int, Suspicion] | None = None
    layout = layout_of(found[0].work.spec.model)
    secret = SECRET + seed.to_bytes(4, "big")
    for number, scene in enumerate(found, start=1):
        own = quantise(MANTISSA_BITS[codec], layout, scene.honest())
        forged = push(own, _towards(scene, direction, own.codes, codec, seed), limits, share_ppm)
        made = compare_codes(forged, own, limits)
        misses += made.zone is Zone.MISS
        l2 = max(l2, made.l2_ppb)
        history = observe(history, residual(forged, own), own, made.zone, secret)
        tests = suspicions(history, limits, test_ppb)
        if tests and alarm is None:
            alarm = (number, tests[0])
    return Pursuit(
        compute=found[0].work.spec.recipe.compute,
        codec=codec,
        direction=direction,
        share_ppm=share_ppm,
        alarm_after=alarm[0] if alarm else None,
        test=alarm[1] if alarm else None,
        misses=misses,
        l2_ppb=l2,
        shards=len(found),
    )


def _towards(
    scene: Scene, direction: str, codes: NDArray[np.int32], codec: CodecName, seed: int
) -> NDArray[np.int64]:
    match direction:
        case "gradient":
            return np.sign(codes).astype(np.int64)
        case "fixed":
            return np.random.default_rng(seed).choice(np.array([-1, 1]), size=codes.shape)
        case _:
            poison = quantise(MANTISSA_BITS[codec], layout_of(scene.work.spec.model), _poison(scene))
            return np.sign(poison.codes).astype(np.int64)
