"""Four real validator processes on a real chain certify the true, name the false, survive a kill."""

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import psutil
import pytest
from eth_account.signers.local import LocalAccount
from msgspec import structs

from anvil.layout import NetworkFile
from anvil.network import LocalNetwork, NetworkPlan
from anvil.programs import Services
from protocol.blobs import BlobStore, open_blob_store
from protocol.chain.client import ChainClient
from protocol.chain.contracts import Contracts
from protocol.chain.history import TaskHistory, read_task
from protocol.chain.market import TaskParams
from protocol.chain.sender import Sender
from protocol.evidence import FaultReport
from protocol.ids import TaskId, parse_address
from protocol.keystore import open_keystore
from protocol.ledger import TaskLedger
from protocol.segment import RoundRecord, SegmentRecord
from tests.support.committee_client import CommitteeClient
from tests.support.miner_network import digits, digits_spec
from tests.support.rounds import train_round
from worker.training.checkpoint import initial_checkpoint

CERTIFIED_S = 30.0
STOP_S = 9.5


@dataclass(kw_only=True)
class Stage:
    """Four running validators, two miners' keys, and the poster's."""

    network: LocalNetwork
    contracts: Contracts
    blobs: BlobStore
    accounts: dict[str, LocalAccount]
    client: CommitteeClient

    @property
    def file(self) -> NetworkFile:
        return NetworkFile.read(self.network.layout.network_file)

    def wrong(self, kind: str) -> str:
        """The name of the validator that misbehaves as ``kind`` says."""
        return next(name for name, how in self.file.adversaries.items() if how == kind)

    def post(self) -> TaskId:
        """Fund a task of five rounds and two shards. Everybody looks at everything: luck must not decide
        whether a lie is sampled."""
        made = digits_spec()
        spec = structs.replace(made, verification=structs.replace(made.verification, sample_ppm=1_000_000))
        self.blobs.put(digits())
        self.blobs.put(spec.blob)
        genesis = self.blobs.put(initial_checkpoint(spec))
        now = self.contracts.client.block().timestamp
        params = TaskParams.of(spec, genesis, now)
        poster = self.accounts["poster"]
        permit = self.contracts.token.sign_permit(
            poster, self.contracts.market.address, params.escrow, now + 3600
        )
        Sender(self.contracts.client, poster).send(
            self.contracts.market.create_task_with_permit(params, permit)
        )
        return TaskId(self.contracts.market.task_count())

    def ledger(self, task: TaskId) -> TaskLedger:
        return self.history(task).ledger

    def history(self, task: TaskId) -> TaskHistory:
        return read_task(self.contracts, self.blobs, task)

    def train(
        self,
        ledger: TaskLedger,
        lazy: int | None = None,
        shards: tuple[int, ...] = (0, 1),
        doubled: tuple[int, ...] = (),
    ) -> RoundRecord:
        """One round on the miners' keys; shard ``lazy`` returns zeros, in those of ``doubled`` the last
        micro-batch is false."""
        return train_round(
            ledger,
            self.blobs,
            self.contracts.deployment.domain,
            lambda shard: self.accounts[f"miner-{shard + 1}"],
            shards=shards,
            zeros=() if lazy is None else (lazy,),
            doubled=doubled,
        )

    def propose(self, ledger: TaskLedger, record: SegmentRecord) -> int:
        """Ask for the certificate that ``record`` leads to; returns its sequence number."""
        self.blobs.put(record.blob)
        value = record.certificate(self.contracts.deployment.domain, ledger.epoch).encode()
        seq = len(self.history(ledger.task_id).segments) + 1
        self.client.ask(ledger.task_id, seq, value)
        return seq

    def certified(self, task: TaskId, last_round: int, timeout_s: float = CERTIFIED_S) -> None:
        """Wait for the certificate of ``last_round``; fails the test when there is none in time."""
        market = self.contracts.market
        done = self.client.read_until(lambda: market.task(task).last_round >= last_round, timeout_s)
        logs = "\n".join(self.network.supervisor.log_tail(f"validator-{i}") for i in range(1, 5))
        assert done, f"round {last_round} was not certified; {self.client.statuses}\n{logs}"
        read_task(self.contracts, self.blobs, task, at_least=last_round)


@contextmanager
def staged(
    folder: Path,
    plan: NetworkPlan | None = None,
    names: Sequence[str] | None = None,
    environment: Mapping[str, str] | None = None,
) -> Iterator[Stage]:
    """The validators ``names``, all of them if None, of a network with two miners' keys and no coordinator;
    ``environment`` is added to theirs."""
    network = LocalNetwork(folder, attached=True, say=lambda line: None)
    try:
        file = network.build(plan or NetworkPlan(miners=2))
        services, running = Services(network.layout, file), sorted(file.endpoints) if names is None else names
        for name in running:
            network.layout.state(name).mkdir(mode=0o700, parents=True)
            program = services.validator(name)
            network.supervisor.start(
                replace(program, environment={**program.environment, **(environment or {})})
            )
        for name in running:
            network.await_service(name, file)
        yield Stage(
            network=network,
            contracts=Contracts.at(ChainClient(file.rpc_url), file.deployment),
            blobs=open_blob_store(file.blob_url),
            accounts={name: open_keystore(path, file.password_file) for name, path in file.keystores.items()},
            client=CommitteeClient(
                file.deployment.domain.separator, [file.endpoints[name] for name in running]
            ),
        )
    finally:
        network.supervisor.stop()


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with staged(tmp_path_factory.mktemp("net")) as running:
        yield running


