"""``pot audit``: needs only an RPC URL and the blob URL; never asks the coordinator."""

import random
from collections.abc import Collection
from typing import Annotated

import typer

from pot.output import Reply, Table
from pot.session import session_of
from protocol.errors import InvalidInput

MAX_DIGITS = 7
"""Of a number of rounds; a task has at most a million."""

app = typer.Typer(add_completion=False)


@app.command()
def audit(
    ctx: typer.Context,
    task: Annotated[int, typer.Argument(help="The task's number.")],
    replay: Annotated[
        str, typer.Option(help="Rounds to re-execute from the samples up: `all`, or how many at random.")
    ] = "all",
) -> Reply:
    """Rebuild roots, signatures, payouts and models of a task from events and blobs, and replay its
    rounds."""
    from pot.audit.audit import audit_task
    from protocol.ids import TaskId

    wanted = _wanted(replay)
    session = session_of(ctx)
    client = session.client("auditor")

    def choose(certified: int) -> Collection[int]:
        everything = range(1, certified + 1)
        if wanted is None:
            return everything
        return frozenset(random.SystemRandom().sample(everything, min(wanted, certified)))

    report = audit_task(client.contracts, client.blobs, TaskId(task), choose, session.say)
    rows = [("ok" if line.ok else "LIE", line.subject, line.detail) for line in report.lines]
    lie = report.lie
    verdict = (
        f"Task {task} is true: {report.rounds_certified} rounds certified, {report.rounds_replayed} replayed."
        if lie is None
        else f"Task {task} is NOT true. First lie: {lie.subject}: {lie.detail}"
    )
    rows += [("note", "loss", note) for note in report.notes]
    text = (Table(title=f"Audit of task {task}", columns=("", "subject", "finding"), rows=rows), verdict)
    return Reply(data=report.to_json(), text=text, ok=report.ok)


def _wanted(replay: str) -> int | None:
    if replay == "all":
        return None
    if not replay.isascii() or not replay.isdigit() or len(replay) > MAX_DIGITS:
        raise InvalidInput(f"--replay takes `all` or a number of rounds, not {replay[:40]!r}.")
    return int(replay)
