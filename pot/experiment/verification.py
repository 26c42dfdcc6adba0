"""``pot experiment verification``: measure honest noise, derive a policy, try it, and try to get past it."""

import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final

import torch

from pot.experiment import cheats, dial, sleepers
from pot.experiment.derivation import TEST_PPB, policy_of
from pot.experiment.drift import drifts
from pot.experiment.executions import Work, execute, prepare
from pot.experiment.findings import Findings, Plan, measurement_value
from pot.experiment.machine import machine
from pot.experiment.noise import Calibration, Gradients, Validation, limits_in, pairs
from pot.experiment.shapes import Shape, shapes
from protocol.canonical import canonical_json
from protocol.policy import Limits
from worker.training.codec import CodecName
from worker.training.tolerance import Zone

MICRO_BATCHES: Final = (16, 64)
PROMISED: Final = ("lazy", "random", "stale", "scaled", "sign-flip", "wrong-shard", "half-batch")


def measure(plan: Plan) -> Findings:
    """Do all of it. Raises ExecutionFailed."""
    torch.set_num_threads(1)
    calibration = Calibration({})
    for number in range(plan.calibrating):
        plan.say(f"calibrating task {number + 1} of {plan.calibrating}")
        for work, results in _executed(plan, plan.seed + number):
            for pair in pairs(work, results):
                calibration.take(pair)
    policy = plan.policy or policy_of(canonical_json(measurement_value(calibration.cells)))
    limits_of = limits_in(policy)
    validation, shards = Validation(limits_of, TEST_PPB, {}), {"exact": 0, "tolerant": 0}
    for number in range(plan.validating):
        plan.say(f"validating task {number + 1} of {plan.validating}")
        for work, results in _executed(plan, plan.seed + plan.calibrating + number):
            validation.task(pairs(work, results))
            shards["exact" if work.shape.compute == "float64" else "tolerant"] += work.shards
    plan.say("forging")
    zones, pursuits = _attack(plan, limits_of)
    plan.say("simulating samples and sleepers")
    return Findings(
        plan=plan,
        machine=machine(),
        cells=calibration.cells,
        policy=policy,
        trials=validation.trials,
        shards_by_class=shards,
        histories=validation.histories,
        alarms=validation.alarms,
        zones=zones,
        pursuits=pursuits,
        drifts=drifts(limits_of, rounds=plan.cheat_rounds, seed=plan.seed),
        dials=[dial.measure(case, plan.campaigns, plan.seed) for case in dial.CASES],
        games=_games(plan),
    )


def _executed(plan: Plan, seed: int) -> Iterator[tuple[Work, dict[str, Gradients]]]:
    """One task of every shape, computed under every setting."""
    with tempfile.TemporaryDirectory(prefix="pot-verification-") as name:
        folder = Path(name)
        works = [
            prepare(shape, seed=seed, rounds=plan.rounds, folder=folder) for shape in shapes(MICRO_BATCHES)
        ]
        results: list[dict[str, Gradients]] = [{} for _ in works]
        for setting in plan.settings:
            for index, gradients in enumerate(execute(setting, works, folder)):
                results[index][setting.name] = gradients
        yield from zip(works, results, strict=True)


def _attack(
    plan: Plan, limits_of: Callable[[str, str, str], Limits]
) -> tuple[dict[str, dict[str, int]], list[cheats.Pursuit]]:
    zones: dict[str, dict[str, int]] = {}
    pursuits: list[cheats.Pursuit] = []
    with tempfile.TemporaryDirectory(prefix="pot-verification-") as name:
        for shape in shapes((MICRO_BATCHES[-1],)):
            work = prepare(shape, seed=plan.seed + 1_000, rounds=plan.cheat_rounds, folder=Path(name))
            found = cheats.scenes(work)
            codecs = _codecs(shape, limits_of)
            _count(zones, found[:: max(1, len(found) // 64)], codecs)
            if shape.arch == "mlp":
                pursuits += _pursuits(found, codecs, plan.seed)
    return zones, pursuits


def _codecs(shape: Shape, limits_of: Callable[[str, str, str], Limits]) -> dict[CodecName, Limits]:
    names: Sequence[CodecName] = (
        ("int16", "int8") if shape.compute == "float32" else ("float32", "int16", "int8")
    )
    return {codec: limits_of(shape.arch, shape.compute, codec) for codec in names}


def _count(
    zones: dict[str, dict[str, int]], found: list[cheats.Scene], codecs: dict[CodecName, Limits]
) -> None:
    for kind in cheats.KINDS:
        row = zones.setdefault(
            kind, {"tried": 0, "caught": 0, "doubtful": 0, "promised": int(kind in PROMISED)}
        )
        for scene in found:
            for zone in cheats.caught(scene, kind, codecs).values():
                row["tried"] += 1
                row["caught"] += zone is Zone.MISS
                row["doubtful"] += zone is Zone.DOUBTFUL


def _pursuits(found: list[cheats.Scene], codecs: dict[CodecName, Limits], seed: int) -> list[cheats.Pursuit]:
    return [
        cheats.pursue(found, direction, share, codec, limits, TEST_PPB, seed)
        for codec, limits in codecs.items()
        if codec != "float32"
        for direction in cheats.DIRECTIONS
        for share in cheats.SHARES_PPM
    ]


def _games(plan: Plan) -> list[tuple[sleepers.Game, list[sleepers.Outcome]]]:
    played = []
    for game in sleepers.GAMES:
        terms = game.terms()
        if terms is None:
            continue
        outcomes = [
            sleepers.play(game, terms, strategy, plan.seed + player)
            for player in range(plan.players)
            for strategy in sleepers.STRATEGIES
        ]
        played.append((game, outcomes))
    return played
