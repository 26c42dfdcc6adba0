"""Blocks, transactions, and the event list that auditors filter and take home."""

import json
from collections.abc import Iterator
from typing import Annotated, Final

from fastapi import APIRouter, Query
from fastapi.responses import HTMLResponse, Response, StreamingResponse

from coordinator import network_views
from coordinator.web.deps import MAX_ID, Before, Text, Web, WebDep
from coordinator.web.explorer import Explorer
from protocol.ids import parse_address, parse_hex_bytes

router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)

ROWS: Final = 25
EXPORT_PAGE: Final = 500
EVENT_KINDS: Final = (
    *("TaskCreated", "CommitteeDrawn", "CertificateAccepted", "Claimed", "SigningFeeClaimed"),
    *("FaultSlashed", "TaskCancelled", "TaskClosed", "TaskDisputed", "DisputeEnded", "FaultVoided"),
    *("CertificatesOverturned", "Deposited", "Unbonded", "Withdrawn", "StakeSlashed"),
    *("ContestPosted", "EntryCommitted", "TestSetReleased", "EntryRevealed", "PanelDrawn", "ScoresAccepted"),
    *("ScoresChallenged", "ChallengeDecided", "SignerSlashed", "EntrySlashed", "ContestClosed"),
    *("BlockAppended", "Collected"),
    *("ValidatorJoined", "EndpointChanged", "ValidatorLeft", "EpochAdvanced", "EquivocationProven"),
)
TaskQuery = Annotated[str, Query(pattern="^[0-9]{0,16}$")]


@router.get("/block")
def get_blocks(web: WebDep, upto: Before = None) -> Response:
    explorer = Explorer(web.contracts)
    head = explorer.head()
    last = head if upto is None else min(upto, head)
    return web.pages.page("blocks", news=web.newest_news(), blocks=explorer.blocks(last, ROWS), head=head)


@router.get("/block/{number}")
def get_block(web: WebDep, number: int) -> Response:
    return web.pages.page("block", block=Explorer(web.contracts).block(min(max(number, 0), MAX_ID)))


@router.get("/tx/{tx_hash}")
def get_transaction(web: WebDep, tx_hash: str) -> Response:
    return web.pages.page("tx", tx=Explorer(web.contracts).transaction(parse_hex_bytes(tx_hash, 32)))


@router.get("/audit")
def get_audit(
    web: WebDep,
    before: Before = None,
    task: TaskQuery = "",
    account: Text = None,
    kind: Text = None,
    contest: TaskQuery = "",
) -> Response:
    """Events with filters; the certificate checker; how to replay."""
    with web.ctx.store.read() as tx:
        events = network_views.list_chain_events(
            tx,
            before=before,
            limit=ROWS,
            task_id=int(task) if task else None,
            account=parse_address(account) if account else None,
            kind=kind or None,
            contest_id=int(contest) if contest else None,
        )
    chosen = {"task": task, "contest": contest, "account": account or "", "kind": kind or ""}
    return web.pages.page("audit", events=events, kinds=EVENT_KINDS, chosen=chosen)


@router.get("/audit/events.jsonl")
def get_events_file(
    web: WebDep, task: TaskQuery = "", account: Text = None, kind: Text = None, contest: TaskQuery = ""
) -> StreamingResponse:
    """The same list, whole, one JSON document a line, newest first."""
    who = parse_address(account) if account else None
    about = int(contest) if contest else None
    lines = _event_lines(web, int(task) if task else None, who, kind or None, about)
    headers = {"Content-Disposition": 'attachment; filename="events.jsonl"', "Cache-Control": "no-store"}
    return StreamingResponse(lines, media_type="application/jsonl", headers=headers)


def _event_lines(
    web: Web, task: int | None, account: str | None, kind: str | None, contest: int | None
) -> Iterator[str]:
    before: int | None = None
    while True:
        with web.ctx.store.read() as tx:
            page = network_views.list_chain_events(
                tx,
                before=before,
                limit=EXPORT_PAGE,
                task_id=task,
                account=account,
                kind=kind,
                contest_id=contest,
            )
        for item in page.items:
            fields = {name: getattr(item, name) for name in item.__dataclass_fields__}
            yield json.dumps(fields, separators=(",", ":"), ensure_ascii=False) + "\n"
        if page.next is None:
            return
        before = int(page.next)
