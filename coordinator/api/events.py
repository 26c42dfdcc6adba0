"""News as they happen: server-sent events that resume where a client left off."""

import json
from collections.abc import AsyncIterator
from typing import Annotated, Final

from fastapi import APIRouter, Header, Query, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import StreamingResponse

from coordinator.api.deps import MAX_ID, Api, ApiDep
from coordinator.api.feed_hub import Entry
from protocol.errors import ServiceUnreachable

router = APIRouter(tags=["events"])

PING_S: Final = 15.0
RETRY_MS: Final = 1_000


class Streams:
    """Counts the open streams of one application."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.open = 0


@router.get("/events", response_class=StreamingResponse)
async def get_events(
    api: ApiDep,
    request: Request,
    task: Annotated[int | None, Query(ge=1, le=MAX_ID, description="only this task's news")] = None,
    after: Annotated[
        int | None, Query(ge=0, le=MAX_ID, description="start after this id; 0: from the start")
    ] = None,
    last_event_id: Annotated[str | None, Header(max_length=20)] = None,
) -> StreamingResponse:
    """The feed as server-sent events; ``id`` only grows, and ``Last-Event-ID`` resumes after it.

    Each event's data is ``{"id", "at_s", "kind", "task_id", "data"}``. Without a starting point the
    stream begins with what happens next.
    """
    streams: Streams = request.app.state.streams
    if streams.open >= streams.limit:
        raise ServiceUnreachable("the event stream", "/events", f"{streams.limit} streams are open")
    start = after if after is not None else api.hub.newest_id
    if last_event_id is not None and last_event_id.isascii() and last_event_id.isdigit():
        start = int(last_event_id)
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return StreamingResponse(
        _stream(api, streams, start, task), media_type="text/event-stream", headers=headers
    )


async def _stream(api: Api, streams: Streams, start: int, task: int | None) -> AsyncIterator[str]:
    streams.open += 1
    last = start
    try:
        yield f"retry: {RETRY_MS}\n\n"
        while not api.hub.stopping:
            entries = await run_in_threadpool(api.hub.after, last)
            for entry in entries:
                last = entry.id
                if task is None or entry.task_id == task:
                    yield _format(entry)
            if not entries:
                await api.hub.wait(last, PING_S)
                if api.hub.newest_id <= last:
                    yield ": still here\n\n"
    finally:
        streams.open -= 1


def _format(entry: Entry) -> str:
    told = {
        "id": entry.id,
        "at_s": entry.at_s,
        "kind": entry.kind,
        "task_id": None if entry.task_id is None else str(entry.task_id),
        "data": entry.data,
    }
    return f"id: {entry.id}\nevent: {entry.kind}\ndata: {json.dumps(told, separators=(',', ':'))}\n\n"
