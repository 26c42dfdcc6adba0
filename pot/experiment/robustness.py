"""Aggregation rules against attackers that nobody samples: the protocol's own arithmetic, in one process.

Digits, an MLP, ``shards`` contributions a round, a fraction of them forged from the honest gradients of the
same round by attackers that know everything. Accuracy is that of the last model on the test split.
"""

import csv
import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from pot.draft import Draft, build_draft
from worker.training.checkpoint import initial_checkpoint, load_checkpoint
from worker.training.evaluate import evaluate
from worker.training.rounds import apply_round
from worker.training.step import encode_gradient, shard_gradient

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Gradients = NDArray[np.float64]
SAMPLES_PER_SHARD: Final = 32
ALIE_Z: Final = 1.5
IPM_EPSILON: Final = 0.1
ATTACKS: Final[Mapping[str, Callable[[Gradients], Gradients]]] = {
    "sign-flip": lambda honest: -honest.mean(axis=0),
    "large": lambda honest: -4 * honest.mean(axis=0),
    "alie": lambda honest: honest.mean(axis=0) - ALIE_Z * honest.std(axis=0),
    "ipm": lambda honest: -IPM_EPSILON * honest.mean(axis=0),
}
RULES: Final = (
    ("none", "mean"),
    ("none", "median"),
    ("none", "trimmed-mean"),
    ("none", "multi-krum"),
    ("none", "geometric-median"),
    ("nnm", "median"),
    ("nnm", "trimmed-mean"),
    ("nnm", "multi-krum"),
    ("nnm", "geometric-median"),
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
    """What is run: every rule, attack and number of attackers, from the same ``seed``."""

    rounds: int = 20
    shards: int = 12
    forged: tuple[int, ...] = (0, 1, 2, 3, 4, 5)
    seed: int = 7


def measure(plan: RobustnessPlan, say: Callable[[str], None]) -> list[Cell]:
    """Every cell of the matrix; without attackers once for each rule, under every attack's name."""
    cells: list[Cell] = []
    for before, rule in RULES:
        name = rule if before == "none" else f"{before} + {rule}"
        for forged in plan.forged:
            draft = _draft(plan, before, rule, forged)
            for attack, forge in list(ATTACKS.items())[: None if forged else 1]:
                found = _accuracy(draft, forged, forge)
                for under in (attack,) if forged else ATTACKS:
                    cells.append(
                        Cell(
                            rule=name,
                            attack=under,
                            forged=forged,
                            shards=plan.shards,
                            seed=plan.seed,
                            accuracy=found,
                        )
                    )
        say(f"{name}: {plan.forged[-1]} of {plan.shards} forged at most")
    return cells


def write(cells: list[Cell], out: Path) -> tuple[Path, Path]:
    """``robustness.csv`` and ``robustness.png`` in ``out``."""
    out.mkdir(parents=True, exist_ok=True)
    table, picture = out / "robustness.csv", out / "robustness.png"
    with table.open("w", newline="", encoding="utf-8") as stream:
        rows = csv.writer(stream)
        rows.writerow(Cell.__slots__)
        rows.writerows([getattr(cell, name) for name in Cell.__slots__] for cell in cells)
    picture.write_bytes(_png(cells))
    return table, picture


def _draft(plan: RobustnessPlan, before: str, rule: str, forged: int) -> Draft:
    """A rule is told how many attackers there are; the mean has nothing to be told."""
    aggregation: Any = "mean" if rule == "mean" else {"rule": rule, "before": before, "f": max(1, forged)}
    return build_draft(
        {
            "model": {"arch": "mlp", "params": {"hidden": 32, "layers": 1}},
            "dataset": {"source": "digits"},
            "recipe": {
                "optimizer": {"kind": "sgd", "lr": "0.3", "momentum": "0.9"},
                "rounds": plan.rounds,
                "shards": plan.shards,
                "global_batch": plan.shards * SAMPLES_PER_SHARD,
                "micro_batch": SAMPLES_PER_SHARD,
                "codec": "int16",
                "compute": "float64",
                "seed": plan.seed,
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
    for number in range(1, spec.recipe.rounds + 1):
        checkpoint = load_checkpoint(spec, blob)
        honest = [
            shard_gradient(spec, checkpoint, draft.dataset, number, shard).gradient.astype(np.float64)
            for shard in range(spec.recipe.shards - forged)
        ]
        sent = [*honest, *[forge(np.stack(honest))] * forged]
        blob = apply_round(spec, blob, {k: encode_gradient(spec, g) for k, g in enumerate(sent)})
    return round(100 * evaluate(spec, load_checkpoint(spec, blob), draft.dataset).accuracy, 2)


def _png(cells: list[Cell]) -> bytes:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(13, 3.8), layout="constrained")
    FigureCanvasAgg(figure)
    panels = figure.subplots(1, len(ATTACKS), sharey=True)
    for axes, attack in zip(panels, ATTACKS, strict=True):
        _panel(axes, attack, [cell for cell in cells if cell.attack == attack])
    panels[0].set_ylabel("test accuracy, %")
    panels[-1].legend(fontsize=6)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=130)
    return buffer.getvalue()


def _panel(axes: "Axes", attack: str, cells: list[Cell]) -> None:
    for rule in dict.fromkeys(cell.rule for cell in cells):
        line = sorted((cell.forged / cell.shards, cell.accuracy) for cell in cells if cell.rule == rule)
        style = "--" if rule.startswith("nnm") else "-"
        axes.plot([x for x, _ in line], [y for _, y in line], style, marker=".", label=rule)
    axes.set_title(attack, fontsize=9)
    axes.set_xlabel("attackers among the contributions")
