"""What a poster does, as answers: quote, post, cancel, close, fetch."""

import sys
from dataclasses import replace
from pathlib import Path

from pot.amounts import format_amount, parse_duration_s
from pot.client import Client
from pot.confirm import confirm
from pot.dial import wish, with_sampling
from pot.draft import read_draft
from pot.output import Reply, Table, facts, print_lines
from pot.quote import Quote, make_quote
from pot.session import Session
from protocol.ids import TaskId


def quote_task(
    session: Session,
    path: Path,
    committee: int | None,
    *,
    detect: str | None = None,
    bad: int = 1,
    of: int | None = None,
) -> Reply:
    """The quote for a draft: on the network of the settings, or offline for a committee of a given size; with
    ``detect``, at the sampling rate that catches ``bad`` cheated shards of ``of`` with that probability."""
    if committee is not None:
        quote = make_quote(read_draft(path), members=committee, gas_price=0)
    else:
        client = session.client("poster")
        quote = client.quote(client.draft(path))
    return quote_reply(dialed(quote, detect=detect, bad=bad, of=of))


def dialed(quote: Quote, *, detect: str | None, bad: int = 1, of: int | None = None) -> Quote:
    """``quote`` at the sampling rate that catches with probability ``detect``; as it is for None. Raises
    InvalidInput where no rate does it."""
    if detect is None:
        return quote
    asked = wish(quote.spec, members=quote.committee.n, detect=detect, bad=bad, of=of)
    return replace(quote, spec=with_sampling(quote.spec, asked.share_ppm), wish=asked)


def quote_reply(quote: Quote) -> Reply:
    """The quote as an answer."""
    return Reply(data=quote.to_json(), text=_heading(quote))


def post_task(session: Session, path: Path, *, assume_yes: bool, approve: bool, start_in: str) -> Reply:
    """Quote and, once the poster agreed, post. Raises what ``Client.post`` raises."""
    start_in_s = parse_duration_s(start_in, "--start-in")
    client = session.client("poster")
    draft = client.draft(path)
    client.check_funds(draft)
    client.terms(draft, start_in_s=start_in_s)
    quote = client.quote(draft)
    print_lines(_heading(quote), sys.stderr)
    confirm("Sign the permit and create the task?", "the quote", assume_yes=assume_yes)
    posted = client.post(draft, start_in_s=start_in_s, approve=approve)
    text = facts(
        [
            ("task", posted.task_id),
            ("escrow", format_amount(posted.escrow)),
            ("transaction", f"0x{posted.tx_hash.hex()} ({posted.gas_used:,} gas)"),
            ("next", f"`pot task watch {posted.task_id}`"),
        ]
    )
    return Reply(data={**posted.to_json(), "quote": quote.to_json()}, text=text)


def _heading(quote: Quote) -> list[str | Table]:
    return [quote.spec.title, *quote.text()]


def draw_committee(client: Client, number: int) -> Reply:
    """Draw, and say who the members are."""
    client.draw(client.task(TaskId(number)).task_id)
    members = client.contracts.committee.members_of_task(TaskId(number))
    data = {"task_id": str(number), "members": list(members)}
    return Reply(data=data, text=[f"The committee of task {number}:", *members])


def end_task(client: Client, number: int, *, cancel: bool) -> Reply:
    """Cancel or close, and say what came back."""
    end = client.cancel if cancel else client.close
    refund, receipt = end(TaskId(number))
    done = "cancelled" if cancel else "closed"
    data = {
        "task_id": str(number),
        "status": done,
        "refund": str(refund),
        "tx_hash": "0x" + receipt.tx_hash.hex(),
        "gas_used": receipt.gas_used,
    }
    return Reply(
        data=data, text=[f"Task {number} is {done}; {format_amount(refund)} came back to the poster."]
    )


def fetch_model(client: Client, number: int, out: Path | None) -> Reply:
    """Download the certified model and say what it is."""
    fetched = client.fetch(TaskId(number), out or Path(f"task-{number}.safetensors"))
    data = {
        "task_id": str(number),
        "round": fetched.round,
        "model_sha256": fetched.model.hex(),
        "bytes": fetched.size,
        "path": str(fetched.path),
    }
    line = (
        f"{fetched.path}: the model of round {fetched.round}, {fetched.size:,} bytes; "
        f"its sha256 is the certified {fetched.model.hex()}."
    )
    return Reply(data=data, text=[line])
