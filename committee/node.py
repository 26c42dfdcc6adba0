"""A validator process: the one place where replicas, chain, checks and transactions are put together.

The event loop owns all state. Three threads do what blocks, one thing at a time each: reading the chain,
checking proposals (torch), sending transactions.
"""

import asyncio
import json
import logging
import random
import signal
import time
from collections.abc import Callable, Coroutine
from collections.abc import Set as AbstractSet
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from eth_account.signers.local import LocalAccount

from committee.aggregation import Aggregation, Endorsed
from committee.bench import MAX_COURTS, Bench
from committee.chain_watch import ChainWatch
from committee.config import ValidatorConfig
from committee.court import is_court
from committee.court_judge import CourtJudge
from committee.court_submitter import CourtSubmitter
from committee.court_watch import CourtWatch
from committee.drawing import DrawDuty
from committee.errors import LogCorrupt, ValueUnusable
from committee.host import MAX_INSTANCES, Host
from committee.session import TaskSession, is_past
from committee.state import Crypto, Decided, EndorsementDigest, Rejected, ReplicaConfig, Verify
from committee.submitter import Outcome, Submitter
from committee.transport import Transport, TransportConfig
from committee.verify import Checker, Finding, Judgement
from protocol.blobs import open_blob_store
from protocol.bls import BlsSecret
from protocol.certificate import RoundCertificate
from protocol.chain.contracts import Contracts
from protocol.chain.history import TaskHistory
from protocol.chain.sender import Sender
from protocol.contribution import SignedContribution
from protocol.endorsement import is_endorsed_by
from protocol.errors import ConfigurationError, PeerMisbehaved, PotError
from protocol.evidence import Fault, FaultReport
from protocol.ids import Address, TaskId, parse_address
from protocol.members import Members
from protocol.parsing import peer_value
from protocol.pbft_messages import Evidence, Instance
from protocol.signing import KeySigner, is_statement_of
from protocol.typed_data import Domain
from worker.training.data import DatasetCache

log = logging.getLogger(__name__)

FAULT_KIND = "fault"
ENDPOINTS_EVERY_S = 5.0
COURTS_EVERY_S = 0.5
MAX_TASKS = MAX_INSTANCES - MAX_COURTS
MAX_CHECKS_QUEUED = 256
MAX_DEFERRED = 4096
"""Tasks that wait for another one to end; the least paid ones are dropped first."""
MAX_POSTED = 16
"""Certificates in one transaction."""
DOUBT_EVERY_S = 60.0
"""The agreement may make us read the whole chain again this often."""


def endorsement_digest(domain: Domain, task: TaskId) -> EndorsementDigest:
    """What this validator signs for the contract: the EIP-712 digest of a certificate of ``task``."""

    def digest(seq: int, value: bytes) -> bytes:
        try:
            certificate = RoundCertificate.decode(value)
        except PeerMisbehaved as error:
            raise ValueUnusable(str(error)) from error
        if certificate.task_id != task:
            raise ValueUnusable(f"it is a certificate of task {certificate.task_id}, not of task {task}")
        return certificate.digest(domain)

    return digest


