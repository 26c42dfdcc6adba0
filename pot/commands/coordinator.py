"""``pot coordinator``: dispatch and bookkeeping, without authority or money."""

from typing import Annotated

import typer

from pot.output import Reply
from pot.session import session_of

app = typer.Typer(add_completion=False)


@app.callback()
def coordinator() -> None:
    """Dispatch and bookkeeping without authority: run."""


@app.command()
def run(
    ctx: typer.Context,
    part: Annotated[
        list[str] | None, typer.Option(help="Only this part (api, indexer, rounds); may be repeated.")
    ] = None,
    adversary: Annotated[
        str | None,
        typer.Option(
            metavar="KIND", help="Misbehave on purpose (censoring-coordinator), for demonstrations."
        ),
    ] = None,
) -> Reply:
    """Index the chain, dispatch shards, propose rounds and serve the API until interrupted."""
    from pot.services import run_coordinator

    return run_coordinator(session_of(ctx).client("coordinator"), tuple(part) if part else None, adversary)
