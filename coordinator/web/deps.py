"""What pages are given."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, cast

from fastapi import Depends, Path, Query, Request

from coordinator.config import CoordinatorConfig
from coordinator.services.context import Context
from coordinator.web.desk import Desk
from coordinator.web.render import Pages
from protocol.chain.contracts import Contracts
from protocol.ids import Address, parse_address

MAX_ID = 2**53


@dataclass(frozen=True, slots=True, kw_only=True)
class Web:
    """Everything behind the pages; ``newest_news`` is the id of the newest entry of the feed."""

    config: CoordinatorConfig
    ctx: Context
    contracts: Contracts
    desk: Desk
    pages: Pages
    newest_news: Callable[[], int]


def _web(request: Request) -> Web:
    return cast(Web, request.app.state.web)


def _address(address: Annotated[str, Path(description="an Ethereum address", max_length=64)]) -> Address:
    return parse_address(address)


WebDep = Annotated[Web, Depends(_web)]
AddressPath = Annotated[Address, Depends(_address)]
TaskPath = Annotated[int, Path(ge=1, le=MAX_ID)]
Before = Annotated[int | None, Query(ge=0, le=MAX_ID)]
Text = Annotated[str | None, Query(max_length=128)]
