"""``pot chain``: the learning chain from its genesis, with an RPC endpoint and the blob store alone."""

from typing import TYPE_CHECKING, Annotated

import typer

from pot.output import Reply, Table
from pot.session import Session, session_of

if TYPE_CHECKING:
    from protocol.ids import Address
    from protocol.learning_block import Block
    from protocol.typed_data import Domain

app = typer.Typer(add_completion=False)

Contest = Annotated[
    str | None, typer.Option(metavar="ADDR", help="The contest contract, if the network does not name it.")
]


@app.callback()
def chain() -> None:
    """The learning chain: blocks that were won by training."""


@app.command()
def show(ctx: typer.Context, contest: Contest = None) -> Reply:
    """The blocks that the contract tells of; each hashed and linked from the genesis on."""
    blocks, _, _ = _read(session_of(ctx), contest)
    return _reply(blocks, f"{len(blocks)} blocks.")


@app.command()
def verify(ctx: typer.Context, contest: Contest = None) -> Reply:
    """Walk the chain from its genesis: headers, links, payloads and their signatures, and that each winner's
    model is stored under its hash. Exits 1 where one is not true."""
    from protocol.blobs import DEFAULT_MAX_BYTES, BlobMissing
    from protocol.chain.learning_log import check_payloads
    from protocol.errors import VerificationFailed
    from protocol.ids import Sha256

    session = session_of(ctx)
    try:
        blocks, domain, _ = _read(session, contest)
        blobs = session.client("poster").blobs
        payloads = check_payloads(blocks, blobs, domain)
        for block in blocks[1:]:
            blobs.get(Sha256(block.model), DEFAULT_MAX_BYTES)
    except (VerificationFailed, BlobMissing) as error:
        return Reply(data={"ok": False, "problem": str(error)}, text=[f"NOT true: {error}"], ok=False)
    count = sum(len(each) for each in payloads)
    return _reply(blocks, f"True from the genesis on: {len(blocks)} blocks with {count} payloads.")


def _read(session: Session, contest: str | None) -> "tuple[list[Block], Domain, Address]":
    from protocol.chain.learning_log import read_chain
    from protocol.errors import ConfigurationError
    from protocol.ids import parse_address
    from protocol.typed_data import Domain

    client = session.client("poster")
    named = contest or client.deployment.to_json().get("contest")
    if not named:
        raise ConfigurationError("This network names no contest contract; write --contest ADDR.")
    address = parse_address(str(named))
    domain = Domain(chain_id=client.deployment.chain_id, market=address)
    blocks = read_chain(client.contracts.client, address, domain, client.deployment.block)
    return blocks, domain, address


def _reply(blocks: "list[Block]", verdict: str) -> Reply:
    rows = [
        (
            str(b.height),
            b.hash.hex()[:16],
            b.kind.name.lower(),
            str(b.task or "-"),
            b.winner,
            f"{b.correct}/{b.answers}",
            b.model.hex()[:16],
            str(b.time),
        )
        for b in blocks
    ]
    columns = ("height", "hash", "kind", "task", "winner", "right answers", "model", "time")
    data = [
        {
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
        for b in blocks
    ]
    return Reply(data={"ok": True, "blocks": data}, text=[Table(columns=columns, rows=rows), verdict])
