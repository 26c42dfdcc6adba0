"""Where a validator's tasks, courts and proofs hand in what takes time or leaves the process.

Three threads do what blocks, one thing at a time each: checking work (torch), counting a contest, and sending
transactions. A contest takes as long as its models and traces are large; no certificate waits behind it. What
comes of it all is told on the event loop.
"""

import asyncio
import json
import logging
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final

from eth_account.signers.local import LocalAccount

from committee.aggregation import Aggregation, Endorsed
from committee.chain_watch import ChainWatch
from committee.equivocation import Equivocation
from committee.errands import Errands
from committee.evidence_keeper import EvidenceKeeper
from committee.submitter import Outcome, Submitter
from committee.transport import Transport
from committee.verify import Finding, Judgement
from protocol.attestation import Attestation, ReplayEvidence
from protocol.chain.contracts import Contracts
from protocol.chain.history import TaskHistory
from protocol.chain.sender import Sender
from protocol.contribution import SignedContribution
from protocol.errors import PotError
from protocol.evidence import Fault, FaultReport
from protocol.frames import ATTESTATION_KIND, FAULT_KIND
from protocol.ids import RoundNo, TaskId
from protocol.signing import KeySigner

log = logging.getLogger(__name__)

MAX_CHECKS_QUEUED: Final = 256
OPEN_AGAIN_S: Final = 5.0
MAX_POSTED: Final = 16
"""Certificates in one transaction."""


@dataclass(slots=True)
class _Line:
    """Checks that wait for one thread."""

    pool: ThreadPoolExecutor
    waiting: int = 0


