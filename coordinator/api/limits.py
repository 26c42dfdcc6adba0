"""Bounds on what a request may carry, enforced before anybody reads it."""

from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from coordinator.api.problems import problem

MAX_JSON_BYTES: Final = 64 * 1024
_OWN_BOUNDS: Final = ("/blobs/", "/wallet/datasets/")


class BodyLimit:
    """Refuses bodies above MAX_JSON_BYTES, whether announced or streamed; blobs and data sets
    have their own bounds."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"].startswith(_OWN_BOUNDS):
            await self._app(scope, receive, send)
            return
        length = dict(scope["headers"]).get(b"content-length", b"0")
        if not length.isdigit() or int(length) > MAX_JSON_BYTES:
            await problem(413, "TooLarge", f"At most {MAX_JSON_BYTES} bytes are read.")(scope, receive, send)
            return
        taken = 0

        async def bounded() -> Message:
            nonlocal taken
            message = await receive()
            taken += len(message.get("body", b""))
            if taken > MAX_JSON_BYTES:
                return {"type": "http.disconnect"}
            return message

        await self._app(scope, bounded, send)
