"""Imports point one way, and the checker that says so is itself checked on planted violations."""

from pathlib import Path

import pytest

from anvil.toolchain import PROJECT_ROOT
from tests.support.imports import violations


def plant(root: Path, module: str, text: str) -> None:
    path = root / (module.replace(".", "/") + ".py")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "utf-8")


def test_imports__whole_project__point_one_way() -> None:
    assert [str(violation) for violation in violations(PROJECT_ROOT)] == []


def test_imports__whole_project__are_really_read() -> None:
    packages = {path.parent.name for path in PROJECT_ROOT.glob("*/__init__.py")}
    assert {"protocol", "worker", "committee", "coordinator", "pot", "anvil", "contracts"} <= packages


@pytest.mark.parametrize(
    ("module", "text", "imported"),
    [
        ("protocol.ids", "import worker.agent", "worker.agent"),
        ("protocol.spec", "import torch", "torch"),
        ("protocol.chain.client", "def f():\n    from celery import Celery", "celery.Celery"),
        ("worker.agent", "from committee import node", "committee.node"),
        ("worker.training.step", "import time", "time"),
        ("worker.training.step", "from random import random", "random.random"),
        ("worker.training.data", "from os import path\nimport web3", "web3"),
        ("committee.node", "from worker import agent", "worker.agent"),
        ("committee.node", "from coordinator.domain import lease", "coordinator.domain.lease"),
        ("committee.replica", "import asyncio", "asyncio"),
        ("committee.replica", "def f():\n    import secrets", "secrets"),
        ("coordinator.app", "import committee.replica", "committee.replica"),
        ("coordinator.app", "from worker.app import app", "worker.app.app"),
        ("coordinator.domain.lease", "from datetime import datetime", "datetime.datetime"),
        ("coordinator.domain.lease", "from ..store import tables", "coordinator.store.tables"),
        (
            "coordinator.store.tables",
            "from coordinator.services import collect",
            "coordinator.services.collect",
        ),
        ("coordinator.services.collect", "from coordinator.api import routes", "coordinator.api.routes"),
        ("coordinator.api.routes", "from coordinator.chain import indexer", "coordinator.chain.indexer"),
        ("coordinator.jobs.sweeper", "from coordinator import bootstrap", "coordinator.bootstrap"),
        ("anvil.network", "import coordinator", "coordinator"),
        ("contracts.compile", "from anvil.network import up", "anvil.network.up"),
    ],
)
def test_imports__planted_violation__is_named(tmp_path: Path, module: str, text: str, imported: str) -> None:
    plant(tmp_path, module, text)
    assert {(found.module, found.imported) for found in violations(tmp_path)} == {(module, imported)}


@pytest.mark.parametrize(
    ("module", "text"),
    [
        ("worker.agent", "import time\nimport torch\nfrom protocol.ids import TaskId"),
        ("committee.verify", "from worker.training.replay import replay\nfrom worker import training"),
        ("committee.node", "import asyncio\nfrom committee.replica import Replica"),
        ("coordinator.domain.lease", "from . import task\nfrom protocol.ids import TaskId"),
        ("coordinator.api.routes", "from coordinator.services import collect\nimport fastapi"),
        ("coordinator.bootstrap", "from coordinator.api import routes\nfrom coordinator.store import tables"),
        ("pot.demo", "import committee.node\nimport coordinator.bootstrap\nimport anvil.network"),
        ("anvil.deploy", "from contracts.compile import compile_contracts\nfrom protocol.ids import TaskId"),
    ],
)
def test_imports__allowed_direction__passes(tmp_path: Path, module: str, text: str) -> None:
    plant(tmp_path, module, text)
    assert violations(tmp_path) == []
