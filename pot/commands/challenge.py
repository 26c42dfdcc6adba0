"""``pot challenge``: say that a contribution was accepted wrongly."""

from typing import Annotated

import typer

from pot.output import Reply
from pot.session import session_of
from protocol.batches import MAX_MICRO_BATCHES

app = typer.Typer(add_completion=False)


@app.command()
def challenge(
    ctx: typer.Context,
    task: Annotated[int, typer.Argument(metavar="TASK", min=1, help="Number of the task.")],
    round_: Annotated[int, typer.Option("--round", min=1, help="Round of the contribution.")],
    shard: Annotated[int, typer.Option(min=0, help="Its shard.")],
    batch: Annotated[
        int | None,
        typer.Option(
            min=0,
            max=MAX_MICRO_BATCHES - 1,
            metavar="NUMBER",
            help="Micro-batch that is wrong, for the court to execute first; default: found by re-execution.",
        ),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask before the bond is paid.")] = False,
    unchecked: Annotated[
        bool, typer.Option("--unchecked", help="Bring it without re-executing the work here first.")
    ] = False,
) -> Reply:
    """Challenge an accepted contribution before its window closes; a court re-executes it. Costs a bond."""
    from pot.disputes.bringing import challenge_reply

    return challenge_reply(
        session_of(ctx), task, round_, shard, batch=batch, assume_yes=yes, unchecked=unchecked
    )
