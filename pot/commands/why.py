"""``pot why``: each unit earned, withheld or slashed, with evidence."""

from typing import Annotated

import typer

from pot.output import Reply
from pot.session import session_of

app = typer.Typer(add_completion=False)


@app.command()
def why(
    ctx: typer.Context,
    task: Annotated[int, typer.Option("--task", min=1, help="Number of the task.")],
    account: Annotated[str | None, typer.Option(help="Everything about this account.")] = None,
    round_: Annotated[int | None, typer.Option("--round", min=1, help="Everything about this round.")] = None,
    tx: Annotated[str | None, typer.Option(help="Everything that this transaction did.")] = None,
) -> Reply:
    """Explain each unit earned, withheld, slashed. Exits 1 when an account's reasons do not add up."""
    from pot.explaining import explain

    return explain(session_of(ctx).client("poster"), task, account=account, round_number=round_, tx=tx)
