"""What is left of a machine's compute when nobody has to be trusted: the whole network against one process.

The network trains a model whose shard takes a core seconds, certified and sampled as the dial asks, on
miners with one thread each. What all its processes spend, from the post to the last certificate, per accepted
sample is compared with the same recipe and arithmetic in one process, and with plain float32 training.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any, Final

from anvil.network import LocalNetwork, NetworkPlan
from anvil.programs import ONE_THREAD
from pot.client import Client, Posted
from pot.demo.run import client_of, fresh_folder
from pot.draft import Draft, build_draft
from pot.experiment.baseline import Lap
from pot.experiment.processor_time import by_role, processor_s, spent
from pot.experiment.sheets import Experiment, Sheet
from protocol.chain.history import read_task
from protocol.errors import VerificationFailed
from protocol.sampling import PPM, detection, least_share_ppm

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MEMBERS: Final = 4
HONEST: Final = 3
WANTED: Final = 0.95
BAD: Final = 40
BAD_OF: Final = 300
"""The dial: with MEMBERS of whom HONEST are, a cheat on BAD of BAD_OF shards is found with WANTED."""
GOAL: Final = 0.85
IDLE_S: Final = 10.0
POLL_S: Final = 0.2
GIVE_UP_S: Final = 3_600.0
SAMPLE_PPM: Final = least_share_ppm(BAD_OF, BAD, HONEST, WANTED) or PPM


@dataclass(frozen=True, slots=True, kw_only=True)
class EfficiencyPlan:
    """A task of ``rounds`` x ``shards`` of ``samples`` each, in micro-batches of ``micro_batch``, for
    ``miners``; ``laps`` rounds of it by single processes, before the network's run and again after it, as
    many of them at a time as there are miners."""

    folder: Path
    miners: int
    rounds: int
    shards: int
    samples: int
    micro_batch: int
    laps: int
    seed: int
    say: Callable[[str], None] = lambda line: None


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """The network's side: accepted ``samples`` in ``seconds``, what each program spent meanwhile, and what it
    spends in a second with nothing to do."""

    samples: int
    seconds: float
    processor: dict[str, float]
    idle: dict[str, float]

    @property
    def processor_s(self) -> float:
        return sum(self.processor.values())


def measure(plan: EfficiencyPlan) -> Experiment:
    """Minutes: the task's compute once by the network, and rounds of it by single processes before and
    after, since a machine is not as fast all the time."""
    document = _document(plan)
    draft = build_draft(document, Path(), "Efficiency", None)  # before its processes fail with the same words
    exact = _laps("exact", document, plan.laps, plan.miners)
    plain = _laps("plain", document, plan.laps, plan.miners)
    run = _network(plan, draft)
    plan.say(
        f"network: {run.samples:,} samples in {run.seconds:.0f} s, {run.processor_s:.0f} s of processor time"
    )
    exact += _laps("exact", document, plan.laps, plan.miners)
    plain += _laps("plain", document, plan.laps, plan.miners)
    found = (_side("one process, the same arithmetic", exact), _side("one process, plain float32", plain))
    ratio = _per_sample(exact) * run.samples / run.processor_s
    return Experiment(
        name="efficiency",
        title="The network against one process",
        lead=(
            "Processor time of every process of the network for a sample that was accepted, certified and "
            "paid, beside the same sample in one process that trusts itself."
        ),
        settings={
            **{
                name: getattr(plan, name)
                for name in ("miners", "rounds", "shards", "samples", "micro_batch", "laps", "seed")
            },
            "members": MEMBERS,
            "sample_ppm": SAMPLE_PPM,
            "detection": detection(BAD_OF, BAD, SAMPLE_PPM, HONEST),
            "seconds_a_shard": round(_per_sample(exact) * plan.samples, 3),
        },
        sheets=(_sheet(run, found, plan.miners), _programs(run)),
        panels=(_panel(run),),
        ok=ratio >= GOAL,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """What a sample costs one process: processor and wall-clock seconds, medians of its laps."""

    name: str
    processor_s: float
    wall_s: float


def _side(name: str, laps: Sequence[Lap]) -> Side:
    wall = median(lap.wall_s / lap.samples for lap in laps)
    return Side(name=name, processor_s=_per_sample(laps), wall_s=wall)


def _per_sample(laps: Sequence[Lap]) -> float:
    return median(lap.processor_s / lap.samples for lap in laps)


def _sheet(run: Run, sides: Sequence[Side], cores: int) -> Sheet:
    network, wall = run.processor_s / run.samples, run.seconds * cores / run.samples
    rows: list[tuple[Any, ...]] = [
        ("network", round(1_000 * network, 4), round(1 / network, 1), "", round(1 / wall, 1), "")
    ]
    rows += [
        (
            side.name, round(1_000 * side.processor_s, 4), round(1 / side.processor_s, 1),
            round(100 * side.processor_s / network, 1), round(1 / side.wall_s, 1),
            round(100 * side.wall_s / wall, 1),
        )
        for side in sides
    ]  # fmt: skip
    columns = (
        "who", "processor ms a sample", "samples a processor second", "network reaches of it, %",
        "samples a second and core", "network reaches of that, %",
    )  # fmt: skip
    note = (
        "Processor time is user and system time of all programs, from the post to the last certificate. The "
        f"cores of the wall-clock columns are {cores}: so many miners, or single processes at a time."
    )
    return Sheet(title="Network and one process", columns=columns, rows=rows, note=note)


def _programs(run: Run) -> Sheet:
    busy, idle = by_role(run.processor), by_role(run.idle)
    counts = by_role(dict.fromkeys(run.processor, 1.0))
    rows: list[tuple[Any, ...]] = [
        (
            role, int(counts[role]), round(seconds, 2), round(100 * seconds / run.processor_s, 2),
            round(100 * idle.get(role, 0.0) / counts[role], 2),
        )
        for role, seconds in sorted(busy.items(), key=lambda item: -item[1])
    ]  # fmt: skip
    columns = ("programs", "count", "processor s", "% of all", "each when idle, % of a core")
    note = f"Idle is measured over {IDLE_S:g} s before the task is posted."
    return Sheet(title="Where the time goes", columns=columns, rows=rows, note=note)


def _network(plan: EfficiencyPlan, draft: Draft) -> Run:
    local = LocalNetwork(fresh_folder(plan.folder), attached=True, say=plan.say)
    try:
        network = local.up(NetworkPlan(miners=plan.miners, validators=MEMBERS))
        poster = client_of(network, "poster")
        before, table = processor_s(local.supervisor.table), local.supervisor.table
        time.sleep(IDLE_S)
        idle = {name: took / IDLE_S for name, took in spent(before, processor_s(table)).items()}
        before, began = processor_s(table), time.monotonic()
        posted = poster.post(draft)
        _await(poster, posted, plan.rounds, began + GIVE_UP_S)
        seconds, after = time.monotonic() - began, processor_s(table)
        return Run(
            samples=_accepted(poster, posted, plan.rounds),
            seconds=seconds,
            processor=spent(before, after),
            idle=idle,
        )
    finally:
        local.stop()


def _await(poster: Client, posted: Posted, rounds: int, end: float) -> None:
    while (done := poster.contracts.market.task(posted.task_id).last_round) < rounds:
        if time.monotonic() > end:
            raise VerificationFailed(
                "the run", f"{done} of {rounds} rounds are certified after {GIVE_UP_S:g} s"
            )
        time.sleep(POLL_S)


def _accepted(poster: Client, posted: Posted, rounds: int) -> int:
    """The samples of all contributions that the certificates of ``rounds`` rounds name."""
    history = read_task(poster.contracts, poster.blobs, posted.task_id, at_least=rounds)
    return sum(
        signed.contribution.samples
        for segment in history.segments
        for record in segment.record.rounds
        for signed in record.contributions
    )


def _laps(kind: str, document: dict[str, Any], laps: int, processes: int) -> list[Lap]:
    """By several single processes at the same time, so that they share caches and clocks as miners do."""
    command = (sys.executable, "-m", "pot.experiment.baseline", kind, str(laps))
    children = [
        subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, **ONE_THREAD},
        )
        for _ in range(processes)
    ]
    found = []
    for child in children:
        assert child.stdin is not None
        child.stdin.write(json.dumps(document))
        child.stdin.close()
    for child in children:
        assert child.stdout is not None
        found += [Lap(**json.loads(line)) for line in child.stdout]
        if child.wait(timeout=GIVE_UP_S) != 0:
            raise VerificationFailed("the baseline", f"its process ended with status {child.returncode}")
    return found


def _document(plan: EfficiencyPlan) -> dict[str, Any]:
    return {
        "model": {"arch": "cnn", "params": {"height": 8, "width": 8, "channels": 64}},
        "dataset": {"source": "digits"},
        "recipe": {
            "optimizer": {"kind": "sgd", "lr": "0.05", "momentum": "0.9"},
            "rounds": plan.rounds,
            "shards": plan.shards,
            "global_batch": plan.shards * plan.samples,
            "micro_batch": min(plan.micro_batch, plan.samples),
            "seed": plan.seed,
        },
        "verification": {"sample": f"{SAMPLE_PPM / (PPM / 100):.4f}%"},
        "money": {
            "reward_per_shard": "1 POT",
            "fee_per_round": "1 POT",
            "miner_stake": "100 POT",
            "slash_per_fault": "50 POT",
        },
        "limits": {
            "task_life": "1h",
            "round_deadline": "120s",
            "min_shards": plan.shards,
            "max_uncertified_rounds": 4,
        },
    }


def _panel(run: Run) -> "Callable[[Axes], None]":
    def draw(axes: "Axes") -> None:
        roles = sorted(by_role(run.processor).items(), key=lambda item: item[1])
        axes.barh([role for role, _ in roles], [seconds for _, seconds in roles])
        axes.set_xlabel("processor seconds")

    return draw
