"""A deployment with a trained task, its index, and the pages over it."""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from fastapi import FastAPI

from coordinator.bell import Bell
from coordinator.blob_cache import BlobCache
from coordinator.chain.indexer import Indexer
from coordinator.config import CoordinatorConfig
from coordinator.services.context import Context
from coordinator.services.ledgers import Ledgers
from coordinator.store.engine import open_engine
from coordinator.store.migrate import migrate
from coordinator.store.unit_of_work import Store
from pot.client import Client
from pot.desk import PotDesk
from pot.settings import Settings, load_settings
from tests.support.coordinator_world import Asked, Queue
from tests.support.pages import served
from tests.support.pot_network import PotNetwork
from worker.training.data import DatasetCache


@dataclass(frozen=True, slots=True, kw_only=True)
class PageNetwork:
    """``app`` serves the pages; ``settings`` are those of a ``pot`` command in the network's folder."""

    network: PotNetwork
    app: FastAPI
    settings: Settings
    store: Store
    reading: threading.Lock = field(default_factory=threading.Lock)

    def index(self) -> None:
        """Read the chain to its present end."""
        with self.reading:
            indexer = Indexer(self.network.contracts, self.store, time.time)
            while not indexer.poll():
                pass

    def client(self, role: str) -> Client:
        return Client(self.settings, role=role)


@contextmanager
def page_network(network: PotNetwork) -> Iterator[PageNetwork]:
    """The pages of ``network``, as its coordinator would serve them."""
    described = json.loads((network.folder / ".pot" / "network.json").read_text())
    settings = load_settings({**_flags(described), "state_dir": network.folder / "state"})
    engine = open_engine(f"sqlite:///{network.folder}/pages.sqlite3")
    migrate(engine)
    store, deployment = Store(engine, Bell()), network.contracts.deployment
    blobs = BlobCache(network.blobs)
    ctx = Context(
        store=store,
        blobs=blobs,
        domain=deployment.domain,
        committee=Asked(),
        jobs=Queue(),
        ledgers=Ledgers(blobs, deployment.domain),
        datasets=DatasetCache(),
        now_s=time.time,
        listening_since_s=time.time(),
        api_url="http://127.0.0.1:1",
    )
    config = CoordinatorConfig(
        deployment=deployment,
        rpc_url=network.contracts.client.rpc_url,
        broker_url="redis://127.0.0.1:1",
        database_url="sqlite://",
        blob_url=described["blob_url"],
    )
    made = PageNetwork(
        network=network, app=served(ctx, config, PotDesk(settings)), settings=settings, store=store
    )
    made.index()
    try:
        yield made
    finally:
        store.close()


def _flags(described: dict[str, object]) -> dict[str, object]:
    names = {"rpc_url": "chain_url"}
    return {names.get(name, name): value for name, value in described.items()}


def write_draft(folder: Path, text: str) -> Path:
    path = folder / "draft.yaml"
    path.write_text(text)
    return path
