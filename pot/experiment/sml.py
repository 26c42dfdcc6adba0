"""What the Secure Mapping Layer costs its owner, what is left to a thief behind another Z, and what of that a
trace still lets through."""

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from statistics import mean
from typing import TYPE_CHECKING, Any, Final

from msgspec import to_builtins

from pot.experiment import theft_trials, thefts
from pot.experiment.contests import CANCER, DIGITS, MEMBERS, RECOMMENDED, Setting, dataset, job, trace_terms
from pot.experiment.explained import explain
from pot.experiment.sheets import Experiment, Sheet
from worker.training.calibration import upper_bound
from worker.training.contest_model import count_correct
from worker.training.contest_step import Job, State, advance, initial_state
from worker.training.trace_plan import found_by_chance
from worker.training.transplant import transplant

if TYPE_CHECKING:
    from matplotlib.axes import Axes

BUDGETS: Final = (0.01, 0.05, 0.2)
"""Shares of the honest training that a thief spends on stolen weights."""
HONEST_CHECKS: Final = 50
EXPLAINED: Final = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class SmlPlan:
    """``seeds`` networks for each data set and size of Z, ``attempts`` thefts against the trace of ``miners``
    honest ones, which name a checkpoint after ``every`` steps."""

    seeds: int
    attempts: int
    miners: int
    seed: int
    every: int = 1
    say: Callable[[str], None] = lambda line: None


@dataclass(frozen=True, slots=True, kw_only=True)
class Theft:
    """Test accuracies in percent, one network: the owner's, then what a thief has behind its own Z: the
    copy, the least-squares transplant, the transplant after each budget, and as much training from
    scratch."""

    data: str
    outputs: int
    own: float
    seconds: float
    copy: float = 0.0
    moved: float = 0.0
    tuned: tuple[float, ...] = ()
    scratch: tuple[float, ...] = ()


def measure(plan: SmlPlan) -> Experiment:
    """Run everything; minutes on two cores with the defaults."""
    found: list[Theft] = []
    for setting in (DIGITS, CANCER):
        for outputs in (0, *setting.outputs):
            found += [_theft(setting, outputs, number, plan.seed) for number in range(plan.seeds)]
            plan.say(f"{setting.data}: Z with {outputs or 'no'} outputs")
    miners = theft_trials.runs(plan.miners, plan.seed, plan.every)
    plan.say(f"traces of {plan.miners} honest miners")
    attempts = [theft_trials.attempt(miners, number, plan.seed) for number in range(plan.attempts)]
    plan.say(f"{plan.attempts} thefts against a trace")
    trace = _trace_sheet(attempts)
    sheets = (
        _cost_sheet(found),
        _theft_sheet(found),
        trace,
        _fineness_sheet(attempts),
        _skipped_sheet(miners[0]),
        _explained_sheet(miners, plan),
        _summary_sheet(miners, attempts),
    )
    return Experiment(
        name="sml",
        title="The Secure Mapping Layer and the training trace",
        lead="A fixed linear layer Z for each miner: its cost, what it stops, and what only the trace stops.",
        settings={
            **{name: getattr(plan, name) for name in ("seeds", "attempts", "miners", "seed", "every")},
            "digits": asdict(DIGITS),
            "breast_cancer": asdict(CANCER),
            "recommended": RECOMMENDED,
            "trace": to_builtins(trace_terms(plan.every)),
            "committee": {"members": MEMBERS},
        },
        sheets=sheets,
        panels=(_panel(found, DIGITS), _panel(found, CANCER), _trace_panel(attempts)),
        ok=mean(a.caught for a in attempts) >= 0.99 and theft_trials.share_replayed(miners[0]) <= 0.25,
    )


def _theft(setting: Setting, outputs: int, number: int, seed: int) -> Theft:
    owner = job(setting, outputs or None, miner=2 * number, seed=seed)
    began = time.process_time()
    end = advance(owner, initial_state(owner), setting.steps)
    seconds = time.process_time() - began
    own = _percent(owner, end)
    if not outputs:
        return Theft(data=setting.data, outputs=setting.features, own=own, seconds=seconds)
    thief = job(setting, outputs, miner=2 * number + 1, seed=seed)
    features = dataset(setting.data).x_train
    fresh = initial_state(thief)
    moved = State(
        step=0,
        parameters=transplant(owner.model, end.parameters, owner.seed, thief.seed, features),
        optimizer=fresh.optimizer,
    )
    steps = [round(budget * setting.steps) for budget in BUDGETS]
    return Theft(
        data=setting.data,
        outputs=outputs,
        own=own,
        seconds=seconds,
        copy=_percent(thief, end),
        moved=_percent(thief, moved),
        tuned=tuple(_percent(thief, advance(thief, moved, count)) for count in steps),
        scratch=tuple(_percent(thief, advance(thief, fresh, count)) for count in steps),
    )


