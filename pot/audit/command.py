"""``pot audit``: needs only an RPC URL and the blob URL; never asks the coordinator."""

import random
from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import unquote, urlsplit

import typer

from pot.output import Reply, Table
from pot.session import session_of
from protocol.errors import InvalidInput, ServiceUnreachable

if TYPE_CHECKING:
    from pot.audit.report import AuditReport

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
    challenge: Annotated[
        bool, typer.Option("--challenge", help="Challenge the first lie, if it can be. Costs a bond.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask before the bond is paid.")] = False,
    contest: Annotated[
        bool, typer.Option("--contest", help="The number is a contest's: count its answers again.")
    ] = False,
) -> Reply:
    """Rebuild roots, signatures, payouts and models of a task from events and blobs, and replay its
    rounds."""
    from pot.audit.audit import audit_task
    from protocol.ids import TaskId

    wanted = _wanted(replay)
    session = session_of(ctx)
    client = session.client("poster")
    _require_folder(client.settings.need("blob_url"))
    if contest:
        from pot.contests.audit import audit_contest

        return audit_contest(client, task)

    def choose(certified: int) -> Collection[int]:
        everything = range(1, certified + 1)
        if wanted is None:
            return everything
        return frozenset(random.SystemRandom().sample(everything, min(wanted, certified)))

    report = audit_task(client.contracts, client.blobs, TaskId(task), choose, session.say)
    cases: list[dict[str, Any]] = []
    if challenge and report.wrong is not None:
        from pot.disputes.bringing import challenge_lie

        cases = challenge_lie(client, TaskId(task), report.wrong, assume_yes=yes)
    rows = [("ok" if line.ok else "LIE", line.subject, line.detail) for line in report.lines]
    verdict = _verdict(task, report)
    rows += [("note", "", note) for note in report.notes]
    hint = _hint(task, report, challenged=bool(cases))
    table = Table(title=f"Audit of task {task}", columns=("", "subject", "finding"), rows=rows)
    return Reply(data={**report.to_json(), "cases": cases}, text=(table, verdict, *hint), ok=report.ok)


def _verdict(task: int, report: "AuditReport") -> str:
    lie = report.lie
    if lie is None:
        return (
            f"Task {task} is true: {report.rounds_certified} rounds certified, "
            f"{report.rounds_replayed} replayed."
        )
    if lie.validator is not None:
        return (
            f"What is certified of task {task} is true, but what {len(report.false_verdicts)} validators say "
            "of their own checking is NOT."
        )
    return f"Task {task} is NOT true. First lie: {lie.subject}: {lie.detail}"


def _hint(task: int, report: "AuditReport", *, challenged: bool) -> list[str]:
    """What can be done about a lie."""
    if challenged:
        return [f"It was challenged; follow it with `pot disputes {task}`."]
    if report.wrong is None:
        return []
    return ["If its window is still open, `pot audit --challenge` challenges it."]


def _require_folder(blob_url: str) -> None:
    """A store that is not there at all is no lie. Raises ServiceUnreachable for a folder that does not
    exist."""
    parts = urlsplit(blob_url)
    if parts.scheme == "file" and not Path(unquote(parts.path)).is_dir():
        raise ServiceUnreachable("the blob store", blob_url, "there is no such folder")


def _wanted(replay: str) -> int | None:
    if replay == "all":
        return None
    if not replay.isascii() or not replay.isdigit() or len(replay) > MAX_DIGITS:
        raise InvalidInput(f"--replay takes `all` or a number of rounds, not {replay[:40]!r}.")
    return int(replay)
