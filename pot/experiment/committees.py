"""How large a committee should be: what it takes to capture one against what a large one costs."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Final

from pot.experiment.agreement import Agreement
from pot.experiment.agreement import measure as agree
from pot.experiment.capture import STAKES, capture, drawn, least_size
from pot.experiment.sheets import Experiment, Sheet
from protocol.members import MAX_MEMBERS, MIN_MEMBERS

if TYPE_CHECKING:
    from matplotlib.axes import Axes

POOLS: Final = (64, 100, 200, 500, 1_000)
SHARES: Final = (0.1, 0.2, 0.3)
SIZES: Final = (4, 7, 10, 13, 16, 19, 22, 25, 28, 31, 40, 49, 64)
WANTED: Final = 1e-9
MAIN_POOL: Final = 200
MAIN_SHARE: Final = 0.2


@dataclass(frozen=True, slots=True, kw_only=True)
class CommitteePlan:
    """``draws`` committees for each Monte Carlo figure, ``decisions`` agreements for each size."""

    draws: int
    decisions: int
    sizes: tuple[int, ...]
    seed: int
    say: Callable[[str], None] = lambda line: None


def measure(plan: CommitteePlan) -> Experiment:
    """Run everything; minutes on two cores with the defaults."""
    agreements = []
    for size in plan.sizes:
        agreements.append(agree(size, plan.decisions))
        plan.say(f"{size} members: {agreements[-1].cpu_ms:.2f} ms of CPU each for a decision")
    needed = _needed_sheet()
    return Experiment(
        name="committee",
        title="Size of a committee",
        lead=(
            "A committee of 3f + 1 drawn from a pool, a share of it malicious. A quorum of bad members "
            "certifies anything alone; more than f can stop a task and void the promise that there is one "
            "certificate a round."
        ),
        settings={**{n: getattr(plan, n) for n in ("draws", "decisions", "seed")}, "sizes": list(plan.sizes)},
        sheets=(needed, _size_sheet(agreements), _drawn_sheet(plan)),
        panels=(_capture_panel, _cost_panel(agreements)),
        ok=least_size(MAIN_POOL, round(MAIN_POOL * MAIN_SHARE), WANTED, takes=True) is not None,
    )


def certificate_gas(size: int) -> int:
    """Gas of a certificate of ``size`` members, from the measured snapshots; linear between two of them, as
    each signature costs the same."""
    snapshots = files("contracts").joinpath("snapshots")
    sizes = json.loads(snapshots.joinpath("committee.json").read_text())
    known = {int(k.split()[1]): int(v) for k, v in sizes.items() if k.startswith("certify ")}
    known[MIN_MEMBERS] = int(json.loads(snapshots.joinpath("certificate.json").read_text())["steady state"])
    below = max(n for n in known if n <= size)
    above = min(n for n in known if n >= size)
    if below == above:
        return known[below]
    return known[below] + (known[above] - known[below]) * (size - below) // (above - below)


def _needed_sheet() -> Sheet:
    rows: list[tuple[Any, ...]] = []
    for pool in POOLS:
        for share in SHARES:
            bad = round(pool * share)
            rows.append(
                (
                    pool,
                    round(100 * share),
                    _or_none(least_size(pool, bad, WANTED, takes=True)),
                    _or_none(least_size(pool, bad, 1e-3, takes=False)),
                    _or_none(least_size(pool, bad, WANTED, takes=False)),
                )
            )
    columns = (
        "pool", "malicious, %", "no bad quorum at 1e-9", "at most f bad at 1e-3", "at most f bad at 1e-9",
    )  # fmt: skip
    note = (
        f"The smallest 3f + 1, exact hypergeometric. The contract allows {MAX_MEMBERS} members; what needs "
        "more is out of reach of one committee and is left to disputes and larger courts."
    )
    return Sheet(title="Members needed", columns=columns, rows=rows, note=note)


def _or_none(size: int | None) -> int | str:
    return "-" if size is None else size


def _size_sheet(agreements: list[Agreement]) -> Sheet:
    rows = []
    for item in agreements:
        found = capture(MAIN_POOL, round(MAIN_POOL * MAIN_SHARE), item.members)
        rows.append(
            (
                item.members,
                f"{found.take:.1e}",
                f"{found.halt:.1e}",
                round(item.cpu_ms, 2),
                item.messages,
                certificate_gas(item.members),
            )
        )
    columns = ("members", "bad quorum", "more than f bad", "CPU ms of a member", "messages", "gas")
    note = (
        f"Pool of {MAIN_POOL}, {100 * MAIN_SHARE:.0f} % malicious. CPU is what one member spends on one "
        "agreement, all signatures checked; with a core for each member it bounds the latency from below, "
        "beside the network's."
    )
    return Sheet(title="What a size buys and costs", columns=columns, rows=rows, note=note)


def _drawn_sheet(plan: CommitteePlan) -> Sheet:
    rows = []
    for stakes in STAKES:
        for size in (4, 7, 16):
            halts, takes = drawn(
                MAIN_POOL, round(MAIN_SHARE * 1e6), size, draws=plan.draws, seed=plan.seed, stakes=stakes
            )
            exact = capture(MAIN_POOL, round(MAIN_POOL * MAIN_SHARE), size)
            rows.append(
                (
                    stakes,
                    size,
                    plan.draws,
                    round(halts, 5),
                    round(exact.halt, 5),
                    round(takes, 6),
                    round(exact.take, 6),
                )
            )
    columns = ("stakes", "members", "draws", "more than f bad", "exact", "bad quorum", "exact, quorum")
    note = (
        "Drawn by the contract's own sampling. The exact figures are for equal stakes; with uneven stakes "
        "the bad ones hold at most the same share of all stake."
    )
    return Sheet(title="Monte Carlo", columns=columns, rows=rows, note=note)


def _capture_panel(axes: "Axes") -> None:
    for share in SHARES:
        found = [capture(MAIN_POOL, round(MAIN_POOL * share), size) for size in SIZES]
        axes.plot(SIZES, [f.take for f in found], "-", marker=".", label=f"{share:.0%}: a bad quorum")
        axes.plot(SIZES, [f.halt for f in found], "--", label=f"{share:.0%}: more than f bad")
    axes.axhline(WANTED, color="#9aa1a8", linewidth=1)
    axes.set_yscale("log")
    axes.set_ylim(1e-16, 1)
    axes.set_xlabel("members")
    axes.set_ylabel(f"probability, pool of {MAIN_POOL}")
    axes.legend(fontsize=6)


def _cost_panel(agreements: list[Agreement]) -> "Callable[[Axes], None]":
    def draw(axes: "Axes") -> None:
        sizes = [item.members for item in agreements]
        axes.plot(sizes, [item.cpu_ms for item in agreements], marker=".", label="CPU ms of a member")
        axes.plot(sizes, [certificate_gas(n) / 1_000 for n in sizes], marker=".", label="gas, thousands")
        axes.set_xlabel("members")
        axes.set_yscale("log")
        axes.legend(fontsize=7)

    return draw
