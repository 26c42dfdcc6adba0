"""The API with its pages over a store, as one process serves them."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn
from fastapi import FastAPI

from anvil.network import free_ports
from coordinator.api.app import create_app
from coordinator.api.deps import Api
from coordinator.api.feed_hub import FeedHub
from coordinator.config import CoordinatorConfig
from coordinator.metrics import Metrics
from coordinator.services.context import Context
from coordinator.web.app import install_pages
from coordinator.web.assets import Assets
from coordinator.web.deps import Web
from coordinator.web.desk import Desk, NoDesk
from coordinator.web.render import Pages, Site, contract_addresses
from protocol.chain.client import ChainClient
from protocol.chain.contracts import Contracts


def served(ctx: Context, config: CoordinatorConfig, desk: Desk | None = None) -> FastAPI:
    """The application as the coordinator's process composes it; the chain need not be there."""
    api = Api(config=config, ctx=ctx, hub=FeedHub(ctx.store), metrics=Metrics(ctx.store, ctx.now_s))
    app = create_app(api)
    deployment = config.deployment
    site = Site(
        chain_id=deployment.chain_id,
        local=True,
        rpc_url=config.rpc_url,
        contracts=contract_addresses(deployment),
    )
    web = Web(
        config=config,
        ctx=ctx,
        contracts=Contracts.at(ChainClient(config.rpc_url, 2.0), deployment),
        desk=desk or NoDesk(),
        pages=Pages(Assets(), site),
        newest_news=lambda: api.hub.newest_id,
    )
    install_pages(app, web)
    return app


@contextmanager
def listening(app: FastAPI) -> Iterator[str]:
    """``app`` on a port of this machine; its URL."""
    (port,) = free_ports(1)
    server = uvicorn.Server(uvicorn.Config(app, port=port, log_config=None, timeout_graceful_shutdown=2))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    try:
        while not server.started:
            assert thread.is_alive(), "the server has ended"
            threading.Event().wait(0.05)
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join(10)
