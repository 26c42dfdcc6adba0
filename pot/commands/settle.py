"""``pot settle``: do what is due in the disputes of a task."""

from typing import Annotated

import typer

from pot.output import Reply
from pot.session import session_of

app = typer.Typer(add_completion=False)


@app.command()
def settle(
    ctx: typer.Context,
    task: Annotated[int, typer.Argument(metavar="TASK", min=1, help="Number of the task.")],
) -> Reply:
    """Summon and draw courts, end overdue disputes, pay out bonds, have the guilty slashed."""
    from pot.disputes.settling import settle_reply

    return settle_reply(session_of(ctx).client("poster"), task)
