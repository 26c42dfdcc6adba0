"""The OpenAPI document of everything that one coordinator serves, without starting one."""

from typing import Any

from fastapi import FastAPI

from coordinator.api.app import DESCRIPTION, MODULES, TITLE, VERSION
from coordinator.web import evidence, wallet_api


def document() -> dict[str, Any]:
    """What ``/openapi.json`` answers."""
    app = FastAPI(title=TITLE, version=VERSION, description=DESCRIPTION)
    for module in (*MODULES, wallet_api, evidence):
        app.include_router(module.router)
    return app.openapi()
