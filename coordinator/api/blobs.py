"""The gateway to the blob store, for those who cannot reach it themselves."""

import asyncio
import hashlib
from typing import Final

from fastapi import APIRouter, Request, Response
from fastapi.concurrency import run_in_threadpool

from coordinator.api.deps import ApiDep, Sha256Path
from protocol.blobs import BlobMissing, BlobTooLarge
from protocol.errors import InvalidInput
from protocol.ids import Sha256

router = APIRouter(prefix="/blobs", tags=["blobs"])

MAX_UPLOADS: Final = 8
UPLOAD_TIMEOUT_S: Final = 120.0
_HEADERS: Final = {
    "Cache-Control": "public, max-age=31536000, immutable",
    # Blobs are strangers' bytes: no browser may take them for a page.
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "sandbox; default-src 'none'",
    "Content-Disposition": "attachment",
}
_uploads = asyncio.Semaphore(MAX_UPLOADS)


@router.get("/{sha256}", response_class=Response)
def get_blob(api: ApiDep, sha256: Sha256Path) -> Response:
    """The bytes of that name."""
    data = api.ctx.blobs.get(sha256, api.config.max_upload_bytes)
    headers = {**_HEADERS, "ETag": f'"{sha256.hex()}"'}
    return Response(data, media_type="application/octet-stream", headers=headers)


@router.head("/{sha256}")
def head_blob(api: ApiDep, sha256: Sha256Path) -> Response:
    """Whether there is a blob of that name."""
    if not api.ctx.blobs.has(sha256):
        raise BlobMissing(sha256)
    return Response(status_code=200, headers=_HEADERS)


@router.put("/{sha256}", status_code=201)
async def put_blob(api: ApiDep, sha256: Sha256Path, request: Request) -> Response:
    """Store bytes under their name; 200 when they are there already. The name must be their sha256."""
    if await run_in_threadpool(api.ctx.blobs.has, sha256):
        return Response(status_code=200)
    async with _uploads, asyncio.timeout(UPLOAD_TIMEOUT_S):
        data = await _body(request, sha256, api.config.max_upload_bytes)
        await run_in_threadpool(api.ctx.blobs.put, data)
    api.metrics.uploads.inc(len(data))
    return Response(status_code=201)


async def _body(request: Request, name: Sha256, limit: int) -> bytes:
    announced = request.headers.get("content-length", "0")
    if not announced.isdigit() or int(announced) > limit:
        raise BlobTooLarge(f"blob {name.hex()}", f"at most {limit} bytes are stored here")
    digest, parts, size = hashlib.sha256(), [], 0
    async for part in request.stream():
        size += len(part)
        if size > limit:
            raise BlobTooLarge(f"blob {name.hex()}", f"at most {limit} bytes are stored here")
        digest.update(part)
        parts.append(part)
    if digest.digest() != name:
        raise InvalidInput(f"The bytes have the sha256 {digest.hexdigest()}, not {name.hex()}.")
    return b"".join(parts)