class ValidatorNode:
    """Everything of one validator; ``run`` until ``stop`` is called."""

    def __init__(self, config: ValidatorConfig, account: LocalAccount) -> None:
        self._config = config
        self._account = account
        self._me = parse_address(account.address)
        self._signer = KeySigner(bytes(account.key))
        self._secret = BlsSecret.derived_from(bytes(account.key))
        self._domain = config.deployment.domain
        self._blobs = open_blob_store(config.blob_url)
        self._reader, self._checker_thread, self._sender_thread = (
            ThreadPoolExecutor(max_workers=1, thread_name_prefix=name) for name in ("chain", "check", "send")
        )
        self._sessions: dict[TaskId, TaskSession] = {}
        self._deferred: dict[TaskId, TaskHistory] = {}
        self._draws = DrawDuty()
        self._posting = asyncio.Lock()
        self._outgoing: list[tuple[Endorsed, Callable[[Outcome], None]]] = []
        self._doubt_at = 0.0
        self._endpoints: dict[Address, str] = {}
        self._checks_queued = 0
        self._spawned: set[asyncio.Task[None]] = set()
        self._stopping = asyncio.Event()

    def stop(self) -> None:
        """End ``run`` cleanly; safe to call from a signal handler of the loop."""
        self._stopping.set()

    async def run(self) -> None:
        """Validate until stopped. Raises ServiceUnreachable or ConfigurationError when it cannot start, and
        the error after which nothing more may be signed."""
        config = self._config
        loop = asyncio.get_running_loop()
        self._contracts = await loop.run_in_executor(self._reader, self._connect)
        checking, sending = self._connect(), self._connect()
        sender = Sender(sending.client, self._account)
        self._checker = self._make_checker(checking)
        aggregation = Aggregation(sending, sender, config.aggregate_from)
        self._submitter = Submitter(sending, sender, aggregation)
        self._court_watch = CourtWatch(self._contracts)
        self._watch = ChainWatch(self._contracts, self._blobs, self._me)
        self._host = Host(self, config.state_dir, config.tick_s)
        self._bench = self._make_bench(checking, CourtSubmitter(sending, self._blobs, sender))
        self._transport = Transport(
            TransportConfig(domain=self._domain.separator, listen_host=config.host, listen_port=config.port),
            self._signer,
            self._host,
            random.SystemRandom().random,
        )
        try:
            await self._transport.start()
        except OSError as error:
            raise ConfigurationError(
                f"This validator cannot listen on {config.host}:{config.port}: {error.strerror or error}."
            ) from error
        self._host.start(self._transport)
        log.info("validator %s listens on port %s", self._me, self._transport.port)
        jobs: list[asyncio.Future[Any]] = [
            asyncio.create_task(self._follow_chain()),
            asyncio.create_task(self._tick()),
            asyncio.create_task(self._stopping.wait()),
            self._host.failed,
        ]
        try:
            await asyncio.wait(jobs, return_when=asyncio.FIRST_COMPLETED)
        finally:
            await self._shut_down(jobs)
        for job in jobs:
            if job.done() and not job.cancelled():
                job.result()

    async def _shut_down(self, jobs: list[asyncio.Future[Any]]) -> None:
        await self._host.stop()
        for job in jobs:
            job.cancel()
        await asyncio.gather(*jobs, return_exceptions=True)
        await self._transport.stop()
        for pool in (self._reader, self._checker_thread, self._sender_thread):
            pool.shutdown(wait=False, cancel_futures=True)

    def _connect(self) -> Contracts:
        return Contracts.connect(self._config.rpc_url, self._config.deployment)

    def _make_checker(self, contracts: Contracts) -> Checker:
        return Checker(
            domain=self._domain,
            blobs=self._blobs,
            stake_of=contracts.vault.stake_of,
            slashable_of=contracts.vault.slashable_of,
            signer=self._signer,
            datasets=DatasetCache(),
            threads=self._config.threads,
            device=self._config.device,
        )

    def _make_bench(self, checking: Contracts, submitter: CourtSubmitter) -> Bench:
        return Bench(
            host=self._host,
            desk=self,
            judge=CourtJudge(contracts=checking, blobs=self._blobs, checker=self._checker),
            submitter=submitter,
            signer=self._signer,
            domain=self._domain,
            view_timeout_ticks=self._config.view_timeout_ticks,
        )

    # ---------------------------------------------------------------- loops

    async def _follow_chain(self) -> None:
        loop = asyncio.get_running_loop()
        endpoints_at, courts_at = 0.0, 0.0
        while True:
            try:
                for history in await loop.run_in_executor(self._reader, self._watch.poll):
                    self._on_history(history)
                for task in self._draws.due(self._watch.undrawn(), loop.time()):
                    self._draw(task)
                if loop.time() >= courts_at:
                    courts_at = loop.time() + COURTS_EVERY_S
                    await self._follow_courts()
                if (self._sessions or self._bench.members) and loop.time() >= endpoints_at:
                    endpoints_at = loop.time() + ENDPOINTS_EVERY_S
                    await self._refresh_endpoints()
            except PotError as error:
                log.warning("the chain is read again later: %s", error)
                await asyncio.sleep(1.0)
            await asyncio.sleep(self._config.poll_s)

    async def _follow_courts(self) -> None:
        dockets = await asyncio.get_running_loop().run_in_executor(self._reader, self._court_watch.poll)
        for docket in dockets:
            self._bench.seen(docket)
        self._bench.retain(self._court_watch.running)
        if dockets:
            self._meet(self._bench.members)

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(self._config.tick_s)
            self._bench.tick()
            for task, session in list(self._sessions.items()):
                session.tick()
                if session.settled:
                    self._close(task)

    def _on_history(self, history: TaskHistory) -> None:
        task = history.created.task_id
        session = self._sessions.get(task)
        if session is not None:
            session.moved(history)
        elif is_past(history, self.now_s()):
            self._deferred.pop(task, None)
        elif len(self._sessions) >= MAX_TASKS:
            self._defer(task, history)
        else:
            self._open(task, history)

    def _draw(self, task: TaskId) -> None:
        # Whatever comes of it, the chain shows; a task that still waits falls due again.
        self._spawn(self._run_send(lambda: self._submitter.draw(task), lambda outcome: None))

    def _defer(self, task: TaskId, history: TaskHistory) -> None:
        """Anybody can create tasks, so more of them than one validator can serve must not end it."""
        log.warning("task %s waits: %s tasks are served already", task, MAX_TASKS)
        self._deferred[task] = history
        if len(self._deferred) > MAX_DEFERRED:
            del self._deferred[
                min(self._deferred, key=lambda t: self._deferred[t].created.params.fee_per_round)
            ]

    def _close(self, task: TaskId) -> None:
        """Leave a task that has ended, and take up the best paid one that waits."""
        del self._sessions[task]
        if task in self._host.tasks:
            self._host.remove(task)
        if self._deferred:
            best = max(self._deferred, key=lambda t: self._deferred[t].created.params.fee_per_round)
            self._on_history(self._deferred.pop(best))

    def _open(self, task: TaskId, history: TaskHistory) -> None:
        members = Members.of(history.ledger.members)
        index = members.index(self._me)
        assert index is not None
        session = TaskSession(
            history=history, agreement=self._host, checker=self._checker, desk=self, me=self._me
        )
        self._sessions[task] = session
        try:
            self._host.add(self._replica_config(task, members, index), self._crypto(task, members))
        except LogCorrupt as error:
            # What was signed for this task is not known any more, so nothing is signed for it; slashes are
            # still owed.
            log.error("task %s: no part is taken in its agreement: %s", task, error)
        session.start()
        self._meet(set(members.addresses))
        log.info("task %s: member %s of %s", task, index, members.n)

    def _replica_config(self, task: TaskId, members: Members, index: int) -> ReplicaConfig:
        return ReplicaConfig(
            instance=Instance(domain=self._domain.separator, task=task, members=members),
            me=index,
            view_timeout_ticks=self._config.view_timeout_ticks,
            max_check_ticks=self._config.max_check_ticks,
        )

    def _crypto(self, task: TaskId, members: Members) -> Crypto:
        return Crypto(
            signer=self._signer,
            verifier=is_endorsed_by,
            statement_verifier=is_statement_of,
            endorsement_digest=endorsement_digest(self._domain, task),
            secret=self._secret if members.n >= self._config.aggregate_from else None,
        )

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Run ``work`` beside everything else; the reference keeps it from being collected."""
        task = asyncio.get_running_loop().create_task(work)
        self._spawned.add(task)
        task.add_done_callback(self._spawned.discard)

    def _meet(self, members: AbstractSet[Address]) -> None:
        """Members not known yet: their endpoints are read before long."""
        fresh = members - set(self._endpoints)
        if fresh:
            self._spawn(self._refresh_endpoints())

    async def _refresh_endpoints(self) -> None:
        wanted = {m for session in self._sessions.values() for m in session.history.ledger.members}
        wanted |= self._bench.members

        def read() -> dict[Address, str]:
            return {member: self._contracts.committee.endpoint_of(member) for member in sorted(wanted)}

        try:
            found = await asyncio.get_running_loop().run_in_executor(self._reader, read)
        except PotError as error:
            log.warning("endpoints not read: %s", error)
            return
        if found != self._endpoints:
            self._endpoints = found
            self._transport.set_members(found)

    # ---------------------------------------------------------------- committee.host.Application

    def verify(self, task: int, question: Verify) -> None:
        if is_court(task):
            self._bench.verify(task, question)
            return
        session = self._sessions.get(TaskId(task))
        if session is not None:
            session.verify(question)

    def decided(self, task: int, decided: Decided) -> None:
        if is_court(task):
            self._bench.decided(task, decided)
            return
        session = self._sessions.get(TaskId(task))
        if session is not None:
            session.decided(decided)

    def rejected(self, task: int, rejected: Rejected) -> None:
        log.warning("task %s: proposal %s rejected by members %s", task, rejected.seq, rejected.members)

    def evidence(self, task: int, evidence: Evidence) -> None:
        log.error(
            "task %s: member %s signed two different things for number %s",
            task,
            evidence.first.sender,
            evidence.first.seq,
        )

    def behind(self, task: int, seq: int) -> None:
        """The chain is followed all the time, so what is missing arrives by itself; unless the endpoint
        withheld something, which only a fresh reading shows."""
        now = asyncio.get_running_loop().time()
        session = self._sessions.get(TaskId(task))
        if session is not None and session.history.certificates < seq and now >= self._doubt_at:
            self._doubt_at = now + DOUBT_EVERY_S
            self._watch.doubt(f"members are at certificate {seq} of task {task}")

    def message(self, peer: Address, kind: str, body: bytes) -> None:
        if kind != FAULT_KIND:
            raise PeerMisbehaved(f"message of {peer}", f"its kind {kind!r} is unknown")
        with peer_value("fault report"):
            report = FaultReport.from_json(json.loads(body))
        session = self._sessions.get(report.task_id)
        if session is not None:
            session.hear(report)

    # ---------------------------------------------------------------- committee.session.Desk

    def check(self, job: Callable[[], Judgement], done: Callable[[Judgement], None]) -> bool:
        """Run ``job`` on the checking thread, its result back on the loop; False when too many wait."""
        if self._checks_queued >= MAX_CHECKS_QUEUED:
            log.warning("%s checks are waiting; one more has to come again", MAX_CHECKS_QUEUED)
            return False
        self._checks_queued += 1
        self._spawn(self._run_check(job, done))
        return True

    async def _run_check(self, job: Callable[[], Judgement], done: Callable[[Judgement], None]) -> None:
        try:
            judgement = await asyncio.get_running_loop().run_in_executor(self._checker_thread, job)
        except Exception as error:
            log.exception("a check broke off")
            judgement = Judgement(finding=Finding.UNKNOWN, reason=f"{type(error).__name__}: {error}"[:200])
        finally:
            self._checks_queued -= 1
        done(judgement)

    def now_s(self) -> int:
        """Unix time: the chain's or this machine's, whichever is later."""
        return max(self._watch.timestamp_s, int(time.time()))

    def certify(self, endorsed: Endorsed, done: Callable[[Outcome], None]) -> None:
        self._outgoing.append((endorsed, done))
        self._spawn(self._post())

    async def _post(self) -> None:
        """Post what is waiting, of all tasks, in one transaction."""
        async with self._posting:
            batch, self._outgoing = self._outgoing[:MAX_POSTED], self._outgoing[MAX_POSTED:]
            if not batch:
                return  # it went with what was posted before
            outcomes = [Outcome.UNREACHABLE] * len(batch)
            try:
                outcomes = await asyncio.get_running_loop().run_in_executor(
                    self._sender_thread, self._submitter.certify, [endorsed for endorsed, _ in batch]
                )
            finally:
                for (_, done), outcome in zip(batch, outcomes, strict=True):
                    done(outcome)

    def slash(self, history: TaskHistory, fault: Fault, done: Callable[[Outcome], None]) -> None:
        self._spawn(self._run_send(lambda: self._submitter.slash(history, fault), done))

    async def _run_send(self, job: Callable[[], Outcome], done: Callable[[Outcome], None]) -> None:
        # Whatever breaks a transaction off, the session must learn that it is to be tried again; the error
        # itself goes on to the event loop, which reports it.
        outcome = Outcome.UNREACHABLE
        try:
            outcome = await asyncio.get_running_loop().run_in_executor(self._sender_thread, job)
        finally:
            done(outcome)

    def sign_report(self, contribution: SignedContribution) -> FaultReport:
        return FaultReport.signed(contribution, self._domain, self._account)

    def spread(self, report: FaultReport) -> None:
        """To every member and every client (a coordinator redoes the round without the miner)."""
        self._transport.send_app(FAULT_KIND, json.dumps(report.to_json()).encode())

    # ---------------------------------------------------------------- committee.bench.Desk

    def send(self, job: Callable[[], Outcome], done: Callable[[Outcome], None]) -> None:
        """Run ``job`` on the sending thread, its outcome back on the loop."""
        self._spawn(self._run_send(job, done))


async def _main(config: ValidatorConfig, account: LocalAccount) -> None:
    node = ValidatorNode(config, account)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, node.stop)
    await node.run()


def run(config: ValidatorConfig, account: LocalAccount) -> None:
    """Run a validator until SIGTERM or SIGINT. Raises what ``ValidatorNode.run`` raises."""
    asyncio.run(_main(config, account))
