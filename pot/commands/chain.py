"""``pot chain``: the learning chain from its genesis, with an RPC endpoint and the blob store alone."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pot.output import Reply, Table
from pot.session import Session, session_of

if TYPE_CHECKING:
    from pot.learning import Walk
    from protocol.chain.learning_log import LearningLog
    from protocol.learning_block import Block
    from protocol.learning_payload import Ordered

app = typer.Typer(add_completion=False)

Contest = Annotated[
    str | None, typer.Option(metavar="ADDR", help="The contest contract, if the network does not name it.")
]


@app.callback()
def chain() -> None:
    """The learning chain: blocks won by training, or by a small puzzle while no contest is open."""


@app.command()
def show(ctx: typer.Context, contest: Contest = None) -> Reply:
    """The blocks that the contract tells of, hashed and linked from the genesis on, and the payloads that
    they order."""
    from pot.learning import walk

    session = session_of(ctx)
    walked = walk(_read(session, contest), session.client("poster").blobs)
    count = sum(len(each.taken) for each in walked.ordered)
    return _reply(walked, f"{len(walked.blocks)} blocks with {count} payloads.")


@app.command()
def verify(ctx: typer.Context, contest: Contest = None) -> Reply:
    """Walk the chain from its genesis: headers, links, puzzles, every list of payloads with signatures and
    numbers, and that each winner's model is stored under its hash. Exits 1 where one is not true. A payload
    that does not follow its author's number is void, and told: it makes no block untrue."""
    from pot.learning import check_models, walk
    from protocol.errors import VerificationFailed

    session = session_of(ctx)
    try:
        blobs = session.client("poster").blobs
        walked = walk(_read(session, contest), blobs)
        check_models(walked.blocks, blobs)
    except VerificationFailed as error:
        return Reply(data={"ok": False, "problem": str(error)}, text=[f"NOT true: {error}"], ok=False)
    count = sum(len(each.taken) for each in walked.ordered)
    void = sum(len(each.void) for each in walked.ordered)
    told = f" {void} are void." if void else ""
    return _reply(
        walked, f"True from the genesis on: {len(walked.blocks)} blocks with {count} payloads.{told}"
    )


@app.command()
def submit(
    ctx: typer.Context,
    text: Annotated[str | None, typer.Option(help="What to put on the chain, as text.")] = None,
    data: Annotated[str | None, typer.Option(metavar="0x..", help="The same as bytes in hex.")] = None,
    file: Annotated[
        Path | None, typer.Option(help="The same from a file.", exists=True, dir_okay=False)
    ] = None,
) -> Reply:
    """Sign up to 1,024 bytes as your next payload and hand it to the validators, for the block of whoever
    wins next. Exits 1 when none keeps it. A validator forgets what waits when it restarts: submit again."""
    from pot.learning import submit as submit_payload
    from protocol.signing import KeySigner

    session = session_of(ctx)
    client = session.client("poster")
    content = _content(text, data, file)
    done = submit_payload(client.contracts, client.blobs, KeySigner(bytes(client.account.key)), content)
    rows = [
        (validator, said if isinstance(said, str) else said.why or "keeps it")
        for validator, said in done.answers
    ]
    digest = done.payload.digest(client.deployment.contest_domain).hex()
    return Reply(
        data={
            "ok": done.kept > 0,
            "digest": digest,
            "author": done.payload.author,
            "sequence": done.payload.sequence,
            "kept_by": done.kept,
            "validators": dict(rows),
        },
        text=[
            Table(columns=("validator", "says"), rows=rows),
            f"Payload {done.payload.sequence} of {done.payload.author} is kept by {done.kept} of "
            f"{len(rows)} validators.",
        ],
        ok=done.kept > 0,
    )


