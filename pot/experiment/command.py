"""``pot experiment``: measurements that anybody can repeat."""

import sys
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryFile
from typing import TYPE_CHECKING, Annotated

import typer

from pot.output import Reply, Table, facts
from protocol.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Callable

    from pot.experiment.findings import Findings
    from pot.experiment.sheets import Experiment
    from protocol.policy import Policy

app = typer.Typer(add_completion=False)

Out = Annotated[Path, typer.Option("--out", metavar="DIR", help="Folder for data and plots.")]
MAX_SEED = 1 << 52
Seed = Annotated[int, typer.Option(min=0, max=MAX_SEED, help="Everything random follows from it.")]


@app.callback()
def experiment() -> None:
    """Measurements that anybody can repeat: data, plots, seeds and the machine."""


@app.command()
def verification(
    out: Out = Path("verification"),
    derive: Annotated[
        int, typer.Option(min=0, max=64, help="Derive limits anew from so many tasks per shape.")
    ] = 0,
    validating: Annotated[int, typer.Option(min=1, max=1024, help="Other tasks to try them on.")] = 1,
    rounds: Annotated[int, typer.Option(min=1, max=1024, help="Rounds of 8 shards per task.")] = 2,
    campaigns: Annotated[
        int, typer.Option(min=1, max=1_000_000, help="Simulated tasks per sampling rate.")
    ] = 2_000,
    full: Annotated[bool, typer.Option("--full", help="As much as the published figures rest on.")] = False,
    policy: Annotated[
        str, typer.Option(metavar="shipped|FILE", help="Limits to try where none are derived.")
    ] = "shipped",
    seed: Seed = 100,
) -> Reply:
    """How often does the check reject honest work here, and what does it catch? Tries the shipped policy, or
    derives one."""
    from pot.experiment.findings import Plan
    from pot.experiment.pages import write
    from pot.experiment.verification import measure

    _writable(out)
    derived = 2 if full else derive
    plan = Plan(
        calibrating=derived,
        validating=4 if full else validating,
        rounds=20 if full else rounds,
        cheat_rounds=31 if full else 5,
        campaigns=10_000 if full else campaigns,
        players=20 if full else 5,
        seed=seed,
        policy=None if derived else _policy(policy),
        say=lambda line: print(line, file=sys.stderr, flush=True),
    )
    found = measure(plan)
    document = write(found, out)
    return Reply(data=document, text=_text(found, out), ok=found.ok)


