"""``pot disputes``: what disputes there are."""

from typing import Annotated

import typer

from pot.output import Reply
from pot.session import session_of

app = typer.Typer(add_completion=False)


@app.command()
def disputes(
    ctx: typer.Context,
    task: Annotated[
        int | None, typer.Argument(metavar="[TASK]", min=1, help="Only of this task, with its cases.")
    ] = None,
) -> Reply:
    """Disputes, their cases, deadlines and verdicts, and what can be done about them now."""
    from pot.disputes.listing import list_disputes

    return list_disputes(session_of(ctx).client("poster"), task)
