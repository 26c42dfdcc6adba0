"""``pot demo``: the main job, end to end, on this machine."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pot.output import Reply, facts
from pot.session import session_of

if TYPE_CHECKING:
    from pot.report.document import Report

app = typer.Typer(add_completion=False)


@app.command()
def demo(
    ctx: typer.Context,
    miners: Annotated[int, typer.Option(help="Number of miners.")] = 4,
    validators: Annotated[int, typer.Option(help="Number of validators, 3f + 1.")] = 4,
    rounds: Annotated[int, typer.Option(help="Rounds of training.")] = 20,
    adversary: Annotated[
        list[str] | None,
        typer.Option(metavar="KIND[:N]", help="N that misbehave: lazy, silent-primary, ... May be repeated."),
    ] = None,
    kill: Annotated[
        list[str] | None,
        typer.Option(metavar="WHO", help="kill -9 in mid-run: miner, primary, coordinator or broker."),
    ] = None,
    out: Annotated[
        Path, typer.Option(metavar="DIR", help="Folder of report.json, report.html and all logs.")
    ] = Path(".pot/demo"),
) -> Reply:
    """Start a whole network, fund a task on real data, train, certify, pay, audit, and write a report."""
    from pot.demo.cast import parse_cast
    from pot.demo.disturbances import parse_victims
    from pot.demo.plan import DemoPlan

    cast = parse_cast(adversary or [], miners, validators)
    plan = DemoPlan(
        out=out.absolute(),
        miners=miners,
        validators=validators,
        rounds=rounds,
        adversaries=cast.miners,
        wrong_validators=cast.validators,
        wrong_coordinator=cast.coordinator,
        vandal=cast.vandal,
        victims=tuple(parse_victims(kill or [])),
    )
    from pot.demo.display import display
    from pot.demo.run import Demo

    with display(plain=session_of(ctx).json) as show:
        report = Demo(plan, show).run()
    return Reply(data=report.to_value(), text=_summary(report), ok=report.ok)


def _summary(report: "Report") -> list[str]:
    from pot.report.page import percent, tokens

    gas = [item.gas_used for item in report.certificates]
    lines = facts(
        [
            ("rounds", f"{report.rounds} of {report.rounds_wanted} certified"),
            (
                "accuracy",
                f"{percent(report.accuracy.network)} (one process {percent(report.accuracy.centralized)})",
            ),
            ("replay", "bit-identical" if report.replay.identical else "not shown to be identical"),
            ("gas", f"{max(gas):,} for the dearest of {len(gas)} certificates" if gas else "no certificate"),
            (
                "escrow",
                f"{tokens(report.escrow.funded)} funded = {tokens(report.escrow.paid)} paid + "
                f"{tokens(report.escrow.refunded)} refunded",
            ),
            *[
                ("slashed", f"{report.name_of(slash.miner)}: {tokens(slash.amount)}")
                for slash in report.slashes
            ],
            *[(item.target, f"{item.kind}: {item.outcome}") for item in report.disturbances],
            (
                "audit",
                f"passed, {report.audit.rounds_replayed} rounds replayed"
                if report.audit.ok
                else "NOT passed",
            ),
            (
                "time",
                f"{report.seconds.total:.1f} s (set-up {report.seconds.setup:.1f}, "
                f"training {report.seconds.training:.1f})",
            ),
            ("report", f"{report.out}/report.html"),
        ]
    )
    return [*lines, *[f"PROBLEM: {problem}" for problem in report.problems]]