@app.command()
def mine(
    ctx: typer.Context,
    blocks: Annotated[int, typer.Option(min=1, max=1_000, help="How many blocks to append.")] = 1,
    processes: Annotated[int, typer.Option(min=1, max=256, help="Processes that hash.")] = 1,
    payloads: Annotated[
        bool, typer.Option(help="Carry the payloads that wait at the validators; they cost gas.")
    ] = True,
) -> Reply:
    """Append puzzle blocks while no contest is open: 2^18 hashes on average, and one transaction each. Nobody
    is paid for them."""
    from pot.learning import mine as mine_puzzles

    session = session_of(ctx)
    client = session.client("poster")
    found = mine_puzzles(
        client.contracts, client.blobs, client.sender,
        blocks=blocks, processes=processes, gather=payloads, say=session.say,
    )  # fmt: skip
    rows = [
        (str(one.block.height), one.block.hash.hex(), str(one.payloads), str(one.receipt.gas_used))
        for one in found
    ]
    data = [
        {**_block_json(one.block), "payloads": one.payloads, "gas_used": one.receipt.gas_used}
        for one in found
    ]
    return Reply(
        data={"ok": True, "blocks": data},
        text=[Table(columns=("height", "hash", "payloads", "gas"), rows=rows)],
    )


def _content(text: str | None, data: str | None, file: Path | None) -> bytes:
    """What exactly one of three options says. Raises InvalidInput."""
    from protocol.errors import InvalidInput
    from protocol.learning_payload import MAX_DATA_BYTES

    if sum(value is not None for value in (text, data, file)) != 1:
        raise InvalidInput("Write what to submit by one of --text, --data and --file.")
    if text is not None:
        content = text.encode()
    elif file is not None:
        with file.open("rb") as stream:
            content = stream.read(MAX_DATA_BYTES + 1)
    else:
        try:
            content = bytes.fromhex((data or "").removeprefix("0x"))
        except ValueError as error:
            raise InvalidInput(f"--data is not hex: {error}.") from error
    if len(content) > MAX_DATA_BYTES:
        raise InvalidInput(
            f"A payload has at most {MAX_DATA_BYTES} bytes; store more as a blob and submit its hash."
        )
    return content


def _read(session: Session, contest: str | None) -> "LearningLog":
    from pot.learning import read_blocks
    from protocol.ids import parse_address

    contracts = session.client("poster").contracts
    return read_blocks(contracts, parse_address(contest) if contest else None)


def _reply(walked: "Walk", verdict: str) -> Reply:
    rows = [
        (
            str(b.height),
            b.hash.hex()[:16],
            b.kind.name.lower(),
            str(b.task or "-"),
            b.winner,
            f"{b.correct}/{b.answers}" if b.answers else "-",
            b.model.hex()[:16] if b.answers else "-",
            str(b.time),
            str(len(ordered.taken)),
        )
        for b, ordered in zip(walked.blocks, walked.ordered, strict=True)
    ]
    columns = ("height", "hash", "kind", "task", "winner", "right answers", "model", "time", "payloads")
    data = [
        {**_block_json(b), **_ordered_json(ordered)}
        for b, ordered in zip(walked.blocks, walked.ordered, strict=True)
    ]
    text: list[Any] = [Table(columns=columns, rows=rows)]
    orders = [
        (str(b.height), payload.author, str(payload.sequence), _shown(payload.data))
        for b, ordered in zip(walked.blocks, walked.ordered, strict=True)
        for payload in ordered.taken
    ]
    if orders:
        text.append(Table(columns=("block", "author", "number", "payload"), rows=orders))
    text += [
        f"Block {b.height}: void: {why}"
        for b, o in zip(walked.blocks, walked.ordered, strict=True)
        for why in o.void
    ]
    return Reply(data={"ok": True, "blocks": data}, text=[*text, verdict])


def _shown(data: bytes) -> str:
    """Text where it is printable, hex otherwise; cut for a table."""
    try:
        text = data.decode()
    except UnicodeDecodeError:
        text = ""
    shown = text if text.isprintable() and text else "0x" + data.hex()
    return shown if len(shown) <= 48 else shown[:45] + "..."


def _ordered_json(ordered: "Ordered") -> dict[str, Any]:
    return {"payloads": [payload.to_json() for payload in ordered.taken], "void": list(ordered.void)}


def _block_json(b: "Block") -> dict[str, Any]:
    return {
        "height": b.height,
        "hash": b.hash.hex(),
        "parent": b.parent.hex(),
        "kind": b.kind.name.lower(),
        "task": str(b.task),
        "winner": b.winner,
        "model": b.model.hex(),
        "correct": b.correct,
        "answers": b.answers,
        "transactions": b.transactions.hex(),
        "time": b.time,
    }
