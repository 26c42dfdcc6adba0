"""``pot challenge``: say that a contribution was accepted wrongly."""

from typing import Annotated

import typer

from pot.output import Reply
from pot.session import session_of

app = typer.Typer(add_completion=False)


@app.command()
def challenge(
    ctx: typer.Context,
    task: Annotated[int, typer.Argument(metavar="TASK", min=1, help="Number of the task.")],
    round_: Annotated[int, typer.Option("--round", min=1, help="Round of the contribution.")],
    shard: Annotated[int, typer.Option(min=0, help="Its shard.")],
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask before the bond is paid.")] = False,
    unchecked: Annotated[
        bool, typer.Option("--unchecked", help="Bring it without re-executing the work here first.")
    ] = False,
) -> Reply:
    """Challenge an accepted contribution before its window closes; a court re-executes it. Costs a bond."""
    from pot.disputes.bringing import challenge_reply

    return challenge_reply(session_of(ctx), task, round_, shard, assume_yes=yes, unchecked=unchecked)
