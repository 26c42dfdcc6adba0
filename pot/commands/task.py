"""``pot task``: what posters do."""

from pathlib import Path
from typing import Annotated

import typer

from pot.output import Reply
from pot.session import session_of

app = typer.Typer(add_completion=False)

SpecPath = Annotated[Path, typer.Argument(metavar="SPEC.yaml", help="The task's draft; see examples/.")]
TaskArgument = Annotated[int, typer.Argument(metavar="TASK", min=1, help="Number of the task.")]
CanaryKeys = Annotated[
    list[str], typer.Option("--canary", metavar="KEYSTORE", help="Key of a canary miner; repeat for more.")
]


@app.callback()
def task() -> None:
    """Posters: quote, post, list, show, watch, draw, plant, open, cancel, close, fetch."""


@app.command()
def quote(
    ctx: typer.Context,
    spec: SpecPath,
    committee: Annotated[
        int | None, typer.Option(min=4, max=64, help="Quote offline for a committee of this size.")
    ] = None,
    detect: Annotated[
        str | None,
        typer.Option(
            metavar="SHARE", help="Find the sampling rate that catches with this probability (95%)."
        ),
    ] = None,
    bad: Annotated[int, typer.Option(min=1, help="...a miner that cheats on so many shards")] = 1,
    of: Annotated[int | None, typer.Option(min=1, help="...of so many; default: all of the task.")] = None,
) -> Reply:
    """What the task would cost and what checking it buys. Signs and sends nothing."""
    from pot.posting import quote_task

    return quote_task(session_of(ctx), spec, committee, detect=detect, bad=bad, of=of)


@app.command()
def post(
    ctx: typer.Context,
    spec: SpecPath,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask before signing.")] = False,
    approve: Annotated[
        bool, typer.Option("--approve", help="Approve first instead of signing a permit.")
    ] = False,
    start_in: Annotated[str, typer.Option(help="When work begins; until then it can be cancelled.")] = "0s",
    browser: Annotated[
        bool, typer.Option("--browser", help="Fill in the page's form; a browser wallet signs.")
    ] = False,
) -> Reply:
    """Quote, store the blobs, sign permit and creation in one transaction, and print the task's number."""
    from pot.posting import post_task

    if browser:
        from pot.browser import post_in_browser

        return post_in_browser(session_of(ctx), spec)
    return post_task(session_of(ctx), spec, assume_yes=yes, approve=approve, start_in=start_in)


@app.command("list")
def list_tasks(ctx: typer.Context) -> Reply:
    """All tasks of the deployment."""
    from pot.views import list_tasks

    return list_tasks(session_of(ctx).client("poster"))


@app.command()
def show(ctx: typer.Context, task: TaskArgument) -> Reply:
    """One task: state, money, certificates, payouts."""
    from pot.views import show_task

    return show_task(session_of(ctx).client("poster"), task)


@app.command()
def watch(
    ctx: typer.Context,
    task: TaskArgument,
    timeout: Annotated[str, typer.Option(help="Give up after this long.")] = "1d",
    accuracy: Annotated[bool, typer.Option(help="Evaluate each certified model on the test split.")] = True,
) -> Reply:
    """Follow a task until it ends. Exits 1 when it ends without all its rounds."""
    from pot.watching import watch_task

    return watch_task(session_of(ctx), task, timeout, with_accuracy=accuracy)


@app.command()
def draw(ctx: typer.Context, task: TaskArgument) -> Reply:
    """Draw a task's committee, where the validators have not; anybody may."""
    from pot.posting import draw_committee

    return draw_committee(session_of(ctx).client("poster"), task)


@app.command()
def plant(
    ctx: typer.Context,
    task: TaskArgument,
    canary: CanaryKeys,
    penalty: Annotated[
        str | None,
        typer.Option(help="What one canary costs a validator that signed for it; default: as quoted."),
    ] = None,
) -> Reply:
    """Commit to miners of yours that will be wrong on purpose (canaries), before the task begins."""
    from pot.canaries import plant_reply

    return plant_reply(session_of(ctx).client("poster"), task, canary, penalty)


@app.command("open")
def open_(
    ctx: typer.Context,
    task: TaskArgument,
    canary: CanaryKeys,
    only: Annotated[
        list[str] | None, typer.Option(metavar="KEYSTORE", help="Open these of them; default: all.")
    ] = None,
) -> Reply:
    """Open canaries: validators that signed for them are charged. Name all keys that were planted."""
    from pot.canaries import open_reply

    return open_reply(session_of(ctx).client("poster"), task, canary, only or [])


@app.command()
def cancel(ctx: typer.Context, task: TaskArgument) -> Reply:
    """Withdraw a task before it begins; the whole escrow comes back."""
    from pot.posting import end_task

    return end_task(session_of(ctx).client("poster"), task, cancel=True)


@app.command()
def close(ctx: typer.Context, task: TaskArgument) -> Reply:
    """End a task that is complete or past its deadline, and refund what nobody earned."""
    from pot.posting import end_task

    return end_task(session_of(ctx).client("poster"), task, cancel=False)


@app.command()
def fetch(
    ctx: typer.Context,
    task: TaskArgument,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="Where to write it (.safetensors).")] = None,
) -> Reply:
    """Download the certified model by its hash and check it."""
    from pot.posting import fetch_model

    return fetch_model(session_of(ctx).client("poster"), task, out)