def _percent(work: Job, state: State) -> float:
    score = count_correct(work.model, work.seed, state.parameters, work.dataset)
    return 100 * score.correct / score.total


def _groups(found: Sequence[Theft]) -> dict[tuple[str, int], list[Theft]]:
    groups: dict[tuple[str, int], list[Theft]] = {}
    for item in found:
        groups.setdefault((item.data, item.outputs), []).append(item)
    return groups


def _plain(found: Sequence[Theft], data: str) -> list[Theft]:
    """The networks without Z."""
    return [item for item in found if item.data == data and not item.tuned]


def _cost_sheet(found: Sequence[Theft]) -> Sheet:
    rows: list[tuple[Any, ...]] = []
    for (data, outputs), items in _groups(found).items():
        plain = _plain(found, data)
        own = mean(item.own for item in items)
        rows.append(
            (
                data,
                outputs if items[0].tuned else "no Z",
                len(items),
                round(own, 2),
                round(mean(item.own for item in plain) - own, 2),
                round(mean(i.seconds for i in items) / mean(i.seconds for i in plain), 2),
            )
        )
    columns = (
        "data",
        "outputs",
        "networks",
        "accuracy, %",
        "points lost",
        "training time, of that without Z",
    )
    return Sheet(title="What the layer costs", columns=columns, rows=rows)


def _theft_sheet(found: Sequence[Theft]) -> Sheet:
    tuned = tuple(f"transplant + {100 * budget:g} %" for budget in BUDGETS)
    scratch = tuple(f"scratch, {100 * budget:g} %" for budget in BUDGETS)
    rows = []
    for (data, outputs), items in _groups(found).items():
        if not items[0].tuned:
            continue
        series = [[i.own for i in items], [i.copy for i in items], [i.moved for i in items]]
        series += [[i.tuned[k] for i in items] for k in range(len(BUDGETS))]
        series += [[i.scratch[k] for i in items] for k in range(len(BUDGETS))]
        rows.append((data, outputs, *(round(mean(values), 1) for values in series)))
    columns = ("data", "outputs", "owner", "plain copy", "least squares", *tuned, *scratch)
    note = (
        "Test accuracy in percent behind the thief's own Z. Shares are of the honest training's steps; "
        "scratch is the same training without anything stolen."
    )
    return Sheet(title="What a thief has", columns=columns, rows=rows, note=note)


def _trace_sheet(attempts: Sequence[theft_trials.Attempt]) -> Sheet:
    rows = []
    for kind in thefts.KINDS:
        of_kind = [a for a in attempts if a.kind == kind]
        if of_kind:
            rows.append(
                (
                    kind,
                    len(of_kind),
                    sum(a.caught for a in of_kind),
                    round(100 * upper_bound(sum(not a.caught for a in of_kind), len(of_kind)), 2),
                    round(100 * mean(a.by_largest for a in of_kind), 1),
                    round(100 * min(a.chance for a in of_kind), 2),
                    round(max(a.accuracy for a in of_kind), 1),
                )
            )
    columns = (
        "theft",
        "attempts",
        "caught",
        "pass at most, % (95 %)",
        "among the largest, %",
        "least chance, %",
        "best goal, %",
    )
    note = (
        "The least chance is the exact probability, over all draws, with which the best of these thefts "
        "would be caught. The best goal is the accuracy behind the thief's Z of the best weights that were "
        "to be passed off."
    )
    return Sheet(title="Thefts against the trace", columns=columns, rows=rows, note=note)


def _fineness_sheet(attempts: Sequence[theft_trials.Attempt]) -> Sheet:
    edges = (1, 2, 5, 10, 20, 40, 80, 160, 320, 640, 1501)
    rows = []
    for low, high in pairwise(edges):
        inside = [a for a in attempts if low <= a.fake < high]
        if inside:
            found = sum(a.caught for a in inside)
            rows.append((f"{low}..{high - 1}", len(inside), found, round(100 * found / len(inside), 2)))
    columns = ("false segments", "attempts", "caught", "caught, %")
    return Sheet(title="By the number of false segments", columns=columns, rows=rows)


