"""What endpoints are given."""

from dataclasses import dataclass
from typing import Annotated, cast

from fastapi import Depends, Path, Query, Request

from coordinator.api.feed_hub import FeedHub
from coordinator.config import CoordinatorConfig
from coordinator.metrics import Metrics
from coordinator.services.context import Context
from protocol.ids import Address, Sha256, parse_address, parse_sha256


@dataclass(frozen=True, slots=True, kw_only=True)
class Api:
    """Everything behind the endpoints."""

    config: CoordinatorConfig
    ctx: Context
    hub: FeedHub
    metrics: Metrics


def _api(request: Request) -> Api:
    return cast(Api, request.app.state.api)


def _address(address: Annotated[str, Path(description="an Ethereum address")]) -> Address:
    return parse_address(address)


def _sha256(sha256: Annotated[str, Path(description="64 lowercase hex digits")]) -> Sha256:
    return parse_sha256(sha256)


MAX_ID = 2**53
ApiDep = Annotated[Api, Depends(_api)]
AddressPath = Annotated[Address, Depends(_address)]
Sha256Path = Annotated[Sha256, Depends(_sha256)]
TaskPath = Annotated[int, Path(ge=1, le=MAX_ID)]
Limit = Annotated[int, Query(ge=1, le=500)]
Before = Annotated[int | None, Query(ge=0, le=MAX_ID, description="cursor: `next` of the page before")]
After = Annotated[int, Query(ge=0, le=MAX_ID, description="cursor: `next` of the page before")]
Text = Annotated[str | None, Query(max_length=64)]
