"""What an experiment on verification found, as values and as a JSON document."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from pot.experiment import cheats, dial, sleepers
from pot.experiment.derivation import PEAKS, SUMS
from pot.experiment.drift import Drift
from pot.experiment.executions import SETTINGS, Setting
from pot.experiment.machine import machine
from pot.experiment.noise import Cell, settings_text
from protocol.policy import Policy
from worker.training.calibration import Noise, Trial, upper_bound


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How much to measure: ``calibrating`` and ``validating`` tasks of ``rounds`` rounds per shape; cheats
    and pursuits on ``cheat_rounds`` rounds, as many again for what a push does to a model; ``campaigns``
    simulated tasks per point of the dial; ``players`` validators per strategy. With a ``policy`` its limits
    are tried and none derived: then ``calibrating`` is 0."""

    calibrating: int
    validating: int
    rounds: int
    cheat_rounds: int
    campaigns: int
    players: int
    seed: int
    settings: tuple[Setting, ...] = SETTINGS
    policy: Policy | None = None
    say: Callable[[str], None] = lambda line: None


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """Everything that was measured, ready to be written."""

    plan: Plan
    machine: dict[str, Any]
    cells: dict[Cell, Noise]
    policy: Policy
    trials: dict[Cell, Trial]
    shards_by_class: dict[str, int]
    histories: int
    alarms: int
    zones: dict[str, dict[str, int]]
    pursuits: list[cheats.Pursuit]
    drifts: list[Drift]
    dials: list[dial.Measured]
    games: list[tuple[sleepers.Game, list[sleepers.Outcome]]]

    @property
    def shards_tried(self) -> int:
        return sum(self.shards_by_class.values())

    @property
    def checks(self) -> int:
        return sum(trial.checks for trial in self.trials.values())

    @property
    def misses(self) -> int:
        return sum(trial.misses for trial in self.trials.values())

    @property
    def doubtful(self) -> int:
        return sum(trial.doubtful for trial in self.trials.values())

    def honest_class(self, name: str) -> dict[str, Any]:
        """What came of honest work of one class, ``exact`` or ``tolerant``."""
        trials = [trial for trial in self.trials.values() if trial.limits.hardware_class == name]
        checks, misses = sum(t.checks for t in trials), sum(t.misses for t in trials)
        return {
            "checks": checks,
            "shards": self.shards_by_class[name],
            "false_positives": misses,
            "rate_below": upper_bound(misses, checks),
            "rate_below_by_shards": upper_bound(misses, self.shards_by_class[name]),
            "doubtful": sum(t.doubtful for t in trials),
        }

    @property
    def ok(self) -> bool:
        """Whether every promise held: no honest miss or alarm, every cheat a miss, the dial within a
        percentage point, every sleeper poorer."""
        caught = all(zones["caught"] == zones["tried"] for zones in self.zones.values() if zones["promised"])
        dialled = all(abs(found.rate - found.case.quoted) <= 0.01 for found in self.dials)
        return not self.misses and not self.alarms and caught and dialled and not self.richer_sleepers

    @property
    def richer_sleepers(self) -> int:
        """Simulated validators that executed nothing by themselves and did not end poorer than the poorest
        honest one of their game."""
        return sum(
            outcome.wealth >= _honest(outcomes).wealth
            for _, outcomes in self.games
            for outcome in outcomes
            if outcome.strategy in ("blind", "listener")
        )


def measurement_value(cells: dict[Cell, Noise]) -> dict[str, Any]:
    """The canonical record that a policy rests on: integers and names alone."""
    rows = [
        {**cell.to_value(), **{name: getattr(noise, name) for name in (*SUMS, *PEAKS)}}
        for cell, noise in sorted(cells.items(), key=lambda item: tuple(item[0].to_value().values()))
    ]
    return {
        "version": 1,
        "machine": machine(),
        "settings": settings_text(SETTINGS),
        "cells": rows,
        "empty": ["cuda"],
    }


def _honest(outcomes: list[sleepers.Outcome]) -> sleepers.Outcome:
    """The poorest honest one."""
    return min((o for o in outcomes if o.strategy == "honest"), key=lambda o: o.wealth)


def summary(found: Findings) -> dict[str, Any]:
    """The findings as a JSON document; probabilities are numbers here, unlike in the policy."""
    return {
        "ok": found.ok,
        "machine": found.machine,
        "plan": {
            name: getattr(found.plan, name)
            for name in (
                "calibrating",
                "validating",
                "rounds",
                "cheat_rounds",
                "campaigns",
                "players",
                "seed",
            )
        },
        "policy_sha256": found.policy.hash.hex(),
        "empty": list(found.policy.empty),
        "honest": {
            "checks": found.checks,
            "shards": found.shards_tried,
            "false_positives": found.misses,
            "rate_below": upper_bound(found.misses, found.checks),
            "rate_below_by_shards": upper_bound(found.misses, found.shards_tried),
            "doubtful": found.doubtful,
            "histories": found.histories,
            "alarms": found.alarms,
            "by_class": {name: found.honest_class(name) for name in found.shards_by_class},
        },
        "cheats": found.zones,
        "inside_tolerance": [
            {**asdict(item), "test": item.test.name.lower() if item.test else None} for item in found.pursuits
        ],
        "drift": [asdict(item) for item in found.drifts],
        "dial": [
            {
                **asdict(item.case),
                "quoted": item.case.quoted,
                "measured": item.rate,
                "campaigns": item.campaigns,
            }
            | {"extra_compute": item.case.extra_compute}
            for item in found.dials
        ],
        "sleepers": {
            "games": len(found.games),
            "refused": len(sleepers.GAMES) - len(found.games),
            "richer": found.richer_sleepers,
            "worst": _worst(found),
        },
    }


def _worst(found: Findings) -> list[dict[str, Any]]:
    rows = []
    for game, outcomes in found.games:
        honest = _honest(outcomes)
        sleeper = max((o for o in outcomes if o.strategy != "honest"), key=lambda o: o.wealth)
        rows.append(
            {
                "shards": game.shards,
                "sample_ppm": game.sample_ppm,
                "fee": game.fee,
                "honest": honest.wealth,
                "sleeper": sleeper.wealth,
                "strategy": sleeper.strategy,
            }
        )
    return rows
