"""What trust costs: the compute that verification and agreement add to a round, and the price of a sample.

Each part of a round is measured by itself in processor time: the shards, the exact update that every member
repeats, the agreement, the gas; re-execution costs what it repeats. The same job done centrally without trust
would be given to r machines and compared: r times the compute.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any, Final

from pot.draft import Draft, build_draft
from pot.experiment.agreement import measure as agree
from pot.experiment.baseline import plain
from pot.experiment.committees import certificate_gas
from pot.experiment.sheets import Experiment, Sheet
from protocol.sampling import PPM, detection
from worker.training.checkpoint import initial_checkpoint, load_checkpoint
from worker.training.rounds import apply_round
from worker.training.step import encode_gradient, shard_gradient

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SHARDS: Final = 8
MEMBERS: Final = (4, 7, 16)
SAMPLES: Final = (0.01, 0.05, 0.1, 0.25)
REDUNDANCY: Final = (2, 3)
ROUNDS_PER_CERTIFICATE: Final = 8
CHEATED: Final = 0.1
"""Share of a task's shards that a cheat leaves out, for the detection beside each price."""
TASK_ROUNDS: Final = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """A model on digits and how many samples a shard has: from hardly any compute to a second a shard."""

    name: str
    arch: str
    params: dict[str, int]
    shard_samples: int


