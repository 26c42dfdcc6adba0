"""The application: routers, limits, error answers."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from coordinator.api import blobs, events, miners, network, problems, tasks
from coordinator.api.deps import Api
from coordinator.api.limits import BodyLimit

TITLE = "Proof of Training coordinator"
VERSION = "1"
MODULES = (tasks, miners, network, blobs, events)
DESCRIPTION = (
    "Dispatch and bookkeeping of a Proof of Training network. Nothing here has authority: what counts is on "
    "the chain, signed, or named by its hash."
)


def create_app(api: Api) -> FastAPI:
    """The API over ``api``; its event hub lives as long as the application."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        api.hub.start(asyncio.get_running_loop())
        try:
            yield
        finally:
            await asyncio.to_thread(api.hub.stop)

    app = FastAPI(title=TITLE, version=VERSION, description=DESCRIPTION, lifespan=lifespan)
    app.state.api = api
    app.state.streams = events.Streams(api.config.max_streams)
    app.add_middleware(BodyLimit)
    problems.install(app)
    app.add_exception_handler(tasks.NoSuchTask, problems.not_found)
    for module in MODULES:
        app.include_router(module.router)
    return app
