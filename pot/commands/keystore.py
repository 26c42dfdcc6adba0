"""``pot keystore``: keys at rest. Keys and passwords are never shown and never stand on a command line."""

from pathlib import Path
from typing import Annotated

import typer

from pot.output import Reply
from pot.session import session_of

app = typer.Typer(add_completion=False)


@app.callback()
def keystore() -> None:
    """Make and check key files."""


@app.command()
def create(
    ctx: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Where the new keystore goes.")],
) -> Reply:
    """Make a fresh key, encrypted with the password in --password-file; a file that does not exist yet is
    made with a random password."""
    from pot.keys import create_reply

    return create_reply(session_of(ctx), file)


@app.command()
def show(
    ctx: typer.Context,
    file: Annotated[str, typer.Argument(metavar="FILE", help="A keystore, or a name in .pot/network.json.")],
) -> Reply:
    """Open a keystore with its password and print its address."""
    from pot.keys import show_reply

    return show_reply(session_of(ctx), file)