WORKLOADS: Final = (
    Workload(name="small mlp", arch="mlp", params={"hidden": 32, "layers": 1}, shard_samples=32),
    Workload(name="mlp, many samples", arch="mlp", params={"hidden": 128, "layers": 2}, shard_samples=1_024),
    Workload(name="cnn", arch="cnn", params={"height": 8, "width": 8, "channels": 32}, shard_samples=1_024),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class CostPlan:
    """``repeats`` measurements of each part; the median counts."""

    repeats: int
    decisions: int
    seed: int
    say: Callable[[str], None] = lambda line: None


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """Processor seconds of one round: all shards, and what one member spends on the exact update; and those
    of a sample in plain float32 torch, in batches as large as a shard."""

    workload: Workload
    shards_s: float
    update_s: float
    plain_s: float

    @property
    def samples(self) -> int:
        return SHARDS * self.workload.shard_samples


def measure(plan: CostPlan) -> Experiment:
    """Measure every part; a minute or two on two cores."""
    agreements = {n: agree(n, plan.decisions).cpu_ms / 1_000 for n in MEMBERS}
    found = []
    for workload in WORKLOADS:
        found.append(_parts(workload, plan))
        plan.say(f"{workload.name}: {found[-1].shards_s / SHARDS:.3f} s a shard")
    heavy = found[-1]
    return Experiment(
        name="cost",
        title="The price of not having to trust anybody",
        lead=(
            "Verification and agreement as a share of the training compute, and what a sample costs beside "
            "the same job done r times over by machines that are compared."
        ),
        settings={
            **{name: getattr(plan, name) for name in ("repeats", "decisions", "seed")},
            "shards": SHARDS,
            "rounds_per_certificate": ROUNDS_PER_CERTIFICATE,
        },
        sheets=(_overhead(found, agreements), _price(found, agreements)),
        panels=(_panel(found, agreements),),
        ok=_share(heavy, agreements[4], 4, 0.05)[-1] < REDUNDANCY[0] - 1,
    )


def _share(
    parts: Parts, agreement_s: float, members: int, sample: float
) -> tuple[float, float, float, float]:
    """Of the shards' compute: all members' updates, re-execution, agreement, and the sum."""
    update = members * parts.update_s / parts.shards_s
    replay = members * sample
    agreement = members * agreement_s / ROUNDS_PER_CERTIFICATE / parts.shards_s
    return update, replay, agreement, update + replay + agreement


def _overhead(found: list[Parts], agreements: dict[int, float]) -> Sheet:
    rows: list[tuple[Any, ...]] = []
    for parts in found:
        for members in MEMBERS:
            for sample in SAMPLES:
                shares = _share(parts, agreements[members], members, sample)
                total = TASK_ROUNDS * SHARDS
                eyes = members - (members - 1) // 3
                seen = detection(total, round(CHEATED * total), round(PPM * sample), eyes)
                rows.append(
                    (
                        parts.workload.name, round(1_000 * parts.shards_s / SHARDS, 1), members, 100 * sample,
                        *(round(100 * share, 2) for share in shares), round(100 * seen, 2),
                    )
                )  # fmt: skip
    columns = (
        "workload", "ms a shard", "members", "sampled by each, %", "updates, %", "re-execution, %",
        "agreement, %", "overhead, %", "a tenth cheated is found, %",
    )  # fmt: skip
    note = (
        "Percent of the shards' compute. Detection is the probability that a cheat who leaves out a tenth of "
        f"a task of {TASK_ROUNDS} rounds of {SHARDS} shards is sampled by an honest member."
    )
    return Sheet(title="Overhead", columns=columns, rows=rows, note=note)


def _price(found: list[Parts], agreements: dict[int, float]) -> Sheet:
    rows: list[tuple[Any, ...]] = []
    for parts in found:
        own = 1_000 * parts.shards_s / parts.samples
        network = own * (1 + _share(parts, agreements[4], 4, 0.05)[-1])
        gas = certificate_gas(4) / ROUNDS_PER_CERTIFICATE / parts.samples
        rows.append(
            (
                parts.workload.name,
                round(own, 4),
                round(1_000 * parts.plain_s, 4),
                round(network, 4),
                round(network / (1_000 * parts.plain_s), 2),
                *(round(100 * (1 - network / (r * own)), 1) for r in REDUNDANCY),
                round(gas, 2),
            )
        )
    columns = (
        "workload", "CPU ms a sample, one trusted process", "the same, plain float32",
        "network, 4 members, 5 %", "network, times plain",
        *(f"saved against {r}-fold, %" for r in REDUNDANCY), "gas a sample",
    )  # fmt: skip
    note = (
        f"Gas is that of a certificate for {ROUNDS_PER_CERTIFICATE} rounds, spread over their samples; it is "
        "paid beside the compute. A negative saving is an extra cost. The trusted process, and those that "
        "are compared r-fold, use the network's arithmetic, which machines can compare to the bit; plain "
        "float32 they could not."
    )
    return Sheet(title="Price of a sample", columns=columns, rows=rows, note=note)


def _parts(workload: Workload, plan: CostPlan) -> Parts:
    draft = _draft(workload, plan.seed)
    spec, blob = draft.spec, initial_checkpoint(draft.spec)
    checkpoint = load_checkpoint(spec, blob)
    shards_s, update_s, gradients = [], [], dict[int, bytes]()
    for _ in range(plan.repeats):
        began = time.process_time()
        for shard in range(SHARDS):
            result = shard_gradient(spec, checkpoint, draft.dataset, 1, shard)
            gradients[shard] = encode_gradient(spec, result.gradient)
        shards_s.append(time.process_time() - began)
        began = time.process_time()
        apply_round(spec, blob, gradients)
        update_s.append(time.process_time() - began)
    return Parts(
        workload=workload,
        shards_s=median(shards_s),
        update_s=median(update_s),
        plain_s=_plain(workload, plan),
    )


def _plain(workload: Workload, plan: CostPlan) -> float:
    document = _document(workload, plan.seed)
    document["recipe"]["micro_batch"] = workload.shard_samples
    return median(lap.processor_s / lap.samples for lap in plain(document, plan.repeats))


def _draft(workload: Workload, seed: int) -> Draft:
    return build_draft(_document(workload, seed), Path(), workload.name, None)


def _document(workload: Workload, seed: int) -> dict[str, Any]:
    return {
        "model": {"arch": workload.arch, "params": workload.params},
        "dataset": {"source": "digits"},
        "recipe": {
            "optimizer": {"kind": "sgd", "lr": "0.1", "momentum": "0.9"},
            "rounds": TASK_ROUNDS,
            "shards": SHARDS,
            "global_batch": SHARDS * workload.shard_samples,
            "micro_batch": 32,
            "seed": seed,
        },
        "verification": {"sample": "5%"},
        "money": {
            "reward_per_shard": "1 POT",
            "fee_per_round": "1 POT",
            "miner_stake": "10 POT",
            "slash_per_fault": "5 POT",
        },
        "limits": {"task_life": "1h", "round_deadline": "10s", "min_shards": SHARDS},
    }


def _panel(found: list[Parts], agreements: dict[int, float]) -> "Callable[[Axes], None]":
    def draw(axes: "Axes") -> None:
        for parts in found:
            shares = [100 * _share(parts, agreements[4], 4, sample)[-1] for sample in SAMPLES]
            axes.plot([100 * s for s in SAMPLES], shares, marker=".", label=parts.workload.name)
        for r in REDUNDANCY:
            axes.axhline(100 * (r - 1), color="#9aa1a8", linewidth=1)
        axes.set_yscale("log")
        axes.set_xlabel("sampled by each of 4 members, %")
        axes.set_ylabel("overhead, % of the training")
        axes.legend(fontsize=7)

    return draw
