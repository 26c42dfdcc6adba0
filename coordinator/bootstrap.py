"""The composition root of the coordinator's process: its parts are put together here and nowhere else."""

import asyncio
import signal
import socket
import threading
import time
from collections.abc import Callable
from typing import Final

import structlog
import uvicorn

from coordinator.api.app import create_app
from coordinator.api.deps import Api
from coordinator.api.feed_hub import POLL_S, FeedHub
from coordinator.bell import Bell
from coordinator.blob_cache import BlobCache
from coordinator.chain.committee_client import CommitteeClient
from coordinator.chain.indexer import Indexer
from coordinator.committee_sink import Sink
from coordinator.config import CoordinatorConfig
from coordinator.contests import ContestsLoop
from coordinator.jobs.producer import JobProducer
from coordinator.metrics import Metrics
from coordinator.rounds import RoundsLoop
from coordinator.services.context import Context
from coordinator.services.evaluate_rounds import evaluate_rounds
from coordinator.services.index_blocks import CursorMoved
from coordinator.services.ledgers import Ledgers
from coordinator.store.engine import open_engine
from coordinator.store.migrate import migrate
from coordinator.store.unit_of_work import Store
from coordinator.web.app import install_pages
from coordinator.web.assets import Assets
from coordinator.web.deps import Web
from coordinator.web.desk import Desk, NoDesk
from coordinator.web.render import Pages, Site, contract_addresses
from protocol.blobs import open_blob_store
from protocol.chain.contracts import Contracts
from protocol.chain.heads import HeadBell
from protocol.chain.local import is_local
from protocol.errors import ConfigurationError, Refused, ServiceUnreachable
from protocol.ids import Address
from protocol.pauses import Pauses
from worker.training.data import DatasetCache

JOIN_TIMEOUT_S: Final = 10.0
SHUTDOWN_S: Final = 3
RETRY_S: Final = 1.0
EVALUATE_POLL_S: Final = 2.0
EVALUATE_AFTER: Final = ("round.closed", "certificate.accepted")
STOP_POLL_S: Final = 0.25
log = structlog.get_logger("coordinator")


