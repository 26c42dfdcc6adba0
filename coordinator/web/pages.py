"""The pages that show: a network, its tasks, its accounts. Each is one read of the index."""

from typing import Annotated, Final

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse, Response

from coordinator import network_views, views
from coordinator.account_views import account_detail, contest_part, task_parts, why_nothing
from coordinator.contest_views import list_contests
from coordinator.learning_views import list_blocks
from coordinator.store.chain_tables import Task
from coordinator.store.unit_of_work import Transaction
from coordinator.web.deps import AddressPath, Before, TaskPath, Text, Web, WebDep
from coordinator.web.form import SOURCES, form_sections, model_fields
from protocol.errors import Refused
from protocol.ids import parse_address

router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)

ROWS: Final = 25
FEW: Final = 8
IMMUTABLE: Final = {
    "Cache-Control": "public, max-age=31536000, immutable",
    "X-Content-Type-Options": "nosniff",
}
Cursor = Annotated[str, Query(max_length=42)]


def _task(tx: Transaction, task_id: int) -> Task:
    task = tx.tasks.get(task_id)
    if task is None:
        raise Refused(f"There is no task {task_id}.", "NoSuchTask")
    return task


@router.get("/static/{version}/{name:path}")
def get_static(web: WebDep, request: Request, version: str, name: str) -> Response:
    asset = web.pages.assets.get(version, name)
    if asset is None:
        return Response(status_code=404)
    if "gzip" not in request.headers.get("accept-encoding", ""):
        return Response(asset.data, media_type=asset.media_type, headers=IMMUTABLE)
    headers = {**IMMUTABLE, "Content-Encoding": "gzip", "Vary": "Accept-Encoding"}
    return Response(asset.gzipped, media_type=asset.media_type, headers=headers)


@router.get("/")
def get_network(web: WebDep) -> Response:
    """The network: totals, tasks, miners, validators, last events."""
    news = web.newest_news()
    with web.ctx.store.read() as tx:
        return web.pages.page(
            "network",
            news=news,
            network=network_views.network(tx, web.config.deployment, web.ctx.now_s()),
            tasks=views.list_tasks(tx, before=None, limit=FEW, poster=None),
            miners=network_views.list_miners(tx, after="", limit=FEW, now_s=web.ctx.now_s()),
            validators=network_views.list_validators(tx, after="", limit=FEW),
            contests=list_contests(tx, before=None, limit=FEW),
            blocks=list_blocks(tx, web.config.deployment.contest_domain, upto=None, limit=FEW),
            events=network_views.list_chain_events(
                tx, before=None, limit=FEW, task_id=None, account=None, kind=None
            ),
        )


@router.get("/task")
def get_tasks(web: WebDep, before: Before = None, poster: Text = None) -> Response:
    who = parse_address(poster) if poster else None
    with web.ctx.store.read() as tx:
        found = views.list_tasks(tx, before=before, limit=ROWS, poster=who)
    return web.pages.page("tasks", tasks=found, poster=who)


@router.get("/task/{task_id}")
def get_task(
    web: WebDep,
    task_id: TaskPath,
    upto: Before = None,
    before: Before = None,
    miner: Text = None,
    verdict: Text = None,
    account: Cursor = "",
) -> Response:
    """One task; ``upto`` pages rounds, ``before`` contributions, ``account`` accounts."""
    news = web.newest_news()
    who = parse_address(miner) if miner else None
    with web.ctx.store.read() as tx:
        task = _task(tx, task_id)
        detail = views.task_detail(tx, task)
        last = detail.summary.round if upto is None else min(upto, detail.summary.rounds)
        rounds = views.list_rounds(tx, task_id, after=max(0, last - ROWS), limit=ROWS)
        given = views.list_contributions(
            tx, task_id=task_id, before=before, limit=ROWS, miner=who, verdict=verdict or None
        )
    accounts = [item for item in detail.accounts if item.account.lower() > account.lower()]
    return web.pages.page(
        "task",
        news=news,
        task=detail,
        rounds=rounds.items[::-1],
        first_round=rounds.items[0].round if rounds.items else 0,
        contributions=given,
        accounts=accounts[:ROWS],
        more_accounts=accounts[ROWS - 1].account if len(accounts) > ROWS else None,
        miner=who,
        verdict=verdict,
        now_s=int(web.ctx.now_s()),
    )


@router.get("/task/{task_id}/why")
def get_why(
    web: WebDep,
    task_id: TaskPath,
    account: Text = None,
    round_number: Annotated[int | None, Query(alias="round", ge=1, le=65_535)] = None,
    tx: Text = None,
) -> Response:
    """``pot why``, in the browser."""
    answer = web.desk.explain(task_id, account=account, round_number=round_number, tx=tx)
    return web.pages.page("why", task_id=task_id, answer=answer, account=account, round=round_number, tx=tx)


@router.get("/miner")
def get_miners(web: WebDep, after: Cursor = "") -> Response:
    with web.ctx.store.read() as tx:
        found = network_views.list_miners(tx, after=after, limit=ROWS, now_s=web.ctx.now_s())
    return web.pages.page("miners", miners=found)


@router.get("/validator")
def get_validators(web: WebDep, after: Cursor = "") -> Response:
    with web.ctx.store.read() as tx:
        found = network_views.list_validators(tx, after=after, limit=ROWS)
    return web.pages.page("validators", validators=found)


@router.get("/post")
def get_post(web: WebDep) -> Response:
    """The form; quoting and signing are its script's."""
    sections, models = form_sections(), model_fields()
    return web.pages.page("post", sections=sections, models=models, sources=SOURCES)


@router.get("/account")
def get_own_account(web: WebDep) -> Response:
    """Where the wallet's account begins: the script knows its address, we do not."""
    return web.pages.page("own_account")


@router.get("/account/{address}")
@router.get("/miner/{address}")
@router.get("/validator/{address}")
def get_account(
    web: WebDep,
    address: AddressPath,
    before: Before = None,
    tasks: Before = None,
    contests: Before = None,
) -> Response:
    """Stake, money by task, why there is none, and everything that happened to the account."""
    with web.ctx.store.read() as tx:
        now_s = web.ctx.now_s()
        detail = account_detail(tx, address, now_s)
        cursor = tx.chain.cursor()
        return web.pages.page(
            "account",
            news=web.newest_news(),
            who=detail,
            nothing=why_nothing(tx, detail, now_s),
            parts=task_parts(tx, address, before=tasks, limit=ROWS),
            posted=views.list_tasks(tx, before=None, limit=FEW, poster=address),
            part=contest_part(tx, address, now_s, before=contests, limit=ROWS),
            chain_s=cursor.timestamp if cursor else 0,
            events=network_views.list_chain_events(
                tx, before=before, limit=ROWS, task_id=None, account=address, kind=None
            ),
            now_s=int(now_s),
        )


def error_page(web: Web, request: Request, status: int, message: str) -> Response:
    """What somebody sees who asked for a page that cannot be."""
    return web.pages.page("error", status=status, code=status, message=message, path=request.url.path)