@app.command()
def robustness(
    out: Out = Path("robustness"),
    rounds: Annotated[int, typer.Option(min=1, max=1024, help="Rounds of 12 shards.")] = 20,
    seed: Seed = 7,
    seeds: Annotated[int, typer.Option(min=1, max=64, help="So many seeds, from that one on.")] = 1,
    quarter: Annotated[
        bool, typer.Option("--quarter", help="No attackers and a quarter of them, nothing between.")
    ] = False,
) -> Reply:
    """How much accuracy do attackers cost whom nobody samples? Every aggregation rule against every attack
    and number of attackers, in one process."""
    from pot.experiment.robustness import RobustnessPlan, measure

    plan = RobustnessPlan(rounds=rounds, seeds=tuple(range(seed, seed + seeds)))
    if quarter:
        plan = replace(plan, forged=(0, plan.shards // 4))
    return _reply(lambda: measure(plan, _say), out)


@app.command()
def sml(
    out: Out = Path("sml"),
    networks: Annotated[int, typer.Option(min=1, max=1_000, help="Networks per data set and size.")] = 2,
    thefts: Annotated[int, typer.Option(min=1, max=1_000_000, help="Thefts against the trace.")] = 240,
    miners: Annotated[int, typer.Option(min=2, max=64, help="Honest miners whose weights are stolen.")] = 3,
    every: Annotated[int, typer.Option(min=1, max=10, help="Steps between two checkpoints of a trace.")] = 1,
    seed: Seed = 7,
) -> Reply:
    """What does the Secure Mapping Layer cost, and what do a thief's transplants and false traces get past
    it?"""
    from pot.experiment.sml import SmlPlan, measure

    plan = SmlPlan(seeds=networks, attempts=thefts, miners=miners, seed=seed, every=every, say=_say)
    return _reply(lambda: measure(plan), out)


@app.command()
def committee(
    out: Out = Path("committee"),
    draws: Annotated[int, typer.Option(min=1, max=10_000_000, help="Committees drawn per figure.")] = 300,
    decisions: Annotated[int, typer.Option(min=1, max=10_000, help="Agreements per size.")] = 5,
    seed: Seed = 7,
) -> Reply:
    """How large must a committee be that cannot be captured, and what does that size cost?"""
    from pot.experiment.committees import CommitteePlan, measure

    plan = CommitteePlan(
        draws=draws, decisions=decisions, sizes=(4, 7, 16, 25, 31, 40, 64), seed=seed, say=_say
    )
    return _reply(lambda: measure(plan), out)


@app.command("block-time")
def block_time(
    out: Out = Path("block-time"),
    blocks: Annotated[int, typer.Option(min=8, max=100_000, help="Contest blocks per half.")] = 16,
    factor: Annotated[int, typer.Option(min=1, max=1_000, help="Times as many of the quick ones.")] = 8,
    seed: Seed = 7,
) -> Reply:
    """How steady are block intervals when hashing, contests or pooled rounds make the blocks, with miners who
    come and go?"""
    from pot.experiment.block_time import BlockTimePlan, measure

    return _reply(lambda: measure(BlockTimePlan(blocks=blocks, factor=factor, seed=seed, say=_say)), out)


@app.command()
def cost(
    out: Out = Path("cost"),
    repeats: Annotated[int, typer.Option(min=1, max=1_000, help="Measurements of each part.")] = 3,
    decisions: Annotated[int, typer.Option(min=1, max=10_000, help="Agreements per size.")] = 10,
    seed: Seed = 7,
) -> Reply:
    """What do verification and agreement add to the training, and what does a sample cost?"""
    from pot.experiment.cost import CostPlan, measure

    return _reply(lambda: measure(CostPlan(repeats=repeats, decisions=decisions, seed=seed, say=_say)), out)


@app.command()
def throughput(
    out: Out = Path("throughput"),
    miners: Annotated[list[int] | None, typer.Option(min=1, max=4_096, help="Identities; repeat it.")] = None,
    tasks: Annotated[int, typer.Option(min=1, max=64, help="Tasks at the same time.")] = 2,
    rounds: Annotated[int, typer.Option(min=1, max=1_024, help="Rounds of each task.")] = 4,
    shards: Annotated[int, typer.Option(min=1, max=1_024, help="Shards of a round, at most.")] = 8,
    processes: Annotated[int, typer.Option(min=1, max=64, help="Processes that share the miners.")] = 2,
    faults: Annotated[
        str,
        typer.Option(
            metavar="none|some|both",
            help="Kill a quarter of the miners' processes, a validator, the coordinator, the broker.",
        ),
    ] = "both",
    seed: Seed = 7,
) -> Reply:
    """How much does the whole network do on this machine, with many miners, and while parts of it are
    killed?"""
    from pot.experiment.outcome import Load
    from pot.experiment.throughput import ThroughputPlan, measure

    loads = [
        Load(miners=count, tasks=tasks, rounds=rounds, shards=shards, processes=processes, faults=faulty)
        for count in miners or (4, 16)
        for faulty in _faulty(faults)
    ]
    return _reply(lambda: measure(ThroughputPlan(loads=tuple(loads), folder=out, seed=seed, say=_say)), out)


@app.command()
def efficiency(
    out: Out = Path("efficiency"),
    miners: Annotated[int, typer.Option(min=1, max=64, help="Miners, and single processes at a time.")] = 2,
    rounds: Annotated[int, typer.Option(min=1, max=1_024, help="Rounds of the task.")] = 12,
    shards: Annotated[int, typer.Option(min=1, max=1_024, help="Shards of a round.")] = 10,
    samples: Annotated[int, typer.Option(min=256, max=1 << 20, help="Samples of a shard.")] = 8_192,
    micro_batch: Annotated[
        int,
        typer.Option(min=32, max=1 << 16, help="Samples of a micro-batch: each is committed to by itself."),
    ] = 1_024,
    laps: Annotated[
        int, typer.Option(min=1, max=1_024, help="Rounds by each single process, before and after.")
    ] = 1,
    seed: Seed = 7,
) -> Reply:
    """What share of one process's throughput does the network keep, certified and sampled, where a shard
    takes a core seconds? Also: what each process does when idle."""
    from pot.experiment.efficiency import EfficiencyPlan, measure

    if laps > rounds:
        raise InvalidInput(f"--laps is {laps}, but the task has {rounds} rounds (--rounds).")
    plan = EfficiencyPlan(
        folder=out,
        miners=miners,
        rounds=rounds,
        shards=shards,
        samples=samples,
        micro_batch=micro_batch,
        laps=laps,
        seed=seed,
        say=_say,
    )
    return _reply(lambda: measure(plan), out)


def _faulty(faults: str) -> tuple[bool, ...]:
    known = {"none": (False,), "some": (True,), "both": (False, True)}
    if faults not in known:
        raise InvalidInput(f"--faults is {faults!r}; it is none, some or both.")
    return known[faults]


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _reply(measure: "Callable[[], Experiment]", out: Path) -> Reply:
    """Measure, write the experiment's folder and show its tables."""
    from pot.experiment.sheets import write

    _writable(out)
    found = measure()
    text: list[str | Table] = []
    for sheet in (sheet for sheet in found.sheets if sheet.brief):
        text += [sheet.table(), *([sheet.note] if sheet.note else []), ""]
    text.append(f"Everything is in {out}/, the page is {out}/{found.name}.html.")
    return Reply(data=write(found, out), text=text, ok=found.ok)


def _writable(out: Path) -> None:
    """Before minutes are spent. Raises InvalidInput."""
    try:
        out.mkdir(parents=True, exist_ok=True)
        with TemporaryFile(dir=out):
            pass
    except OSError as error:
        raise InvalidInput(f"--out {out} cannot be written to: {error.strerror}.") from error


def _policy(named: str) -> "Policy":
    from protocol.policy import MAX_POLICY_BYTES, Policy, default_policy

    if named == "shipped":
        return default_policy()
    try:
        with Path(named).open("rb") as stream:
            return Policy.parse(stream.read(MAX_POLICY_BYTES + 1))
    except OSError as error:
        raise InvalidInput(f"{named} (the policy) cannot be read: {error.strerror}.") from error


def _honest(found: "Findings", name: str) -> str:
    seen = found.honest_class(name)
    return (
        f"{seen['false_positives']} false positives in {seen['checks']:,} checks of {seen['shards']:,} "
        f"shards, {seen['doubtful']} in doubt; below {seen['rate_below']:.2g} of checks, "
        f"{seen['rate_below_by_shards']:.2g} by shard (95 %)"
    )


def _text(found: "Findings", out: Path) -> list[str | Table]:
    kinds = ", ".join(f"{kind} {row['caught']}/{row['tried']}" for kind, row in found.zones.items())
    lines: list[str | Table] = list(
        facts(
            [
                *((f"honest work, {name}", _honest(found, name)) for name in found.shards_by_class),
                ("tests over rounds", f"{found.alarms} alarms in {found.histories:,} honest histories"),
                ("caught once sampled", kinds),
                ("empty cells", ", ".join(found.policy.empty)),
            ]
        )
    )
    lines.append(
        Table(
            title="The dial",
            columns=("shards", "bad", "sampled", "honest eyes", "quoted", "measured", "extra compute"),
            rows=[
                (
                    str(item.case.total),
                    str(item.case.bad),
                    f"{item.case.share_ppm / 10_000:.3g} %",
                    str(item.case.honest),
                    f"{100 * item.case.quoted:.2f} %",
                    f"{100 * item.rate:.2f} %",
                    f"{100 * item.case.extra_compute:.2f} %",
                )
                for item in found.dials
            ],
        )
    )
    lines.append(
        f"Policy {found.policy.hash.hex()}; everything is in {out}/, the page is {out}/verification.html."
    )
    return lines
