"""One miner process: everything is put together here, and the Celery worker runs here."""

import logging
import sys
import time
import warnings
from typing import Final

import structlog
from celery import Celery
from celery.platforms import SecurityWarning
from celery.worker import state as asked
from eth_account.signers.local import LocalAccount

from protocol.blobs import open_blob_store
from protocol.chain.contracts import Contracts
from protocol.ids import parse_address
from protocol.signing import KeySigner
from worker.adversary import adversary
from worker.api_client import CoordinatorClient
from worker.app import create_app, register
from worker.blob_cache import CachedBlobs
from worker.canary import CanaryTrainer
from worker.config import MinerConfig
from worker.contests import ContestMiner, RevealThread
from worker.coverage import Arithmetic
from worker.forging import Accomplices
from worker.heartbeat import HeartbeatThread
from worker.jobs import ShardMiner
from worker.journal import SigningJournal
from worker.task_book import ContractsReader, TaskBook
from worker.trainer import HonestTrainer, Trainer, resolve_device, warm_up
from worker.training.data import DatasetCache

DATASETS_HELD: Final = 2
CRASH_WINDOW_S: Final = 60.0
MAX_CRASHES_COUNTED: Final = 16
FIRST_PAUSE_S: Final = 0.01
MAX_PAUSE_S: Final = 5.0
log = structlog.get_logger("worker")


def run(config: MinerConfig, account: LocalAccount) -> int:
    """Mine until SIGTERM or SIGINT; the job in hand is finished first. Returns the process's exit code.

    Lost brokers and coordinators are waited for. Raises ConfigurationError when the chain is another one than
    the deployment's or a setting cannot be used, ServiceUnreachable when the chain does not answer at the
    start.
    """
    log_to_stderr()
    device = resolve_device(config.device)
    miner = build_miner(config, account, device)
    app = create_app(config.broker_url, parse_address(account.address), config.visibility_timeout_s)
    contests = ContestMiner(config, account, device)
    register(app, miner, contests)
    warm_up(config.threads, device)
    heartbeat = HeartbeatThread(
        account=account,
        domain=config.deployment.domain,
        device=device,
        sink=CoordinatorClient(config.api_url),
        now_s=time.time,
        every_s=config.heartbeat_s,
    )
    reveals = RevealThread(contests, config.heartbeat_s)
    heartbeat.start()
    reveals.start()
    log.info("mining", miner=account.address, device=device, threads=config.threads)
    try:
        return consume(app, f"miner-{account.address}@{config.deployment.chain_id}")
    finally:
        reveals.stop()
        heartbeat.stop()
        miner.journal.close()


def build_miner(config: MinerConfig, account: LocalAccount, device: str) -> ShardMiner:
    """The use case with its real parts. Raises as ``run`` does."""
    contracts = Contracts.connect(config.chain_url, config.deployment)
    blobs = CachedBlobs(open_blob_store(config.blob_url), config.cache_bytes)
    domain = config.deployment.domain
    journal = f"signed-{domain.chain_id}-{domain.market}-{account.address}.sqlite"
    honest = HonestTrainer(config.threads, device)
    trainer: Trainer = honest
    if config.adversary is not None:
        trainer = adversary(
            config.adversary,
            Accomplices(
                honest=honest,
                contracts=contracts,
                blobs=blobs,
                miner=parse_address(account.address),
            ),
        )
    if config.canary:
        signer = KeySigner(bytes(account.key))
        trainer = CanaryTrainer(honest=honest, signer=signer, domain=domain, blobs=blobs)
    return ShardMiner(
        account=account,
        domain=domain,
        tasks=TaskBook(ContractsReader(contracts), blobs, time.time),
        blobs=blobs,
        datasets=DatasetCache(DATASETS_HELD),
        max_blob_bytes=config.max_blob_bytes,
        trainer=trainer,
        journal=SigningJournal(config.state_dir / journal),
        coordinator=CoordinatorClient(config.api_url),
        now_s=time.time,
        arithmetic=Arithmetic.here(device),
    )


def consume(app: Celery, hostname: str) -> int:
    """Run Celery workers until one ends in order; returns 0.

    A message that cannot even be read ends its worker, but is off the queue by then, so the next worker goes
    on, at first at once, later after a pause that doubles up to MAX_PAUSE_S.
    """
    # Celery warns root users because of pickle, which this application does not accept.
    warnings.filterwarnings("ignore", category=SecurityWarning)
    crashes: list[float] = []
    while True:
        worker = app.Worker(
            pool="solo",
            concurrency=1,
            hostname=hostname,
            quiet=True,
            without_gossip=True,
            without_mingle=True,
            # Events that nobody listens to, every two seconds.
            without_heartbeat=True,
        )
        worker.start()
        # A signal stops every worker of this process; after SIGINT the exit code says failure all the same.
        if worker.exitcode in (None, 0) or asked.should_stop is not None:
            return 0
        now = time.monotonic()
        crashes = [*(at for at in crashes if now - at < CRASH_WINDOW_S), now][-MAX_CRASHES_COUNTED:]
        pause_s = min(FIRST_PAUSE_S * 2 ** (len(crashes) - 1), MAX_PAUSE_S)
        log.error("worker crashed; starting another", crashes=len(crashes), pause_s=pause_s)
        time.sleep(pause_s)


def log_to_stderr() -> None:
    """Plain lines on stderr, unless whoever started the process has configured logging."""
    if not logging.getLogger().handlers:
        logging.basicConfig(
            stream=sys.stderr, level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s"
        )
    if not structlog.is_configured():
        structlog.configure(
            processors=[
                structlog.contextvars.merge_contextvars,
                structlog.processors.add_log_level,
                structlog.processors.TimeStamper(fmt="iso"),
                structlog.processors.format_exc_info,
                structlog.processors.LogfmtRenderer(
                    key_order=("timestamp", "level", "event"), sort_keys=False
                ),
            ],
            logger_factory=structlog.PrintLoggerFactory(file=sys.stderr),
        )
