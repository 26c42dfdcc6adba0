"""The network: totals, validators, chain events, health, metrics."""

from typing import Annotated

from fastapi import APIRouter, Query, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from pydantic import BaseModel

from coordinator import network_views
from coordinator.api.deps import MAX_ID, ApiDep, Before, Limit, Text
from coordinator.view_models import ChainEventView, NetworkView, Page, ValidatorView
from protocol.ids import parse_address

router = APIRouter(tags=["network"])


class Health(BaseModel):
    """``block`` is the newest one indexed, -1 before the first."""

    status: str
    chain_id: int
    block: int


@router.get("/healthz")
def healthz(api: ApiDep) -> Health:
    """200 while the database answers."""
    with api.ctx.store.read() as tx:
        cursor = tx.chain.cursor()
    return Health(
        status="ok",
        chain_id=api.config.deployment.chain_id,
        block=cursor.number if cursor is not None else -1,
    )


@router.get("/network")
def get_network(api: ApiDep) -> NetworkView:
    """The network at a glance."""
    with api.ctx.store.read() as tx:
        return network_views.network(tx, api.config.deployment, api.ctx.now_s())


@router.get("/validators")
def get_validators(
    api: ApiDep, limit: Limit = 100, after: Annotated[str, Query(max_length=42)] = ""
) -> Page[ValidatorView]:
    """Validators that ever joined, by address."""
    with api.ctx.store.read() as tx:
        return network_views.list_validators(tx, after=after, limit=limit)


@router.get("/chain/events")
def get_chain_events(
    api: ApiDep,
    limit: Limit = 100,
    before: Before = None,
    task: Annotated[int | None, Query(ge=1, le=MAX_ID)] = None,
    account: Text = None,
    kind: Text = None,
) -> Page[ChainEventView]:
    """Contract events, newest first."""
    who = parse_address(account) if account is not None else None
    with api.ctx.store.read() as tx:
        return network_views.list_chain_events(
            tx, before=before, limit=limit, task_id=task, account=who, kind=kind
        )


@router.get("/metrics", response_class=Response)
def metrics(api: ApiDep) -> Response:
    """For Prometheus."""
    return Response(generate_latest(api.metrics.registry), media_type=CONTENT_TYPE_LATEST)
