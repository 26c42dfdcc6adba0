"""Tells live miners of open contests: a job each, again after a while until they have entered.
Reads the specs that pages show.

Nothing here is kept: what a miner has entered is on the chain, and a miner that gets a job twice answers the
second one from its journal.
"""

import threading
from typing import Final

import structlog

from coordinator.jobs.producer import JobProducer
from coordinator.jobs.queue_watch import QueueWatch
from coordinator.services.context import Context
from coordinator.services.read_contest_specs import read_contest_specs
from protocol.chain.contest import ContestParams, ContestStatus
from protocol.chain.contracts import Contracts
from protocol.errors import Refused, ServiceUnreachable
from protocol.ids import Address
from protocol.job import ContestJob

POLL_S: Final = 2.0
RESEND_S: Final = 120.0
MAX_OPEN: Final = 64
"""Open contests that are looked at in one turn, the newest ones."""
log = structlog.get_logger("coordinator.contests")


class ContestsLoop:
    """Runs in one thread, with a connection and a producer of its own."""

    def __init__(self, ctx: Context, contracts: Contracts, producer: JobProducer) -> None:
        self._ctx = ctx
        self._contracts = contracts
        self._producer = producer
        self._sent: dict[tuple[int, Address], float] = {}
        self._over: set[int] = set()
        self._queues = QueueWatch(producer)

    def run(self, stopping: threading.Event) -> None:
        """Until ``stopping``; what is unreachable is tried again."""
        while not stopping.wait(POLL_S):
            try:
                self.turn()
            except (ServiceUnreachable, Refused) as error:
                log.warning("contests wait", why=str(error))

    def turn(self) -> None:
        """Every open contest once. Raises ServiceUnreachable, Refused."""
        read_contest_specs(self._ctx)
        self._queues.look(self._ctx.now_s(), self._sent.clear)
        newest = self._contracts.contest.count()
        self._over = {number for number in self._over if number <= newest}
        for contest_id in range(max(1, newest - MAX_OPEN + 1), newest + 1):
            if contest_id in self._over:
                continue
            status = self._contracts.contest.contest(contest_id).status
            if status is ContestStatus.NONE:
                continue  # a server that lags behind the one that counted
            if status is not ContestStatus.OPEN:
                self._forget(contest_id)
                continue
            self._tell(contest_id, self._contracts.contest.params(contest_id))

    def _tell(self, contest_id: int, params: ContestParams) -> None:
        now_s = self._ctx.now_s()
        if now_s >= params.commit_deadline:
            return
        with self._ctx.store.read() as tx:
            live = tx.miners.live(now_s)
        for miner in live:
            key = (contest_id, miner.address)
            due = self._sent.get(key, 0.0) <= now_s - RESEND_S
            if not due or miner.stake < params.miner_stake:
                continue
            if self._contracts.contest.entry_number(contest_id, miner.address) == 0:
                self._producer.enter_contest(
                    miner.address, ContestJob(contest_id=contest_id), params.commit_deadline - int(now_s)
                )
                log.info("told of a contest", contest=contest_id, miner=miner.address)
            self._sent[key] = now_s

    def _forget(self, contest_id: int) -> None:
        self._over.add(contest_id)
        self._sent = {key: at for key, at in self._sent.items() if key[0] != contest_id}
