"""Contests, and the learning chain that their winners append to."""

from typing import Annotated

from fastapi import APIRouter, Path
from fastapi.responses import HTMLResponse, Response

from coordinator.contest_phases import can_release
from coordinator.contest_views import contest_detail, list_contests, record_hash
from coordinator.learning_views import block_at, list_blocks, payloads_of
from coordinator.store.unit_of_work import Transaction
from coordinator.web.deps import MAX_ID, Before, Web, WebDep
from protocol.blobs import BlobCorrupt, BlobMissing, BlobTooLarge
from protocol.errors import PeerMisbehaved, Refused
from protocol.ids import Sha256
from protocol.score_record import MAX_RECORD_BYTES, ScoreRecord

router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)

ROWS = 25
NumberPath = Annotated[int, Path(ge=0, le=MAX_ID)]


@router.get("/contest")
def get_contests(web: WebDep, before: Before = None) -> Response:
    with web.ctx.store.read() as tx:
        found = list_contests(tx, before=before, limit=ROWS)
    return web.pages.page("contests", news=web.newest_news(), contests=found)


@router.get("/contest/{number}")
def get_contest(web: WebDep, number: NumberPath) -> Response:
    """One contest: phases, entries, who signed, where the money is, what may be done next."""
    news = web.newest_news()
    with web.ctx.store.read() as tx:
        row = tx.contests.get(number)
        if row is None:
            raise Refused(f"There is no contest {number}.", "ContestUnknown")
        named = record_hash(tx.contests.events(number))
    record, missing = _record(web, named)
    now_s = web.ctx.now_s()
    with web.ctx.store.read() as tx:
        now_s = _now_s(tx, now_s)
        detail = contest_detail(tx, row, now_s, record)
    return web.pages.page(
        "contest",
        news=news,
        contest=detail,
        missing=missing,
        release=can_release(row, now_s),
        now_s=int(now_s),
    )


def _now_s(tx: Transaction, now_s: float) -> float:
    """The chain's clock, where it is ahead of ours."""
    cursor = tx.chain.cursor()
    return max(now_s, cursor.timestamp if cursor else 0)


def _record(web: Web, named: bytes | None) -> tuple[ScoreRecord | None, str]:
    """(the score record, why there is none though one is named)."""
    if named is None:
        return None, ""
    try:
        return ScoreRecord.parse(web.ctx.blobs.get(Sha256(named), MAX_RECORD_BYTES)), ""
    except (BlobMissing, BlobCorrupt, BlobTooLarge, PeerMisbehaved) as error:
        return None, str(error)


@router.get("/learning")
def get_learning_chain(web: WebDep, upto: Before = None) -> Response:
    """The learning chain, newest block first."""
    domain = web.config.deployment.contest_domain
    with web.ctx.store.read() as tx:
        blocks = list_blocks(tx, domain, upto=upto, limit=ROWS)
        height = tx.contests.height()
    return web.pages.page("learning", news=web.newest_news(), blocks=blocks, height=height)


@router.get("/learning/{number}")
def get_learning_block(web: WebDep, number: NumberPath) -> Response:
    """One block of the learning chain with its payloads."""
    domain = web.config.deployment.contest_domain
    with web.ctx.store.read() as tx:
        block = block_at(tx, domain, number)
        height = tx.contests.height()
    if block is None:
        raise Refused(f"The learning chain has no block {number}; its newest is {height}.", "NoBlock")
    payloads, count, missing = payloads_of(web.ctx.blobs, domain, block)
    return web.pages.page(
        "learning_block", block=block, height=height, payloads=payloads, count=count, missing=missing
    )
