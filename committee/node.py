"""A validator process: the one place where replicas, chain, checks and transactions are put together.

The event loop owns all state. Four threads do what blocks, one thing at a time each: reading the chain,
checking proposals (torch), counting contests, sending transactions.
"""

import asyncio
import json
import logging
import random
import signal
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from eth_account.signers.local import LocalAccount

from committee.bench import Bench
from committee.canaries import CanaryWatch
from committee.canary_submitter import CanarySubmitter
from committee.chain_watch import ChainWatch
from committee.config import ValidatorConfig
from committee.contest_bench import ContestBench, ContestSubmitter
from committee.contest_judge import ContestJudge
from committee.contest_seat import is_contest
from committee.contest_watch import ContestWatch
from committee.court import is_court
from committee.court_judge import CourtJudge
from committee.court_submitter import CourtSubmitter
from committee.court_watch import CourtWatch
from committee.desk import Desk
from committee.directory import Directory
from committee.evidence_file import EvidenceFile
from committee.evidence_keeper import EvidenceKeeper
from committee.follower import ChainFollower, Hearers, Watches
from committee.host import Host
from committee.learning_watch import LearningWatch
from committee.noise_book import NoiseBook
from committee.noise_file import NoiseFile, file_name
from committee.payload_pool import PayloadPool
from committee.prosecution import Prosecution
from committee.roster import Roster
from committee.sample_duty import ChainDuty
from committee.state import Decided, Rejected, Verify
from committee.transport import Transport, TransportConfig
from committee.verify import Checker
from protocol.blobs import open_blob_store
from protocol.bls import BlsSecret
from protocol.chain.contracts import Contracts
from protocol.errors import ConfigurationError, PeerMisbehaved
from protocol.evidence import FaultReport
from protocol.frames import FAULT_KIND
from protocol.ids import Address, TaskId, parse_address
from protocol.parsing import peer_value
from protocol.pbft_messages import Evidence, Prepare
from protocol.signing import KeySigner
from worker.training.data import DatasetCache

log = logging.getLogger(__name__)


