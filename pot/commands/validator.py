"""``pot validator``: what committee members do."""

from typing import Annotated

import typer

from pot.output import Reply
from pot.session import session_of

app = typer.Typer(add_completion=False)


@app.callback()
def validator() -> None:
    """Validators: doctor, stake, run, status, claim, unstake."""


@app.command()
def doctor(ctx: typer.Context) -> Reply:
    """Check what a validator needs here."""
    from pot.doctor import doctor_reply

    return doctor_reply(session_of(ctx), "validator")


@app.command()
def stake(
    ctx: typer.Context,
    amount: Annotated[
        str | None, typer.Argument(metavar="[AMOUNT]", help="Default: what is missing to the least stake.")
    ] = None,
    approve: Annotated[
        bool, typer.Option("--approve", help="Approve first instead of signing a permit.")
    ] = False,
    endpoint: Annotated[
        str | None, typer.Option(help="Websocket URL under which the others reach this validator.")
    ] = None,
    bls: Annotated[
        bool,
        typer.Option(
            "--bls-key/--no-bls-key",
            help="Register a BLS key as well, once: large committees sign more cheaply when all have one.",
        ),
    ] = True,
    advance: Annotated[bool, typer.Option("--advance-epoch", help="Begin the next epoch as well.")] = False,
) -> Reply:
    """Deposit stake and join the pool from which the next epoch's committee is taken."""
    from pot.membership import join_reply

    client = session_of(ctx).client("validator")
    return join_reply(client, amount, endpoint, approve=approve, bls=bls, advance=advance)


@app.command()
def run(
    ctx: typer.Context,
    adversary: Annotated[
        str | None,
        typer.Option(metavar="KIND", help="Misbehave on purpose (lazy-validator, ...), for demonstrations."),
    ] = None,
) -> Reply:
    """Check proposals and sign certificates until interrupted."""
    from pot.services import run_validator

    return run_validator(session_of(ctx).client("validator"), adversary)


@app.command()
def status(ctx: typer.Context) -> Reply:
    """Stake, membership, and what is earned and due."""
    from pot.membership import member_status

    return member_status(session_of(ctx).client("validator"))


@app.command()
def claim(
    ctx: typer.Context,
    task: Annotated[int | None, typer.Option("--task", min=1, help="Only this task.")] = None,
    account: Annotated[str | None, typer.Option(help="Claim for somebody else, who is paid.")] = None,
) -> Reply:
    """Take fee shares; the last certificate's share is paid once its task is closed."""
    from pot.earning import claim_reply

    return claim_reply(session_of(ctx).client("validator"), task, account)


@app.command()
def unstake(
    ctx: typer.Context, amount: Annotated[str | None, typer.Option(help="Default: all of it.")] = None
) -> Reply:
    """Leave the pool and begin to take stake out, or withdraw it once its delay is over."""
    from pot.membership import leave_reply

    return leave_reply(session_of(ctx).client("validator"), amount)
