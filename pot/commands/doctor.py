"""``pot doctor``: what is missing here, for all roles."""

import typer

from pot.output import Reply
from pot.session import session_of

app = typer.Typer(add_completion=False)


@app.command()
def doctor(ctx: typer.Context) -> Reply:
    """Look at tools and services, start nothing, and name the command that fixes what is missing."""
    from pot.doctor import doctor_reply

    return doctor_reply(session_of(ctx), "all")