class ValidatorNode:
    """Everything of one validator; ``run`` until ``stop`` is called."""

    checker_type: type[Checker] = Checker

    def __init__(self, config: ValidatorConfig, account: LocalAccount) -> None:
        self._config = config
        self._account = account
        self._me = parse_address(account.address)
        self._signer = KeySigner(bytes(account.key))
        self._domain = config.deployment.domain
        self._blobs = open_blob_store(config.blob_url)
        self._reader = ThreadPoolExecutor(max_workers=1, thread_name_prefix="chain")
        self._stopping = asyncio.Event()

    def stop(self) -> None:
        """End ``run`` cleanly; safe to call from a signal handler of the loop."""
        self._stopping.set()

    async def run(self) -> None:
        """Validate until stopped. Raises ServiceUnreachable or ConfigurationError when it cannot start, and
        the error after which nothing more may be signed."""
        contracts = await asyncio.get_running_loop().run_in_executor(self._reader, self._connect)
        self._assemble(contracts)
        await self._listen()
        self._desk.start(self._transport)
        self._host.start(self._transport)
        self._follower.start()
        log.info("validator %s listens on port %s", self._me, self._transport.port)
        jobs: list[asyncio.Future[Any]] = [
            asyncio.create_task(self._follower.run()),
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
        await asyncio.get_running_loop().run_in_executor(None, self._follower.stop)
        self._desk.stop()  # a transaction that waits must not keep the process
        await self._host.stop()
        for job in jobs:
            job.cancel()
        await asyncio.gather(*jobs, return_exceptions=True)
        await self._transport.stop()
        self._desk.close()
        self._reader.shutdown(wait=False, cancel_futures=True)

    # ---------------------------------------------------------------- parts

    def _connect(self) -> Contracts:
        return Contracts.connect(self._config.rpc_url, self._config.deployment)

    def _assemble(self, contracts: Contracts) -> None:
        """Put the parts together. Each thread has a connection of its own."""
        config = self._config
        checking, sending = self._connect(), self._connect()
        checker = self._make_checker(checking)
        self._watch = ChainWatch(contracts, self._blobs, self._me)
        self._pool = PayloadPool(config.deployment.contest_domain)
        self._host = Host(self, config.state_dir, config.tick_s, self.requested, self.accepted)
        self._desk = self._make_desk(sending)
        self._prosecution = Prosecution(
            me=self._me, domain=self._domain, file=EvidenceFile(config.state_dir), desk=self._desk
        )
        self._canaries = CanaryWatch(
            signer=self._signer,
            desk=self._desk,
            submitter=CanarySubmitter(sending, self._blobs, self._desk.sender, self._me),
        )
        self._roster = self._make_roster(checker)
        judge = CourtJudge(contracts=checking, blobs=self._blobs, checker=checker)
        self._bench = self._make_bench(judge, CourtSubmitter(sending, self._blobs, self._desk.sender))
        self._contests = self._make_contests(sending)
        self._transport = self._make_transport()
        self._follower = self._make_follower(contracts)

    def _make_follower(self, contracts: Contracts) -> ChainFollower:
        directory = Directory(
            contracts=contracts,
            reader=self._reader,
            transport=self._transport,
            wanted=lambda: self._roster.members | self._bench.members | self._contests.members,
        )
        return ChainFollower(
            rpc_url=self._config.rpc_url,
            poll_s=self._config.poll_s,
            reader=self._reader,
            watches=Watches(
                tasks=self._watch,
                courts=CourtWatch(contracts),
                contests=ContestWatch(contracts),
                learning=LearningWatch(contracts, self._blobs),
            ),
            hearers=Hearers(
                roster=self._roster,
                canaries=self._canaries,
                desk=self._desk,
                bench=self._bench,
                contests=self._contests,
                pool=self._pool,
                directory=directory,
            ),
        )

    def _make_transport(self) -> Transport:
        config = self._config
        return Transport(
            TransportConfig(domain=self._domain.separator, listen_host=config.host, listen_port=config.port),
            self._signer,
            self._host,
            random.SystemRandom().random,
        )

    def _make_desk(self, sending: Contracts) -> Desk:
        return Desk(
            account=self._account,
            sending=sending,
            watch=self._watch,
            aggregate_from=self._config.aggregate_from,
            keeper=EvidenceKeeper(self._config.state_dir, self._blobs),
        )

    async def _listen(self) -> None:
        config = self._config
        try:
            await self._transport.start()
        except OSError as error:
            raise ConfigurationError(
                f"This validator cannot listen on {config.host}:{config.port}: {error.strerror or error}."
            ) from error

    def _make_checker(self, contracts: Contracts) -> Checker:
        return self.checker_type(
            domain=self._domain,
            blobs=self._blobs,
            stake_of=contracts.vault.stake_of,
            slashable_of=contracts.vault.slashable_of,
            signer=self._signer,
            datasets=DatasetCache(),
            threads=self._config.threads,
            device=self._config.device,
            noise=NoiseBook.kept_in(NoiseFile(self._config.state_dir / file_name(self._domain, self._me))),
            duty_of=ChainDuty(contracts, self._me),
        )

    def _make_roster(self, checker: Checker) -> Roster:
        return Roster(
            config=self._config,
            signer=self._signer,
            secret=BlsSecret.derived_from(bytes(self._account.key)),
            host=self._host,
            checker=checker,
            desk=self._desk,
            prosecution=self._prosecution,
        )

    def _make_bench(self, judge: CourtJudge, submitter: CourtSubmitter) -> Bench:
        return Bench(
            host=self._host,
            desk=self._desk,
            judge=judge,
            submitter=submitter,
            signer=self._signer,
            domain=self._domain,
            view_timeout_ticks=self._config.view_timeout_ticks,
        )

    def _make_contests(self, sending: Contracts) -> ContestBench:
        config = self._config
        return ContestBench(
            host=self._host,
            desk=self._desk,
            judge=self._make_contest_judge(),
            blobs=self._blobs,
            pool=self._pool,
            submitter=ContestSubmitter(sending, self._desk.sender),
            signer=self._signer,
            domain=config.deployment.contest_domain,
            view_timeout_ticks=config.view_timeout_ticks,
        )

    def _make_contest_judge(self) -> ContestJudge:
        config = self._config
        return ContestJudge(blobs=self._blobs, threads=config.threads, device=config.device)

    # ---------------------------------------------------------------- committee.host's callbacks

    def requested(self, task: int, value: bytes) -> None:
        """Somebody asks for a value: it may be what a member was caught signing."""
        self._prosecution.learn(TaskId(task), value)
        self._canaries.learn(TaskId(task), value)

    def accepted(self, message: Prepare) -> None:
        """Another member found a proposal true: its word counts, should a canary be in it."""
        self._canaries.hear(message)

    # ---------------------------------------------------------------- committee.host.Application

    def tick(self) -> None:
        self._bench.tick()
        self._contests.tick()
        self._roster.tick()
        self._prosecution.tick()
        self._canaries.tick()

    def verify(self, task: int, question: Verify) -> None:
        if is_contest(task):
            self._contests.verify(task, question)
            return
        if is_court(task):
            self._bench.verify(task, question)
            return
        # It may come from a new view, not a request.
        self._prosecution.learn(TaskId(task), question.value)
        self._canaries.learn(TaskId(task), question.value)
        session = self._roster.session(task)
        if session is not None:
            session.verify(question)

    def decided(self, task: int, decided: Decided) -> None:
        if is_contest(task):
            self._contests.decided(task, decided)
            return
        if is_court(task):
            self._bench.decided(task, decided)
            return
        self._prosecution.decided(TaskId(task), decided)
        session = self._roster.session(task)
        if session is not None:
            session.decided(decided)

    def rejected(self, task: int, rejected: Rejected) -> None:
        log.warning("task %s: proposal %s rejected by members %s", task, rejected.seq, rejected.members)

    def evidence(self, task: int, evidence: Evidence) -> None:
        members = self._host.replica(task).members
        self._prosecution.accuse(task, members.addresses[evidence.first.sender], evidence)

    def behind(self, task: int, seq: int) -> None:
        """The chain is followed all the time, so what is missing arrives by itself; unless the endpoint
        withheld something, which only a fresh reading shows."""
        session = self._roster.session(task)
        if session is not None and session.history.certificates < seq:
            self._follower.doubt(f"members are at certificate {seq} of task {task}")

    def offered(self, kind: str, body: bytes) -> bytes:
        """A user's payload, or its question which ones wait."""
        return self._pool.answer(kind, body)

    def message(self, peer: Address, kind: str, body: bytes) -> None:
        if kind != FAULT_KIND:
            raise PeerMisbehaved(f"message of {peer}", f"its kind {kind!r} is unknown")
        with peer_value("fault report"):
            report = FaultReport.from_json(json.loads(body))
        session = self._roster.session(report.task_id)
        if session is not None:
            session.hear(report)


async def serve(node: ValidatorNode) -> None:
    """Run ``node`` until SIGTERM or SIGINT. Raises what ``ValidatorNode.run`` raises."""
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, node.stop)
    await node.run()


def run(config: ValidatorConfig, account: LocalAccount) -> None:
    """Run a validator as ``serve`` does."""
    asyncio.run(serve(ValidatorNode(config, account)))