class Coordinator:
    """One process's parts, each in a thread of its own: ``start``, then ``wait``, then ``stop``."""

    def __init__(self, config: CoordinatorConfig, desk: Desk | None = None) -> None:
        """Connect to chain and database, bring the schema up, take the port. ``desk`` answers what the pages
        ask of the people's side.

        Raises ConfigurationError (also when the port is taken) or ServiceUnreachable.
        """
        self._config = config
        self._desk: Desk = desk or NoDesk()
        domain = config.deployment.domain
        self._contracts = Contracts.connect(config.rpc_url, config.deployment)
        self._socket = _listen(config) if "api" in config.parts else None
        engine = open_engine(config.database_url)
        migrate(engine)
        self.store = Store(engine, Bell())
        self._blocks = Bell()
        self._heads = HeadBell(config.rpc_url, self._blocks.ring)
        blobs = BlobCache(open_blob_store(config.blob_url))
        self._producer = JobProducer(config.broker_url)
        self._sink = Sink()
        self._committee = CommitteeClient(domain.separator, self._endpoints, self._sink)
        self.ctx = Context(
            store=self.store,
            blobs=blobs,
            domain=domain,
            committee=self._committee,
            jobs=self._producer,
            ledgers=Ledgers(blobs, domain),
            datasets=DatasetCache(),
            now_s=time.time,
            listening_since_s=time.time(),
            api_url=config.public_url,
        )
        self._sink.ctx = self.ctx
        self._metrics = Metrics(self.store, time.time)
        self._stopping = threading.Event()
        self._failures: list[Exception] = []
        self._threads: list[threading.Thread] = []
        self._server: uvicorn.Server | None = None

    def start(self) -> None:
        """Start every part."""
        jobs: dict[str, list[Callable[[], None]]] = {
            "indexer": [self._index],
            "rounds": [self._drive, self._evaluate, self._meet_committee, self._tell_of_contests],
            "api": [self._serve],
        }
        for part in self._config.parts:
            for job in jobs[part]:
                thread = threading.Thread(
                    target=self._guard, args=(job,), name=job.__name__.strip("_"), daemon=True
                )
                self._threads.append(thread)
                thread.start()
        log.info("coordinator runs", parts=list(self._config.parts), api=self._config.public_url)

    def request_stop(self) -> None:
        """Ask every part to end; safe to call from a signal handler."""
        self._stopping.set()
        if self._server is not None:
            self._server.should_exit = True

    def wait(self) -> None:
        """Until somebody asks to stop or a part has failed."""
        while not self._stopping.wait(0.5):
            pass

    def stop(self) -> None:
        """End every part, within JOIN_TIMEOUT_S each, and raise the first failure, if there is one."""
        self.request_stop()
        self.store.bell.ring()
        self._blocks.ring()
        for thread in self._threads:
            thread.join(JOIN_TIMEOUT_S)
        self._producer.close()
        self.store.close()
        if self._failures:
            raise self._failures[0]

    def _guard(self, job: Callable[[], None]) -> None:
        """The end of one part is the end of the process: a supervisor starts it anew, from the database."""
        try:
            job()
        except Exception as error:
            log.exception("a part failed", part=job.__name__)
            self._failures.append(error)
        finally:
            self.request_stop()

    # ------------------------------------------------------------------ parts

    def _index(self) -> None:
        indexer = Indexer(self._contracts, self.store, time.time)
        pauses, seen = Pauses(self._config.index_poll_s), b""
        self._heads.start()
        while not self._stopping.is_set():
            heard = self._blocks.rings
            try:
                if not indexer.poll():
                    continue
                news, seen = seen != indexer.head, indexer.head
                pause = self._heads.pause_s(pauses.after(news=news))
            except (ServiceUnreachable, Refused, CursorMoved) as error:
                log.warning("index waits", why=str(error))
                self._stopping.wait(RETRY_S)
                continue
            self._blocks.wait(heard, pause)
        self._heads.stop()

    def _drive(self) -> None:
        self._make_rounds(self.ctx).run(self._stopping)

    def _make_rounds(self, ctx: Context) -> RoundsLoop:
        poll_s = self._config.rounds_poll_s
        return RoundsLoop(ctx, poll_s, self._config.pause_s(poll_s), self._metrics.turns.observe)

    def _tell_of_contests(self) -> None:
        contracts = Contracts.connect(self._config.rpc_url, self._config.deployment)
        producer = JobProducer(self._config.broker_url)
        try:
            ContestsLoop(self.ctx, contracts, producer).run(self._stopping)
        finally:
            producer.close()

    def _evaluate(self) -> None:
        bell = self.store.bell.about(EVALUATE_AFTER)
        while not self._stopping.is_set():
            heard = bell.rings
            try:
                if evaluate_rounds(self.ctx):
                    continue
            except ServiceUnreachable as error:
                log.warning("evaluation waits", why=str(error))
                self._stopping.wait(RETRY_S)
            bell.wait(heard, EVALUATE_POLL_S)

    def _meet_committee(self) -> None:
        asyncio.run(self._run_committee())

    async def _run_committee(self) -> None:
        running = asyncio.create_task(self._committee.run())
        try:
            while not self._stopping.is_set() and not running.done():
                await asyncio.sleep(STOP_POLL_S)
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)

    def _serve(self) -> None:
        hub = FeedHub(self.store, poll_s=self._config.pause_s(POLL_S))
        api = Api(config=self._config, ctx=self.ctx, hub=hub, metrics=self._metrics)
        app = create_app(api)
        install_pages(app, self._web(api))
        options = uvicorn.Config(
            app,
            log_config=None,
            access_log=False,
            timeout_keep_alive=30,
            timeout_graceful_shutdown=SHUTDOWN_S,
            ws="none",
            server_header=False,
        )
        self._server = uvicorn.Server(options)
        if self._stopping.is_set():
            return
        assert self._socket is not None
        asyncio.run(self._server.serve(sockets=[self._socket]))

    def _web(self, api: Api) -> Web:
        """What the pages are given; they read the chain on their own connection."""
        contracts = Contracts.connect(self._config.rpc_url, self._config.deployment)
        local = is_local(contracts.client)
        site = Site(
            chain_id=self._config.deployment.chain_id,
            local=local,
            # The endpoint of a real chain may carry a key: wallets know their own.
            rpc_url=self._config.rpc_url if local else "",
            contracts=contract_addresses(self._config.deployment),
        )
        return Web(
            config=self._config,
            ctx=self.ctx,
            contracts=contracts,
            desk=self._desk,
            pages=Pages(Assets(), site),
            newest_news=lambda: api.hub.newest_id,
        )

    def _endpoints(self) -> dict[Address, str]:
        with self.store.read() as tx:
            return tx.chain.endpoints()


def _listen(config: CoordinatorConfig) -> socket.socket:
    family = socket.AF_INET6 if ":" in config.host else socket.AF_INET
    opened = socket.socket(family)
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        opened.bind((config.host, config.port))
        opened.listen(256)
    except OSError as error:
        opened.close()
        raise ConfigurationError(
            f"{config.host}:{config.port} cannot be listened on: {error.strerror}."
        ) from error
    return opened


Build = Callable[[CoordinatorConfig, Desk | None], Coordinator]


def run(config: CoordinatorConfig, desk: Desk | None = None, build: Build = Coordinator) -> int:
    """Coordinate until SIGTERM or SIGINT; returns 0.

    Raises ConfigurationError or ServiceUnreachable when it cannot start, and the failure of a part that
    ended.
    """
    coordinator = build(config, desk)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: coordinator.request_stop())
    coordinator.start()
    coordinator.wait()
    coordinator.stop()
    return 0
