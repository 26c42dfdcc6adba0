"""What a poster does about a contest, as answers: quote, post, release, cancel, close, collect."""

import os
import sys
from pathlib import Path
from typing import Final

from pot.amounts import format_amount
from pot.client import Client
from pot.confirm import confirm
from pot.contests.draft import ContestDraft, read_contest_draft
from pot.contests.quote import ContestQuote, quote_draft, quote_offline
from pot.funding import PERMIT_LIFE_S, require_funds
from pot.output import Reply, Table, facts, print_lines
from pot.session import Session
from protocol.chain.contest import ContestParams
from protocol.errors import InvalidInput, Refused
from protocol.sealed import KEY_BYTES, key_hash

KEYS_FOLDER: Final = "contest-keys"


def quote_contest(session: Session, path: Path, committee: int | None) -> Reply:
    """The quote for a draft: on the network of the settings, or offline for a committee of a given size."""
    draft = read_contest_draft(path)
    if committee is not None:
        quote = quote_offline(draft, committee)
    else:
        quote = quote_draft(session.client("poster"), draft)
    return Reply(data=quote.to_json(), text=_heading(quote))


def post_contest(session: Session, path: Path, *, assume_yes: bool, approve: bool) -> Reply:
    """Quote and, once the poster agreed, store the blobs and the key, then fund and post in one
    transaction."""
    client = session.client("poster")
    draft = read_contest_draft(path)
    quote = quote_draft(client, draft)
    quote.check()
    print_lines(_heading(quote), sys.stderr)
    confirm("Sign the permit and post the contest?", "the quote", assume_yes=assume_yes)
    contest_id, params, gas = post_draft(client, draft, approve=approve)
    text = facts(
        [
            ("contest", contest_id),
            ("escrow", format_amount(params.escrow)),
            ("commitments until", params.commit_deadline),
            ("key", key_path(client, draft.key_hash)),
            ("gas", f"{gas:,}"),
        ]
    )
    return Reply(
        data={
            "contest_id": str(contest_id),
            "spec_hash": draft.spec.hash.hex(),
            "escrow": str(params.escrow),
            "commit_deadline": params.commit_deadline,
            "key_file": str(key_path(client, draft.key_hash)),
            "gas_used": gas,
            "quote": quote.to_json(),
        },
        text=[*text, f"Release the key after the deadline: `pot contest release {contest_id}`."],
    )


def _heading(quote: ContestQuote) -> list[str | Table]:
    return [quote.spec.title, *quote.text()]


def post_draft(client: Client, draft: ContestDraft, *, approve: bool) -> tuple[int, ContestParams, int]:
    """(contest, parameters, gas). The key is on disk before the chain knows its hash: without it the poster
    loses its compensation money. Raises Refused, ServiceUnreachable."""
    contest, token = client.contracts.contest, client.contracts.token
    posted_at = client.contracts.client.pending_time()
    params = ContestParams.of(draft.spec, draft.key_hash, posted_at)
    require_funds(client.contracts, client.address, params.escrow, "The contest")
    write_key(key_path(client, draft.key_hash), draft.key)
    for blob in draft.blobs:
        client.blobs.put(blob)
    if approve:
        client.sender.send(token.approve(contest.address, params.escrow))
        receipt = client.sender.send(contest.post(params))
    else:
        deadline = posted_at + PERMIT_LIFE_S
        permit = token.sign_permit(client.account, contest.address, params.escrow, deadline)
        receipt = client.sender.send(contest.post_with_permit(params, permit))
    topic, _ = contest.event("ContestPosted")
    for log in receipt.logs:
        if bytes.fromhex(log["topics"][0][2:]) == topic:
            return int(log["topics"][1], 16), params, receipt.gas_used
    raise Refused("The transaction was mined, but it tells of no contest.", "NoEvent")


def key_path(client: Client, hashed: bytes) -> Path:
    """Where the key of a contest is kept, by its hash."""
    return client.settings.state_dir / KEYS_FOLDER / f"{hashed.hex()}.key"


def write_key(path: Path, key: bytes) -> None:
    """Write a key durably, readable by its owner alone."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "w", encoding="ascii") as file:
        file.write(key.hex() + "\n")
        file.flush()
        os.fsync(file.fileno())


def release_contest(client: Client, contest_id: int, key_file: Path | None) -> Reply:
    """Release the key of the sealed test set. Raises InvalidInput when it is not the promised one."""
    promised = client.contracts.contest.params(contest_id).key_hash
    path = key_file or key_path(client, promised)
    try:
        key = bytes.fromhex(path.read_text("ascii").strip())
    except (OSError, ValueError) as error:
        raise InvalidInput(f"{path} holds no key of the contest: {error}.") from error
    if len(key) != KEY_BYTES or key_hash(key) != promised:
        raise InvalidInput(f"The key in {path} is not the one that contest {contest_id} promised.")
    receipt = client.sender.send(client.contracts.contest.release(contest_id, key))
    return Reply(
        data={"contest_id": str(contest_id), "tx_hash": "0x" + receipt.tx_hash.hex()},
        text=[f"The key of contest {contest_id} is out; miners reveal their models."],
    )


def end_contest(client: Client, contest_id: int, *, cancel: bool) -> Reply:
    """Cancel a contest without entries, or close one whose time has come."""
    contest = client.contracts.contest
    call = contest.cancel(contest_id) if cancel else contest.close(contest_id)
    receipt = client.sender.send(call)
    outcome = contest.contest(contest_id).outcome.name.lower().replace("_", "-")
    return Reply(
        data={"contest_id": str(contest_id), "outcome": outcome, "tx_hash": "0x" + receipt.tx_hash.hex()},
        text=[f"Contest {contest_id} ended: {outcome}. `pot contest collect` pays out what it owes."],
    )


def collect_reply(client: Client) -> Reply:
    """Pay out everything that contests owe to the account."""
    contest = client.contracts.contest
    owed = contest.owed(client.address)
    if owed:
        client.sender.send(contest.collect(client.address))
    return Reply(
        data={"account": client.address, "collected": str(owed)},
        text=[f"{format_amount(owed)} collected." if owed else "Nothing is owed."],
    )
