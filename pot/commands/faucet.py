"""``pot faucet``: development tokens and coin on a local chain."""

from typing import Annotated

import typer

from pot.output import Reply
from pot.session import session_of

app = typer.Typer(add_completion=False)


@app.command()
def faucet(
    ctx: typer.Context,
    address: Annotated[str, typer.Argument(metavar="ADDR", help="Who receives.")],
    amount: Annotated[str | None, typer.Option(help='At least this much, e.g. "500 POT".')] = None,
) -> Reply:
    """Development tokens, and coin for gas, on a local chain."""
    from pot.amounts import format_amount, parse_amount
    from pot.faucet import drip
    from protocol.ids import parse_address

    account = parse_address(address)
    units = None if amount is None else parse_amount(amount, "--amount")
    given, coin = drip(session_of(ctx).client("poster"), account, units)
    data = {"account": account, "tokens": str(given), "coin_balance": str(coin)}
    return Reply(
        data=data, text=[f"{account} received {format_amount(given)} and has {coin / 1e18:g} coin for gas."]
    )