def test_validators__honest_rounds__are_certified_one_after_another(stage: Stage) -> None:
    task = stage.post()
    time.sleep(1.0)  # a request for a task that a validator has not heard of yet is refused, not kept
    for number in (1, 2):
        ledger = stage.ledger(task)
        stage.propose(ledger, ledger.extend((stage.train(ledger),)))
        stage.certified(task, number)
    ledger = stage.ledger(task)
    assert len(ledger.last_signers) >= 3
    assert sum(ledger.payouts.values()) == stage.contracts.market.task(task).paid_total


def test_validators__lazy_shard__is_reported_excluded_and_slashed(stage: Stage) -> None:
    task = stage.post()
    time.sleep(1.0)
    ledger = stage.ledger(task)
    lazy = parse_address(stage.accounts["miner-2"].address)
    before = stage.contracts.vault.stake_of(lazy)
    domain = stage.contracts.deployment.domain
    stage.propose(ledger, ledger.extend((stage.train(ledger, lazy=1),)))

    def evidence() -> dict[str, FaultReport]:
        own = [report for report in stage.client.reports if report.task_id == task]
        return {report.reporter(domain): report for report in own}

    assert stage.client.read_until(lambda: len(evidence()) >= 2, CERTIFIED_S), stage.client.statuses
    assert stage.contracts.market.task(task).last_round == 0
    corrected = ledger.extend((stage.train(ledger, shards=(0,)),), tuple(evidence().values()))
    stage.propose(ledger, corrected)
    stage.certified(task, 1)
    assert stage.ledger(task).excluded == {lazy}
    assert lazy not in stage.ledger(task).payouts
    slashed = stage.client.read_until(
        lambda: stage.contracts.vault.stake_of(lazy) < before and bool(stage.history(task).slashes),
        CERTIFIED_S,
    )
    assert slashed
    assert stage.contracts.vault.stake_of(lazy) == before - ledger.spec.money.slash_per_fault_wei


def test_validators__one_micro_batch_false__is_what_their_reports_name(stage: Stage) -> None:
    task = stage.post()
    time.sleep(1.0)
    ledger = stage.ledger(task)
    domain = stage.contracts.deployment.domain
    stage.propose(ledger, ledger.extend((stage.train(ledger, doubled=(1,)),)))

    def evidence() -> dict[str, FaultReport]:
        own = [report for report in stage.client.reports if report.task_id == task]
        return {report.reporter(domain): report for report in own}

    assert stage.client.read_until(lambda: len(evidence()) >= 2, CERTIFIED_S), stage.client.statuses
    assert {(report.fault.shard, report.batch) for report in evidence().values()} == {(1, 1)}
    assert stage.contracts.market.task(task).last_round == 0
    corrected = ledger.extend((stage.train(ledger, shards=(0,)),), tuple(evidence().values()))
    stage.propose(ledger, corrected)
    stage.certified(task, 1)


def test_validators__blame_for_honest_work__is_not_certified(stage: Stage) -> None:
    task = stage.post()
    time.sleep(1.0)
    ledger = stage.ledger(task)
    honest = stage.train(ledger)
    domain = stage.contracts.deployment.domain
    lies = tuple(
        FaultReport.signed(honest.contributions[1], domain, stage.accounts[f"validator-{i}"]) for i in (1, 2)
    )
    stage.propose(ledger, ledger.extend((stage.train(ledger, shards=(0,)),), lies))
    stage.client.read_until(lambda: False, 3.0)
    assert stage.contracts.market.task(task).last_round == 0


def test_validators__primary_killed__the_next_view_certifies(stage: Stage) -> None:
    task = stage.post()
    time.sleep(1.0)
    ledger = stage.ledger(task)
    names = {parse_address(key.address): name for name, key in stage.accounts.items()}
    primary = names[ledger.members[0]]
    stage.network.supervisor.kill(primary)
    try:
        stage.propose(ledger, ledger.extend((stage.train(ledger),)))
    except OSError:
        pytest.fail("the client lost its other links")
    stage.certified(task, 1, timeout_s=40)
    assert ledger.members[0] not in stage.ledger(task).last_signers


def test_validators__told_to_stop__end_before_they_would_be_killed(stage: Stage) -> None:
    """The last test: SIGTERM ends each of those that are left, blocks or not."""
    running = [e.process for e in stage.network.supervisor.table if e.name.startswith("validator")]
    left = [process for process in running if process is not None]
    assert len(left) >= 3
    for process in left:
        process.terminate()
    _, still = psutil.wait_procs(left, timeout=STOP_S)
    assert not still
