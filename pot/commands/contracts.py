"""``pot contracts``: compile and deploy."""

from pathlib import Path
from typing import Annotated

import typer

from pot.output import Reply, facts
from pot.session import session_of

app = typer.Typer(add_completion=False)


@app.callback()
def contracts() -> None:
    """Compile and deploy the contracts."""


@app.command("compile")
def compile_(ctx: typer.Context) -> Reply:
    """Compile the Solidity sources with the pinned compiler."""
    from contracts.compile import compile_contracts

    sizes = {name: len(artifact.bytecode) for name, artifact in compile_contracts().items()}
    return Reply(data={"creation_bytes": sizes}, text=facts([(n, f"{s:,} bytes") for n, s in sizes.items()]))


@app.command()
def deploy(
    ctx: typer.Context,
    token: Annotated[
        str | None, typer.Option(help="ERC-20 with permit to use; default: deploy DevToken.")
    ] = None,
    treasury: Annotated[
        str | None, typer.Option(help="Receives slashed remainders; default: deployer.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Write the addresses as a pot.toml.")] = None,
) -> Reply:
    """Deploy everything from the keystore's account and print the addresses."""
    from pot.deployment import deploy_reply

    return deploy_reply(session_of(ctx).client("deployer"), token, treasury, out)
