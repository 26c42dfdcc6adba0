"""Aggregation rules against attackers that nobody samples: the protocol's own arithmetic, in one process.

Digits, an MLP, ``shards`` contributions a round, a fraction of them forged by attackers that know everything:
from the honest gradients of the same round, or, where the rule has a momentum, so that their running means
become what they would forge from the honest ones. Accuracy is that of the last model on the test split.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from itertools import product
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from pot.draft import Draft, build_draft
from pot.experiment.sheets import Experiment, Sheet
from protocol.ids import parse_address
from worker.training.checkpoint import Checkpoint, initial_checkpoint, load_checkpoint
from worker.training.evaluate import evaluate
from worker.training.rounds import apply_round
from worker.training.step import encode_gradient, shard_gradient

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Gradients = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Contender:
    """An aggregation to try; with ``remembers`` it sees running means of MOMENTUM."""

    before: str
    rule: str
    remembers: bool

    @property
    def name(self) -> str:
        mixed = self.rule if self.before == "none" else f"{self.before} + {self.rule}"
        return f"{mixed}, momentum" if self.remembers else mixed


SAMPLES_PER_SHARD: Final = 32
MOMENTUM: Final = "0.9"
STEP: Final[Mapping[bool, Any]] = {
    # The same step for a mean: the momentum is behind the rule, or before it.
    False: {"kind": "sgd", "lr": "0.2", "momentum": MOMENTUM},
    True: {"kind": "sgd", "lr": "2"},
}
IPM_EPSILON: Final = 0.1
ATTACKS: Final[Mapping[str, Callable[[Gradients], Gradients]]] = {
    "sign-flip": lambda honest: -honest.mean(axis=0),
    "large": lambda honest: -4 * honest.mean(axis=0),
    "alie-1": lambda honest: honest.mean(axis=0) - honest.std(axis=0),
    "alie-1.5": lambda honest: honest.mean(axis=0) - 1.5 * honest.std(axis=0),
    "ipm": lambda honest: -IPM_EPSILON * honest.mean(axis=0),
}
_PLAIN: Final = ("mean", "median", "trimmed-mean", "multi-krum", "geometric-median")
_MIXED: Final = ("median", "trimmed-mean", "multi-krum", "geometric-median")
RULES: Final = (
    *(Contender(before="none", rule=rule, remembers=False) for rule in _PLAIN),
    *(Contender(before="nnm", rule=rule, remembers=False) for rule in _MIXED),
    Contender(before="none", rule="geometric-median", remembers=True),
    *(Contender(before="nnm", rule=rule, remembers=True) for rule in _MIXED),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One run: ``forged`` of ``shards`` contributions a round; accuracy in percent."""

    rule: str
    attack: str
    forged: int
    shards: int
    seed: int
    accuracy: float


@dataclass(frozen=True, slots=True, kw_only=True)
class RobustnessPlan:
    """What is run: every rule, attack and number of attackers, from each of the same ``seeds``."""

    rounds: int = 20
    shards: int = 12
    forged: tuple[int, ...] = (0, 1, 2, 3, 4, 5)
    seeds: tuple[int, ...] = (7,)
    rules: tuple[Contender, ...] = RULES


def measure(plan: RobustnessPlan, say: Callable[[str], None]) -> Experiment:
    """The whole matrix: minutes with one seed and 20 rounds."""
    cells, forged = matrix(plan, say), plan.shards // 4
    rules = tuple(dict.fromkeys(cell.rule for cell in cells))
    columns = ("rule", "no attack", *ATTACKS)
    summary = [
        (rule, *(spread(cells, rule, attack, forged) for attack in ("none", *ATTACKS))) for rule in rules
    ]
    names = Cell.__slots__
    return Experiment(
        name="robustness",
        title="Aggregation rules against attackers that nobody samples",
        lead="Test accuracy on digits at the end, with a part of each round's contributions forged.",
        settings={
            "rounds": plan.rounds,
            "shards": plan.shards,
            "forged": list(plan.forged),
            "seeds": list(plan.seeds),
            "samples_per_shard": SAMPLES_PER_SHARD,
        },
        sheets=(
            Sheet(
                title="A quarter forged",
                columns=columns,
                rows=summary,
                note=f"Test accuracy in percent with {forged} of {plan.shards} contributions forged: median "
                f"(worst) of {len(plan.seeds)} seed(s).",
            ),
            Sheet(
                title="Cells",
                columns=names,
                rows=[tuple(getattr(cell, name) for name in names) for cell in cells],
                brief=False,
            ),
        ),
        panels=tuple(partial(_panel, attack, [c for c in cells if c.attack == attack]) for attack in ATTACKS),
    )


