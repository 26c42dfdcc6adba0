"""``pot contest``: whole models by competition, for posters, miners and auditors."""

from pathlib import Path
from typing import Annotated

import typer

from pot.output import Reply
from pot.session import session_of

app = typer.Typer(add_completion=False)

SpecPath = Annotated[Path, typer.Argument(metavar="SPEC.yaml", help="The contest's draft; see examples/.")]
ContestArgument = Annotated[int, typer.Argument(metavar="CONTEST", min=1, help="Number of the contest.")]


@app.callback()
def contest() -> None:
    """Contests: quote, post, commit, release, reveal, show, list, challenge, close, cancel, collect, audit,
    demo."""


@app.command()
def quote(
    ctx: typer.Context,
    spec: SpecPath,
    committee: Annotated[
        int | None, typer.Option(min=4, max=64, help="Quote offline for a committee of this size.")
    ] = None,
) -> Reply:
    """What the contest would cost, what its traces cost whom, and what they catch. Signs and sends
    nothing."""
    from pot.contests.posting import quote_contest

    return quote_contest(session_of(ctx), spec, committee)


@app.command()
def post(
    ctx: typer.Context,
    spec: SpecPath,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask before signing.")] = False,
    approve: Annotated[
        bool, typer.Option("--approve", help="Approve first instead of signing a permit.")
    ] = False,
) -> Reply:
    """Quote, seal the test set, store blobs and key, fund the contest, and print its number."""
    from pot.contests.posting import post_contest

    return post_contest(session_of(ctx), spec, assume_yes=yes, approve=approve)


@app.command()
def commit(ctx: typer.Context, contest: ContestArgument) -> Reply:
    """Train a whole model here and commit to it; again after a crash, the same commitment."""
    from pot.contests.mining import commit_reply

    return commit_reply(session_of(ctx).client("miner"), contest)


@app.command()
def release(
    ctx: typer.Context,
    contest: ContestArgument,
    key_file: Annotated[
        Path | None, typer.Option(help="The key, where it is not in the state folder.")
    ] = None,
) -> Reply:
    """Release the key of the test set once no commitment is accepted any more."""
    from pot.contests.posting import release_contest

    return release_contest(session_of(ctx).client("poster"), contest, key_file)


@app.command()
def reveal(ctx: typer.Context, contest: ContestArgument) -> Reply:
    """Show the model that was committed to, after checking that the promised test set was released."""
    from pot.contests.mining import reveal_reply

    return reveal_reply(session_of(ctx).client("miner"), contest)


@app.command("list")
def list_contests(ctx: typer.Context) -> Reply:
    """All contests of the deployment."""
    from pot.contests.views import list_contests

    return list_contests(session_of(ctx).client("poster"))


@app.command()
def show(ctx: typer.Context, contest: ContestArgument) -> Reply:
    """One contest: state, terms, entries, scores, winner."""
    from pot.contests.views import show_contest

    return show_contest(session_of(ctx).client("poster"), contest)


@app.command()
def challenge(
    ctx: typer.Context,
    contest: ContestArgument,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask before the bond is paid.")] = False,
    unchecked: Annotated[
        bool, typer.Option("--unchecked", help="Bring it without counting here first.")
    ] = False,
) -> Reply:
    """Have a larger court count again while the window is open. Costs a bond when it finds the same."""
    from pot.contests.challenging import challenge_contest

    return challenge_contest(session_of(ctx).client("poster"), contest, assume_yes=yes, unchecked=unchecked)


@app.command()
def cancel(ctx: typer.Context, contest: ContestArgument) -> Reply:
    """Withdraw a contest that nobody entered; the whole escrow comes back."""
    from pot.contests.posting import end_contest

    return end_contest(session_of(ctx).client("poster"), contest, cancel=True)


@app.command()
def close(ctx: typer.Context, contest: ContestArgument) -> Reply:
    """End a contest whose time has come. Validators do so too."""
    from pot.contests.posting import end_contest

    return end_contest(session_of(ctx).client("poster"), contest, cancel=False)


@app.command()
def collect(
    ctx: typer.Context,
    role: Annotated[str, typer.Option(help="Whose key: poster, miner or validator.")] = "miner",
) -> Reply:
    """Pay out what contests owe to the account: prizes, fees, compensation, refunds, bonds."""
    from pot.contests.posting import collect_reply

    return collect_reply(session_of(ctx).client(role))


@app.command()
def audit(ctx: typer.Context, contest: ContestArgument) -> Reply:
    """Check a contest from events and blobs alone, counting every answer again."""
    from pot.contests.audit import audit_contest

    return audit_contest(session_of(ctx).client("poster"), contest)


@app.command()
def demo(
    ctx: typer.Context,
    miners: Annotated[int, typer.Option(min=1, max=16, help="Number of miners.")] = 3,
    validators: Annotated[int, typer.Option(min=4, max=16, help="Number of validators, 3f + 1.")] = 4,
    out: Annotated[Path, typer.Option(metavar="DIR", help="Folder of the network and its logs.")] = Path(
        ".pot/contest-demo"
    ),
) -> Reply:
    """A whole contest with real processes on this machine: post, train, commit, release, reveal, score, pay,
    audit."""
    from pot.contests.demo import run_demo

    return run_demo(session_of(ctx).say, miners, validators, out.absolute())
