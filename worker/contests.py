"""A miner's process in contests: jobs say when to train, a thread of its own watches for what to reveal."""

import threading
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import structlog
from eth_account.signers.local import LocalAccount

from protocol.blobs import open_blob_store
from protocol.chain.client import ChainClient
from protocol.chain.contracts import Contracts
from protocol.chain.deployment import Deployment
from protocol.chain.sender import Sender
from protocol.errors import PotError
from protocol.ids import Address, parse_address
from protocol.job import ContestJob
from worker.config import MinerConfig
from worker.contest_journal import ContestJournal
from worker.training.data import DatasetCache

if TYPE_CHECKING:
    from worker.contestant import Contestant

JOIN_TIMEOUT_S: Final = 10.0
DATASETS_HELD: Final = 2
log = structlog.get_logger("worker.contests")


class ContestMiner:
    """Makes contestants: each thread gets one with connections of its own, and all send through one account's
    one sender."""

    def __init__(self, config: MinerConfig, account: LocalAccount, device: str) -> None:
        self._config = config
        self._account = account
        self._device = device
        self._sender = Sender(ChainClient(config.chain_url), account)
        self._contestant: Contestant | None = None

    def handle(self, value: Any) -> None:
        """One delivery from the broker, wrong or right: the outcome is logged, a PotError is not passed
        on."""
        try:
            job = ContestJob.from_json(value)
            if self._contestant is None:
                self._contestant = self.contestant()
            self._contestant.enter(job.contest_id)
        except PotError as error:
            log.warning("contest not entered", error=type(error).__name__, why=str(error))

    def contestant(self) -> "Contestant":
        """One for the calling thread. Raises ConfigurationError, ServiceUnreachable."""
        from worker.contestant import Contestant  # torch: not before it is needed

        config, deployment = self._config, self._config.deployment
        miner = parse_address(self._account.address)
        folder = contest_folder(config.state_dir, deployment, miner)
        return Contestant(
            miner=miner,
            contracts=Contracts.connect(config.chain_url, deployment),
            sender=self._sender,
            blobs=open_blob_store(config.blob_url),
            private=open_blob_store((folder / "models").as_uri()),
            datasets=DatasetCache(DATASETS_HELD),
            journal=ContestJournal(folder / "journal.sqlite"),
            max_blob_bytes=config.max_blob_bytes,
            threads=config.threads,
            device=self._device,
        )


def contest_folder(state_dir: Path, deployment: Deployment, miner: Address) -> Path:
    """Where one miner keeps its journal and what must not be seen yet; made if it is not there."""
    folder = (state_dir / f"contests-{deployment.chain_id}-{deployment.contest}-{miner}").resolve()
    (folder / "models").mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder


class RevealThread(threading.Thread):
    """Looks every ``every_s`` seconds whether a test set was released for which this miner has a model."""

    def __init__(self, miner: ContestMiner, every_s: float) -> None:
        super().__init__(name="reveals", daemon=True)
        self._miner = miner
        self._every_s = every_s
        self._stopping = threading.Event()

    def run(self) -> None:
        contestant: Contestant | None = None
        while not self._stopping.wait(self._every_s):
            try:
                contestant = contestant or self._miner.contestant()
                contestant.reveal_due()
            except PotError as error:
                log.warning("reveals wait", why=str(error))
            except Exception:
                # What is not revealed in time is lost with its stake, and a full disk may have room again.
                with suppress(OSError):
                    log.exception("reveals failed")
        if contestant is not None:
            contestant.journal.close()

    def stop(self) -> None:
        """End the thread and wait for it, at most JOIN_TIMEOUT_S."""
        self._stopping.set()
        if self.is_alive():
            self.join(JOIN_TIMEOUT_S)