class Desk:
    """One validator's. ``sending`` is its own connection, for the one thread that sends; ``sender`` may be
    used by others on that thread."""

    def __init__(
        self,
        *,
        account: LocalAccount,
        sending: Contracts,
        watch: ChainWatch,
        aggregate_from: int,
        keeper: EvidenceKeeper,
    ) -> None:
        self._account = account
        self._keeper = keeper
        self._unopened = keeper.tasks
        self._domain = sending.deployment.domain
        self._watch = watch
        self.sender = Sender(sending.client, account)
        self._submitter = Submitter(sending, self.sender, Aggregation(sending, self.sender, aggregate_from))
        checking, counting, self._sending = (
            ThreadPoolExecutor(max_workers=1, thread_name_prefix=name) for name in ("check", "count", "send")
        )
        self._checks, self._counts = _Line(checking), _Line(counting)
        self._errands = Errands()
        self._transport: Transport | None = None
        self._posting = asyncio.Lock()
        self._outgoing: list[tuple[Endorsed, Callable[[Outcome], None]]] = []

    def start(self, transport: Transport) -> None:
        """From here on reports are spread."""
        self._transport = transport

    def stop(self) -> None:
        """Wait for no transaction any more, and send none."""
        self.sender.stop()

    def close(self) -> None:
        """Begin nothing any more; a check that runs is left to end."""
        for pool in (self._checks.pool, self._counts.pool, self._sending):
            pool.shutdown(wait=False, cancel_futures=True)

    def now_s(self) -> int:
        """Unix time: the chain's or this machine's, whichever is later."""
        return max(self._watch.timestamp_s, int(time.time()))

    # ---------------------------------------------------------------- checks

    def check(self, job: Callable[[], Judgement], done: Callable[[Judgement], None]) -> bool:
        """Run ``job`` on the checking thread, its result back on the loop; False when too many wait."""
        return self._queue(self._checks, job, done)

    def count(self, job: Callable[[], Judgement], done: Callable[[Judgement], None]) -> bool:
        """As ``check``, on the thread that counts contests."""
        return self._queue(self._counts, job, done)

    def _queue(self, line: _Line, job: Callable[[], Judgement], done: Callable[[Judgement], None]) -> bool:
        if line.waiting >= MAX_CHECKS_QUEUED:
            log.warning("%s checks are waiting; one more has to come again", MAX_CHECKS_QUEUED)
            return False
        line.waiting += 1
        self._errands.spawn(self._run_check(line, job, done))
        return True

    async def _run_check(
        self, line: _Line, job: Callable[[], Judgement], done: Callable[[Judgement], None]
    ) -> None:
        try:
            judgement = await asyncio.get_running_loop().run_in_executor(line.pool, job)
        except Exception as error:
            log.exception("a check broke off")
            judgement = Judgement(finding=Finding.UNKNOWN, reason=f"{type(error).__name__}: {error}"[:200])
        finally:
            line.waiting -= 1
        done(judgement)

    # ---------------------------------------------------------------- transactions

    def send(self, job: Callable[[], Outcome], done: Callable[[Outcome], None]) -> None:
        """Run ``job`` on the sending thread, its outcome back on the loop."""
        self._errands.spawn(self._run_send(job, done))

    def certify(self, endorsed: Endorsed, done: Callable[[Outcome], None]) -> None:
        """Post a certificate, together with those of other tasks that wait."""
        self._outgoing.append((endorsed, done))
        self._errands.spawn(self._post())

    def slash(self, history: TaskHistory, fault: Fault, done: Callable[[Outcome], None]) -> None:
        """Have a certified fault slashed."""
        self.send(lambda: self._submitter.slash(history, fault), done)

    def prove(self, proof: Equivocation, done: Callable[[Outcome], None]) -> None:
        """Have a member slashed that signed two certificates of the same rounds."""
        self.send(lambda: self._submitter.prove(proof), done)

    def draw(self, task: TaskId) -> None:
        """Draw a task's committee. Whatever comes of it, the chain shows; a task that still waits falls due
        again."""
        self.send(lambda: self._submitter.draw(task), lambda outcome: None)

    async def _post(self) -> None:
        """Post what is waiting, of all tasks, in one transaction."""
        async with self._posting:
            batch, self._outgoing = self._outgoing[:MAX_POSTED], self._outgoing[MAX_POSTED:]
            if not batch:
                return  # it went with what was posted before
            outcomes = [Outcome.UNREACHABLE] * len(batch)
            try:
                outcomes = await asyncio.get_running_loop().run_in_executor(
                    self._sending, self._submitter.certify, [endorsed for endorsed, _ in batch]
                )
            finally:
                for (_, done), outcome in zip(batch, outcomes, strict=True):
                    done(outcome)

    async def _run_send(self, job: Callable[[], Outcome], done: Callable[[Outcome], None]) -> None:
        # Whatever breaks a transaction off, its owner must learn that it is to be tried again; the error
        # itself goes on to the event loop, which reports it.
        outcome = Outcome.UNREACHABLE
        try:
            outcome = await asyncio.get_running_loop().run_in_executor(self._sending, job)
        finally:
            done(outcome)

    # ---------------------------------------------------------------- fault reports

    def sign_report(self, contribution: SignedContribution, batch: int) -> FaultReport:
        """Say in this validator's name that a shard fails, and where (``protocol.batches``)."""
        return FaultReport.signed(contribution, self._domain, self._account, batch)

    def spread(self, report: FaultReport) -> None:
        """To every member and every client (a coordinator redoes the round without the miner)."""
        if self._transport is not None:
            self._transport.send_app(FAULT_KIND, json.dumps(report.to_json()).encode())

    # ---------------------------------------------------------------- attestations

    def attest(self, evidence: ReplayEvidence, rounds: tuple[RoundNo, RoundNo]) -> Attestation:
        """Say in this validator's name what it executed for a certificate, and keep what shows it."""
        self._keeper.keep(evidence.task_id, evidence.blob)
        self._unopened.add(evidence.task_id)
        return Attestation.signed(evidence, rounds, self._domain, KeySigner(bytes(self._account.key)))

    def spread_attestation(self, item: Attestation) -> None:
        """To every client: a coordinator puts it into the next record."""
        if self._transport is not None:
            self._transport.tell_clients(ATTESTATION_KIND, json.dumps(item.to_json()).encode())

    def open_evidence(self, task: TaskId) -> None:
        """Show what was executed for a task that is over; at once nothing if there is nothing to show."""
        if task in self._unopened:
            self._unopened.discard(task)
            self._errands.spawn(self._open(task))

    async def _open(self, task: TaskId) -> None:
        try:
            await asyncio.get_running_loop().run_in_executor(self._checks.pool, self._keeper.show, task)
        except (PotError, OSError) as error:
            log.warning("task %s: its evidence is shown later: %s", task, error)
            await asyncio.sleep(OPEN_AGAIN_S)
            self._unopened.add(task)
