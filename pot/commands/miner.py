"""``pot miner``: what miners do."""

from typing import Annotated

import typer

from pot.output import Reply
from pot.session import session_of

app = typer.Typer(add_completion=False)

Amount = Annotated[str, typer.Argument(metavar="AMOUNT", help='Whole tokens ("100 POT") or smallest units.')]
TaskOption = Annotated[int | None, typer.Option("--task", min=1, help="Only this task.")]
Approve = Annotated[bool, typer.Option("--approve", help="Approve first instead of signing a permit.")]


@app.callback()
def miner() -> None:
    """Miners: doctor, stake, run, status, claim, appeal, unstake."""


@app.command()
def doctor(ctx: typer.Context) -> Reply:
    """Check what a miner needs here."""
    from pot.doctor import doctor_reply

    return doctor_reply(session_of(ctx), "miner")


@app.command()
def stake(ctx: typer.Context, amount: Amount, approve: Approve = False) -> Reply:
    """Deposit stake; it can be slashed for proven fraud."""
    from pot.earning import stake_reply

    return stake_reply(session_of(ctx).client("miner"), amount, approve=approve)


@app.command()
def run(
    ctx: typer.Context,
    adversary: Annotated[
        str | None, typer.Option(metavar="KIND", help="Cheat on purpose (lazy, ...), for demonstrations.")
    ] = None,
    appeal: Annotated[
        bool, typer.Option("--appeal", help="Appeal against wrong faults without being asked; costs bonds.")
    ] = False,
    canary: Annotated[
        bool, typer.Option("--canary", help="Posters: mark every gradient, to see which validators look.")
    ] = False,
) -> Reply:
    """Work for the network until interrupted."""
    from pot.services import run_miner

    return run_miner(session_of(ctx).client("miner"), adversary, appeal=appeal, canary=canary)


@app.command()
def status(ctx: typer.Context) -> Reply:
    """Stake, balances, and what is earned and due."""
    from pot.earning import status_reply

    client = session_of(ctx).client("miner")
    return status_reply(client, client.address, {}, [])


@app.command()
def claim(
    ctx: typer.Context,
    task: TaskOption = None,
    account: Annotated[str | None, typer.Option(help="Claim for somebody else, who is paid.")] = None,
) -> Reply:
    """Take what certified payouts exceed earlier claims by; needs only the chain and the blob store."""
    from pot.earning import claim_reply

    return claim_reply(session_of(ctx).client("miner"), task, account)


@app.command()
def appeal(
    ctx: typer.Context,
    task: Annotated[int, typer.Argument(metavar="TASK", min=1, help="Number of the task.")],
    round_: Annotated[
        int | None, typer.Option("--round", min=1, help="Only the fault in this round,")
    ] = None,
    shard: Annotated[int | None, typer.Option(min=0, help="and of this shard.")] = None,
    miner: Annotated[
        str | None, typer.Option(help="Whose fault it is said to be; default: the keystore's account.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask before the bond is paid.")] = False,
    unchecked: Annotated[
        bool, typer.Option("--unchecked", help="Appeal without re-executing the work here first.")
    ] = False,
) -> Reply:
    """Appeal against a fault before its window closes; a court re-executes the work. Costs a bond."""
    from pot.disputes.bringing import appeal_reply

    return appeal_reply(session_of(ctx), task, (round_, shard), miner, assume_yes=yes, unchecked=unchecked)


@app.command()
def unstake(
    ctx: typer.Context, amount: Annotated[str | None, typer.Option(help="Default: all of it.")] = None
) -> Reply:
    """Begin to take stake out, or withdraw it once its delay is over."""
    from pot.earning import unstake_reply

    return unstake_reply(session_of(ctx).client("miner"), amount)
