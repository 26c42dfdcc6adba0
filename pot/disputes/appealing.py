"""A miner's watch for faults that a committee declares of its work while it mines."""

import logging
import threading
from types import TracebackType
from typing import Final, Self

from pot.client import Client
from pot.disputes.bringing import require_right
from pot.disputes.challenge import Challenge, bring, faults_of, moment
from protocol.blobs import BlobCorrupt, BlobMissing
from protocol.chain.events import CertificateAccepted, EventReader
from protocol.errors import PotError, Refused, ServiceUnreachable
from protocol.ids import TaskId

log = logging.getLogger(__name__)

POLL_S: Final = 5.0
STOP_S: Final = 2.0
OVER: Final = frozenset({"FaultSettled", "WindowClosed"})
"""Why there is nothing left to appeal against."""


class FaultWatch:
    """Reads new certificates until the ``with`` block ends. A fault of this account is told with the command
    that appeals against it; with ``appeal``, the work is re-executed and the appeal brought, if it is right.
    ``client`` belongs to the watch alone."""

    def __init__(self, client: Client, *, appeal: bool, poll_s: float = POLL_S) -> None:
        self._client = client
        self._appeal = appeal
        self._poll_s = poll_s
        self._next_block: int | None = None
        self._told: set[tuple[TaskId, bytes]] = set()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="fault-watch", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopping.set()
        self._thread.join(STOP_S)

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                self.check()
            except PotError as error:
                log.warning("the chain is searched for faults again later: %s", error)
            except Exception:
                # Whoever does not appeal in time has lost its stake: a defect must not end the watch.
                log.exception("the search for faults failed")
            self._stopping.wait(self._poll_s)

    def check(self) -> None:
        """Look at the certificates since the last time; the first time at all of them. Raises what chain and
        blob store raise; nothing is lost then."""
        contracts = self._client.contracts
        first, latest = contracts.deployment.block, contracts.client.block().number
        # A chain that went back may hold other certificates in blocks that were read.
        if self._next_block is not None and self._next_block <= latest + 1:
            first = self._next_block
        if latest < first:
            return
        events = EventReader(contracts).read(first, latest)
        declaring = [
            e for e in events if isinstance(e, CertificateAccepted) and any(e.certificate.faults_root)
        ]
        failed: PotError | None = None
        for task_id in sorted({event.task_id for event in declaring}):
            try:
                self._look_at(task_id)
            except PotError as error:
                failed = error
        if failed is not None:
            raise failed
        self._next_block = latest + 1

    def _look_at(self, task_id: TaskId) -> None:
        if self._client.task(task_id).challenge_window_s == 0:
            return
        try:
            found = faults_of(self._client, task_id, miner=self._client.address, place=None)
        except Refused as error:
            if error.reason in OVER:
                return
            raise
        for challenge in found:
            key = (task_id, challenge.matter.leaf_hash)
            if key not in self._told:
                self._answer(challenge)
                self._told.add(key)

    def _answer(self, challenge: Challenge) -> None:
        number, shard, _ = challenge.place
        command = f"`pot miner appeal {challenge.task_id} --round {number} --shard {shard}`"
        until = moment(challenge.closes_at)
        name = f"task {challenge.task_id} round {number} shard {shard}"
        if not self._appeal:
            log.warning("%s: a fault is declared. If it is wrong, appeal until %s: %s", name, until, command)
            return
        try:
            require_right(self._client, challenge)
            brought = bring(self._client, challenge)
        except (ServiceUnreachable, BlobMissing, BlobCorrupt):
            raise  # says nothing about the fault, and there is one chance to appeal: tried again
        except PotError as error:
            log.warning("%s: a fault is declared, no appeal is brought: %s", name, error)
            return
        log.warning(
            "%s: a fault is declared, and an appeal brought: dispute %s case %s",
            name,
            brought.dispute,
            brought.case,
        )
