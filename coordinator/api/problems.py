"""Errors as answers: one JSON shape, one status per kind."""

from typing import Final

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel

from protocol.blobs import BlobMissing, BlobTooLarge
from protocol.errors import InvalidInput, PeerMisbehaved, PotError, Refused, ServiceUnreachable

_STATUS: Final[tuple[tuple[type[PotError], int], ...]] = (
    (BlobMissing, 404),
    (BlobTooLarge, 413),
    (ServiceUnreachable, 503),
    (InvalidInput, 400),
    (PeerMisbehaved, 422),
    (Refused, 409),
)


class Problem(BaseModel):
    """Why a request failed: ``error`` is the kind, ``message`` a sentence for people."""

    error: str
    message: str


def problem(status: int, error: str, message: str) -> JSONResponse:
    return JSONResponse(Problem(error=error, message=message[:1000]).model_dump(), status)


async def _pot_error(_request: Request, error: Exception) -> JSONResponse:
    status = next((code for kind, code in _STATUS if isinstance(error, kind)), 500)
    reason = getattr(error, "reason", "") or type(error).__name__
    return problem(status, reason, str(error))


async def not_found(_request: Request, error: Exception) -> JSONResponse:
    """For errors that say that something is not there."""
    return problem(404, type(error).__name__, str(error))


async def _invalid(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"])
    return problem(422, "InvalidRequest", f"{where}: {first['msg']}")


def install(app: FastAPI) -> None:
    app.add_exception_handler(PotError, _pot_error)
    app.add_exception_handler(RequestValidationError, _invalid)
