"""The pages put onto the API's application: routes, and errors as pages for those who asked for a page."""

import json
from typing import Final

from fastapi import FastAPI, Request
from fastapi.concurrency import run_in_threadpool
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from coordinator.web import chain_pages, contest_pages, evidence, pages, wallet_api
from coordinator.web.deps import Web

MAX_PROBLEM_BYTES: Final = 64 * 1024
#: A refusal answers a question about something that is not there, when somebody only looks.
_STATUS: Final = {409: 404}


def install_pages(app: FastAPI, web: Web) -> None:
    """Serve the pages of ``web`` beside the API."""
    app.state.web = web
    for module in (pages, chain_pages, contest_pages, wallet_api, evidence):
        app.include_router(module.router)
    app.add_middleware(ErrorPages, web=web)


class ErrorPages:
    """Shows the problems that the API tells in JSON as pages, to browsers that asked for one."""

    def __init__(self, app: ASGIApp, web: Web) -> None:
        self._app = app
        self._web = web

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if not _wants_page(scope):
            await self._app(scope, receive, send)
            return
        status, body = 0, b""

        async def watched(message: Message) -> None:
            nonlocal status, body
            if message["type"] == "http.response.start" and message["status"] >= 400:
                status = message["status"]
            elif status == 0:
                await send(message)
            elif len(body) < MAX_PROBLEM_BYTES:
                body += message.get("body", b"")

        await self._app(scope, receive, watched)
        if status:
            request = Request(scope)
            shown = await run_in_threadpool(
                pages.error_page, self._web, request, _STATUS.get(status, status), _sentence(body)
            )
            await shown(scope, receive, send)


def _wants_page(scope: Scope) -> bool:
    if scope["type"] != "http" or scope["method"] != "GET" or scope["path"].startswith("/blobs/"):
        return False
    return b"text/html" in dict(scope["headers"]).get(b"accept", b"")


def _sentence(body: bytes) -> str:
    """What a problem document says."""
    try:
        document = json.loads(body)
        return str(document.get("message") or document.get("detail") or "")
    except (ValueError, AttributeError):
        return ""
