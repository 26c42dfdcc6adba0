"""What miners post, and what everybody may see of them."""

from typing import Annotated, Any

from fastapi import APIRouter, Body, Query
from pydantic import BaseModel, ConfigDict, Field

from coordinator import network_views
from coordinator.api.deps import AddressPath, ApiDep, Limit
from coordinator.domain.leases import Verdict
from coordinator.services.accept_contribution import HandedIn, accept_contribution
from coordinator.services.register_heartbeat import register_heartbeat
from coordinator.view_models import MinerView, Page
from protocol.batches import MAX_MICRO_BATCHES
from protocol.blobs import BlobMissing
from protocol.errors import Refused, ServiceUnreachable

router = APIRouter(tags=["miners"])


class ContributionIn(BaseModel):
    """A signed contribution (EIP-712 ``Contribution``) with the attempt and fence of its job."""

    model_config = ConfigDict(strict=True, extra="forbid")

    task_id: str = Field(max_length=78)
    round: int
    shard: int
    miner: str = Field(max_length=42)
    spec_hash: str = Field(max_length=64)
    parent_model: str = Field(max_length=64)
    gradient: str = Field(max_length=64)
    batches: list[Annotated[str, Field(max_length=64)]] = Field(max_length=MAX_MICRO_BATCHES)
    samples: int
    loss_micros: int
    signature: str = Field(max_length=132)
    attempt: int
    fence: int


class Answer(BaseModel):
    """``accepted``, or ``duplicate``: it was taken before."""

    verdict: Verdict


class Heard(BaseModel):
    """After how many seconds the next sign of life is due: later where many miners are alive."""

    next_s: float


@router.post(
    "/contributions", responses={409: {"description": "late or stale: this shard is somebody else's"}}
)
def post_contribution(api: ApiDep, body: ContributionIn) -> Answer:
    """Hand in a shard. 2xx: taken; 4xx: never will be; 5xx: try again."""
    try:
        verdict = accept_contribution(api.ctx, HandedIn.from_json(body.model_dump()))
    except BlobMissing as error:
        # The blob store may be slower than the miner.
        raise ServiceUnreachable(
            "the gradient", error.name.hex(), "it is not in the blob store yet"
        ) from error
    api.metrics.contributions.labels(verdict=verdict.value).inc()
    if not verdict.taken:
        raise Refused(
            f"The contribution is {verdict.value}: the shard is filled or leased again.", verdict.value
        )
    return Answer(verdict=verdict)


@router.post("/miners/{address}/heartbeat")
def post_heartbeat(api: ApiDep, address: AddressPath, body: Annotated[dict[str, Any], Body()]) -> Heard:
    """A signed sign of life (EIP-712 ``Heartbeat``)."""
    return Heard(next_s=register_heartbeat(api.ctx, address, body))


@router.get("/miners")
def get_miners(
    api: ApiDep, limit: Limit = 100, after: Annotated[str, Query(max_length=42)] = ""
) -> Page[MinerView]:
    """Miners that were heard of, by address."""
    with api.ctx.store.read() as tx:
        return network_views.list_miners(tx, after=after, limit=limit, now_s=api.ctx.now_s())