def matrix(plan: RobustnessPlan, say: Callable[[str], None]) -> list[Cell]:
    """Every cell; without attackers once for each rule, under every attack's name."""
    cells: list[Cell] = []
    for contender in plan.rules:
        for seed, forged in product(plan.seeds, plan.forged):
            draft = _draft(plan, contender, forged, seed)
            for attack, forge in list(ATTACKS.items())[: None if forged else 1]:
                found = _accuracy(draft, forged, forge)
                cells += [
                    Cell(
                        rule=contender.name,
                        attack=under,
                        forged=forged,
                        shards=plan.shards,
                        seed=seed,
                        accuracy=found,
                    )
                    for under in ((attack,) if forged else ATTACKS)
                ]
        say(f"{contender.name}: {plan.forged[-1]} of {plan.shards} forged at most")
    return cells


def spread(cells: list[Cell], rule: str, attack: str, forged: int) -> str:
    """Median and worst accuracy over the seeds of one rule; ``attack`` none is that without attackers."""
    wanted = {(attack, forged)} if attack != "none" else {(name, 0) for name in ATTACKS}
    found = [c.accuracy for c in cells if c.rule == rule and (c.attack, c.forged) in wanted]
    return f"{median(found):.1f} ({min(found):.1f})"


def _draft(plan: RobustnessPlan, contender: Contender, forged: int, seed: int) -> Draft:
    """A rule is told how many attackers there are; the mean has nothing to be told."""
    aggregation: Any = "mean"
    if contender.rule != "mean":
        aggregation = {"rule": contender.rule, "before": contender.before, "f": max(1, forged)}
        aggregation["momentum"] = MOMENTUM if contender.remembers else "0"
    return build_draft(
        {
            "model": {"arch": "mlp", "params": {"hidden": 32, "layers": 1}},
            "dataset": {"source": "digits"},
            "recipe": {
                "optimizer": STEP[contender.remembers],
                "rounds": plan.rounds,
                "shards": plan.shards,
                "global_batch": plan.shards * SAMPLES_PER_SHARD,
                "micro_batch": SAMPLES_PER_SHARD,
                "codec": "int16",
                "compute": "float64",
                "seed": seed,
                "aggregation": aggregation,
            },
            "verification": {"sample": "100%"},
            "money": {
                "reward_per_shard": "1 POT",
                "fee_per_round": "1 POT",
                "miner_stake": "10 POT",
                "slash_per_fault": "5 POT",
            },
            "limits": {"task_life": "1h", "round_deadline": "10s", "min_shards": plan.shards},
        },
        Path(),
        "Robustness",
        None,
    )


def _accuracy(draft: Draft, forged: int, forge: Callable[[Gradients], Gradients]) -> float:
    spec, blob = draft.spec, initial_checkpoint(draft.spec)
    shards = spec.recipe.shards
    miners = {shard: parse_address(f"0x{shard + 1:040x}") for shard in range(shards)}
    for number in range(1, spec.recipe.rounds + 1):
        checkpoint = load_checkpoint(spec, blob)
        honest = np.stack(
            [
                shard_gradient(spec, checkpoint, draft.dataset, number, shard).gradient.astype(np.float64)
                for shard in range(shards - forged)
            ]
        )
        sent = [*honest, *[_forged(checkpoint, honest, forge)] * forged]
        blob = apply_round(spec, blob, {k: encode_gradient(spec, g) for k, g in enumerate(sent)}, miners)
    return round(100 * evaluate(spec, load_checkpoint(spec, blob), draft.dataset).accuracy, 2)


def _forged(checkpoint: Checkpoint, honest: Gradients, forge: Callable[[Gradients], Gradients]) -> Gradients:
    """What each attacker sends; attackers hold the last shards."""
    running = checkpoint.running
    if running is None or checkpoint.round == 0:
        return forge(honest)
    means, kept = running.means.astype(np.float64), float(MOMENTUM)
    wanted = forge(kept * means[: len(honest)] + (1 - kept) * honest)
    sent: Gradients = (wanted - kept * means[-1]) / (1 - kept)
    return sent


def _panel(attack: str, cells: list[Cell], axes: "Axes") -> None:
    for rule in dict.fromkeys(cell.rule for cell in cells):
        points: dict[float, list[float]] = {}
        for cell in cells:
            if cell.rule == rule:
                points.setdefault(cell.forged / cell.shards, []).append(cell.accuracy)
        style = "-." if rule.endswith("momentum") else "--" if rule.startswith("nnm") else "-"
        line = [(x, median(points[x])) for x in sorted(points)]
        axes.plot([x for x, _ in line], [y for _, y in line], style, marker=".", label=rule)
    axes.set_title(attack, fontsize=9)
    axes.set_xlabel("attackers among the contributions")
    axes.set_ylabel("test accuracy, %")
    axes.legend(fontsize=5)