def _skipped_sheet(miner: theft_trials.Run) -> Sheet:
    """A segment that repeats the checkpoint before it moves nothing, so it is never among the largest."""
    recipe = miner.job.recipe
    rows = [
        (100 * share, round(100 * found_by_chance(recipe, round(share * recipe.segments)), 2))
        for share in theft_trials.SKIPPED
    ]
    note = (
        "A miner that steals nothing and leaves out steps of its own training saves what it leaves out. "
        "Exact, over all draws."
    )
    return Sheet(title="Steps left out", columns=("left out, %", "caught, %"), rows=rows, note=note)


def _explained_sheet(miners: Sequence[theft_trials.Run], plan: SmlPlan) -> Sheet:
    rows: list[tuple[Any, ...]] = []
    goal = miners[1].states[-1].parameters
    for number in range(EXPLAINED):
        segment = number * len(miners[0].states) // EXPLAINED
        found = explain(miners[0], segment, goal, 0.002, plan.seed + number)
        rows.append((segment, f"{found.synthetic:.1e}", f"{found.prescribed:.2f}"))
    columns = ("segment", "synthetic batch", "prescribed batch")
    note = (
        "Relative distance between the gradient that a false step needs (0.2 % of the way to stolen weights) "
        "and that of a batch made for it, and of the batch that the seed prescribes."
    )
    return Sheet(title="Steps explained by synthetic data", columns=columns, rows=rows, note=note)


def _summary_sheet(miners: Sequence[theft_trials.Run], attempts: Sequence[theft_trials.Attempt]) -> Sheet:
    total = len(miners[0].states) - 1
    checks = range(0, total, max(1, total // HONEST_CHECKS))
    missed = theft_trials.honest_misses(miners[0], checks)
    share = theft_trials.share_replayed(miners[0])
    rows = [
        ("thefts caught, %", round(100 * mean(a.caught for a in attempts), 2)),
        ("least chance of being caught among them, %", round(100 * min(a.chance for a in attempts), 2)),
        (
            "compute of all replicas, % of the training",
            round(100 * share, 1),
        ),
        ("honest segments replayed with two threads", len(checks)),
        ("of them not the same to the last bit", missed),
        ("segments of a trace", total),
    ]
    return Sheet(title="The trace in short", columns=("figure", "value"), rows=rows)


def _panel(found: Sequence[Theft], setting: Setting) -> "Callable[[Axes], None]":
    def draw(axes: "Axes") -> None:
        items = {o: i for (d, o), i in _groups(found).items() if d == setting.data and i[0].tuned}
        sizes = sorted(items)
        lines: list[tuple[str, list[float]]] = [
            ("owner", [mean(i.own for i in items[o]) for o in sizes]),
            ("plain copy", [mean(i.copy for i in items[o]) for o in sizes]),
            ("least squares", [mean(i.moved for i in items[o]) for o in sizes]),
        ]
        for k, budget in enumerate(BUDGETS[:2]):
            values = [mean(i.tuned[k] for i in items[o]) for o in sizes]
            lines.append((f"transplant + {100 * budget:g} %", values))
        lines.append(("scratch, 5 %", [mean(i.scratch[1] for i in items[o]) for o in sizes]))
        for label, values in lines:
            axes.plot(sizes, values, marker=".", label=label)
        plain = mean(item.own for item in _plain(found, setting.data))
        axes.axhline(plain, color="#9aa1a8", linewidth=1, label="no Z")
        axes.set_title(f"{setting.data}, {setting.features} features", fontsize=10)
        axes.set_xlabel("outputs of Z")
        axes.set_ylabel("test accuracy, %")
        axes.legend(fontsize=6)

    return draw


def _trace_panel(attempts: Sequence[theft_trials.Attempt]) -> "Callable[[Axes], None]":
    def draw(axes: "Axes") -> None:
        for caught, mark, label in ((True, ".", "caught"), (False, "x", "not caught")):
            chosen = [a for a in attempts if a.caught is caught]
            axes.plot([a.fake for a in chosen], [a.accuracy for a in chosen], mark, label=label, markersize=4)
        axes.set_xscale("log")
        axes.set_xlabel("false segments")
        axes.set_ylabel("accuracy of the stolen goal, %")
        axes.set_title("thefts against the trace", fontsize=10)
        axes.legend(fontsize=6)

    return draw
