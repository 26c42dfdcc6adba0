"""A ShardMiner whose chain and coordinator are fakes, and whose arithmetic, blobs and journal are real."""

from dataclasses import dataclass, field, replace
from pathlib import Path

from eth_account import Account
from eth_account.signers.local import LocalAccount

from protocol.blobs import BlobStore, open_blob_store
from protocol.chain.market import OnchainTask, TaskStatus
from protocol.contribution import SignedContribution
from protocol.errors import PotError, Refused
from protocol.ids import ZERO32, Address, EpochNo, RoundNo, Sha256, ShardNo, TaskId, Wei, sha256
from protocol.job import ShardJob
from protocol.policy import default_policy
from protocol.spec import TaskSpec
from protocol.typed_data import Domain
from tests.support.miner_network import digits, digits_spec
from worker.coverage import Arithmetic
from worker.jobs import ShardMiner
from worker.journal import SigningJournal
from worker.task_book import TaskBook
from worker.trainer import HonestTrainer, ShardAnswer, ShardWork, Trainer
from worker.training.checkpoint import initial_checkpoint, load_checkpoint
from worker.training.data import DatasetCache, load_dataset
from worker.training.parts import Opening
from worker.training.replay import Claim, ShardSite

NOW_S = 1_800_000_000.0
TASK = TaskId(1)
DOMAIN = Domain(chain_id=31_337, market=Address("0x" + "11" * 20))
ACCOUNT: LocalAccount = Account.from_key("0x" + "07" * 32)


@dataclass(slots=True)
class Clock:
    """A clock that stands until it is set."""

    now: float = NOW_S

    def __call__(self) -> float:
        return self.now


def onchain(spec: TaskSpec) -> OnchainTask:
    """The open task of ``spec``, started a minute ago."""
    money, recipe = spec.money, spec.recipe
    return OnchainTask(
        task_id=TASK,
        poster=Address("0x" + "22" * 20),
        status=TaskStatus.OPEN,
        spec_hash=spec.hash,
        model=Sha256(ZERO32),
        paid_total=Wei(0),
        last_round=RoundNo(0),
        certificates=0,
        challenge_window_s=0,
        disputed_from=0,
        rounds=recipe.rounds,
        shards=recipe.shards,
        epoch=EpochNo(1),
        starts_at=int(NOW_S) - 60,
        deadline=int(NOW_S) + 3600,
        reward_per_shard=Wei(money.reward_per_shard_wei),
        fee_per_round=Wei(money.fee_per_round_wei),
        miner_stake=Wei(money.miner_stake_wei),
        slash_per_fault=Wei(money.slash_per_fault_wei),
        claimed_total=Wei(0),
    )


@dataclass(slots=True)
class FakeChain:
    """The ChainReader of tests: one task, changed at will; counts its readings."""

    entry: OnchainTask
    block_time: int = int(NOW_S) - 10
    readings: int = 0

    def task(self, task_id: TaskId) -> OnchainTask:
        self.readings += 1
        if task_id != self.entry.task_id:
            raise Refused(f"There is no task {task_id}.", "TaskUnknown")
        return self.entry

    def block_time_s(self) -> int:
        return self.block_time

    def change(self, **fields: object) -> None:
        self.entry = replace(self.entry, **fields)  # type: ignore[arg-type]


@dataclass(slots=True)
class FakeCoordinator:
    """Keeps what is delivered, or raises ``error``."""

    delivered: list[tuple[SignedContribution, ShardJob]] = field(default_factory=list)
    error: PotError | None = None

    def deliver(self, signed: SignedContribution, job: ShardJob) -> None:
        if self.error is not None:
            raise self.error
        self.delivered.append((signed, job))


@dataclass(slots=True)
class CountingTrainer:
    """The honest trainer, or whatever ``inner`` is, counting its work."""

    inner: Trainer = field(default_factory=lambda: HonestTrainer(1, "cpu"))
    calls: int = 0

    def train(self, work: ShardWork) -> ShardAnswer:
        self.calls += 1
        return self.inner.train(work)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """The miner and the parts a test looks at."""

    miner: ShardMiner
    chain: FakeChain
    coordinator: FakeCoordinator
    trainer: CountingTrainer
    blobs: BlobStore
    clock: Clock
    spec: TaskSpec
    genesis: Sha256

    def job(self, **changes: object) -> ShardJob:
        base = ShardJob(
            task_id=TASK,
            round=RoundNo(1),
            shard=ShardNo(0),
            attempt=1,
            fence=3,
            spec_hash=self.spec.hash,
            parent_model=self.genesis,
            api_url="http://127.0.0.1:1",
            lease_s=30,
        )
        return replace(base, **changes)  # type: ignore[arg-type]

    def work(self, round_no: int = 1, shard: int = 0) -> ShardWork:
        """Work at the genesis model, presented as the model before ``round_no``."""
        checkpoint = load_checkpoint(self.spec, self.blobs.get(self.genesis))
        return ShardWork(
            spec=self.spec,
            round=RoundNo(round_no),
            shard=ShardNo(shard),
            checkpoint=replace(checkpoint, round=round_no - 1),
            dataset=load_dataset(digits(), self.spec.dataset),
        )


def bench(folder: Path, name: str = "journal.sqlite") -> Bench:
    """A miner in ``folder`` with a task on digits."""
    blobs, spec, clock = open_blob_store(f"file://{folder}/blobs"), digits_spec(), Clock()
    blobs.put(digits())
    blobs.put(spec.blob)
    genesis = blobs.put(initial_checkpoint(spec))
    chain, coordinator, trainer = FakeChain(onchain(spec)), FakeCoordinator(), CountingTrainer()
    miner = ShardMiner(
        account=ACCOUNT,
        domain=DOMAIN,
        tasks=TaskBook(chain, blobs, clock),
        blobs=blobs,
        datasets=DatasetCache(2),
        max_blob_bytes=1 << 20,
        trainer=trainer,
        journal=SigningJournal(folder / name),
        coordinator=coordinator,
        now_s=clock,
        arithmetic=Arithmetic.here("cpu"),
    )
    return Bench(
        miner=miner,
        chain=chain,
        coordinator=coordinator,
        trainer=trainer,
        blobs=blobs,
        clock=clock,
        spec=spec,
        genesis=genesis,
    )


def claim_of(work: ShardWork, answer: ShardAnswer) -> Claim:
    """What a validator makes of an answer, by the shipped policy."""
    site = ShardSite(
        spec=work.spec,
        checkpoint=work.checkpoint,
        dataset=work.dataset,
        round=work.round,
        shard=work.shard,
        policy=default_policy(),
    )
    parts = {sha256(part): part for part in answer.batches}
    opening = Opening(names=tuple(map(sha256, answer.batches)), fetch=parts.__getitem__)
    return Claim(site=site, gradient=answer.gradient, opening=opening)
