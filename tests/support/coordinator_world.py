"""A coordinator's world without a network: a store, blobs, a task on record, miners with keys."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from eth_account import Account
from eth_account.signers.local import LocalAccount

from coordinator.bell import Bell
from coordinator.blob_cache import BlobCache
from coordinator.services.context import Context
from coordinator.services.drive_task import drive_task
from coordinator.services.index_blocks import Batch, StakeView, index_blocks
from coordinator.services.index_contests import ContestState
from coordinator.services.ledgers import Ledgers
from coordinator.services.register_heartbeat import register_heartbeat
from coordinator.store.engine import open_engine
from coordinator.store.migrate import migrate
from coordinator.store.unit_of_work import Store
from coordinator.store.work_tables import LeaseRow
from protocol.blobs import open_blob_store
from protocol.certificate import RoundCertificate
from protocol.chain.client import BlockRef
from protocol.chain.events import CertificateAccepted, EpochAdvanced, Event, EventRef, TaskCreated
from protocol.chain.market import TaskParams
from protocol.contribution import Contribution, Heartbeat, SignedContribution
from protocol.ids import Address, EpochNo, RoundNo, Sha256, ShardNo, TaskId, Wei, parse_address, sha256
from protocol.job import ShardJob
from protocol.members import quorum
from protocol.spec import TaskSpec
from protocol.typed_data import Domain
from tests.support.miner_network import digits, digits_spec
from tests.support.shards import put_parts
from worker.training.checkpoint import initial_checkpoint, load_checkpoint
from worker.training.data import DatasetCache
from worker.training.step import encode_gradient, shard_gradient

START_S = 1_700_000_000.0
TASK = TaskId(1)


@dataclass(slots=True)
class Asked:
    """A committee port that keeps what it was asked."""

    requests: list[tuple[TaskId, tuple[Address, ...], int, bytes]] = field(default_factory=list)

    def request(self, task_id: TaskId, members: tuple[Address, ...], seq: int, value: bytes) -> None:
        self.requests.append((task_id, members, seq, value))


@dataclass(slots=True)
class Queue:
    """A job port that keeps jobs; with ``broken`` it is a broker that is away."""

    jobs: list[tuple[Address, ShardJob]] = field(default_factory=list)
    broken: Exception | None = None
    run: str = "first"

    def send(self, miner: Address, job: ShardJob) -> None:
        if self.broken is not None:
            raise self.broken
        self.jobs.append((miner, job))

    def broker_run(self) -> str:
        if self.broken is not None:
            raise self.broken
        return self.run


class World:
    """Time stands still unless ``clock_s`` is moved; blocks are made by ``mine``."""

    def __init__(self, folder: Path, limits: Mapping[str, int], database_url: str | None) -> None:
        self.clock_s = START_S
        self.domain = Domain(chain_id=31337, market=Address("0x" + "11" * 20))
        self.members = sorted((Account.create() for _ in range(4)), key=lambda a: int(a.address, 16))
        self.miners: list[LocalAccount] = [Account.create() for _ in range(3)]
        self.spec: TaskSpec = digits_spec(**limits)
        engine = open_engine(database_url or f"sqlite:///{folder}/db.sqlite3")
        migrate(engine)
        self.store = Store(engine, Bell())
        self.blobs = BlobCache(open_blob_store((folder / "blobs").as_uri()))
        self.asked, self.queue = Asked(), Queue()
        self.ctx = Context(
            store=self.store,
            blobs=self.blobs,
            domain=self.domain,
            committee=self.asked,
            jobs=self.queue,
            ledgers=Ledgers(self.blobs, self.domain),
            datasets=DatasetCache(),
            now_s=lambda: self.clock_s,
            listening_since_s=START_S,
            api_url="http://127.0.0.1:1",
        )
        self._block = 0

    # ------------------------------------------------------------------ the chain

    def where(self) -> EventRef:
        number = self._block + 1
        return EventRef(
            block_number=number, block_hash=_hash(b"block", number), tx_hash=_hash(b"tx", number), log_index=0
        )

    def mine(
        self,
        *events: Event,
        fork: int | None = None,
        salt: bytes = b"block",
        contests: Mapping[int, ContestState] | None = None,
        owed: Mapping[Address, int] | None = None,
    ) -> None:
        """Index one block with ``events``; ``fork`` takes back the blocks above it first."""
        after = self._block or None
        number = self._block + 1 if fork is None else fork + 1
        last = BlockRef(
            number=number,
            hash=_hash(salt, number),
            parent_hash=bytes(32),
            timestamp=int(self.clock_s),
            base_fee=0,
        )
        stakes = {
            parse_address(m.address): StakeView(stake=1000, unbonding=0, unlocks_at=0) for m in self.miners
        }
        batch = Batch(
            after=after,
            fork=fork,
            last=last,
            events=events,
            blocks={number: last},
            gas={e.where.tx_hash: 80_000 for e in events},
            stakes=stakes if after is None else {},
            contests=contests or {},
            owed=owed or {},
        )
        index_blocks(self.store, batch, self.clock_s)
        self._block = number

    def created(self) -> TaskCreated:
        genesis = sha256(initial_checkpoint(self.spec))
        params = TaskParams.of(self.spec, genesis, int(START_S))
        return TaskCreated(
            where=self.where(),
            task_id=TASK,
            poster=parse_address(self.members[0].address),
            params=params,
            epoch=EpochNo(1),
            escrow=Wei(params.escrow),
        )

    def advance_epoch(self) -> None:
        """The snapshot that tasks rely on."""
        members = tuple(parse_address(m.address) for m in self.members)
        self.mine(EpochAdvanced(where=self.where(), epoch=EpochNo(1), members=members))

    def post_task(self) -> None:
        """An epoch, the blobs, a task; and heartbeats of all miners."""
        self.advance_epoch()
        self.blobs.put(self.spec.blob)
        self.blobs.put(digits())
        self.mine(self.created())
        self.beat()

    def certify(
        self, value: bytes, *, fork: int | None = None, salt: bytes = b"block"
    ) -> CertificateAccepted:
        """Accept the certificate in a new block, signed by a quorum."""
        certificate = RoundCertificate.decode(value)
        event = CertificateAccepted(
            where=self.where(),
            task_id=TASK,
            index=certificate.first_round - 1,
            certificate=certificate,
            signers=(1 << quorum(4)) - 1,
        )
        self.mine(event, fork=fork, salt=salt)
        return event

    @property
    def spec_genesis(self) -> Sha256:
        return sha256(initial_checkpoint(self.spec))

    # ------------------------------------------------------------------ miners

    def beat(self) -> None:
        for account in self.miners:
            address = parse_address(account.address)
            beat = Heartbeat(miner=address, time_s=int(self.clock_s), device="cpu")
            register_heartbeat(self.ctx, address, beat.sign(self.domain, account))

    def pass_time(self, seconds: float) -> None:
        """The clock moves on and every miner says that it is alive."""
        self.clock_s += seconds
        self.beat()

    def account(self, address: str) -> LocalAccount:
        return next(m for m in self.miners if m.address == address)

    def work(self, lease: LeaseRow, *, lazy: bool = False) -> SignedContribution:
        """What the holder of ``lease`` hands in; a lazy one computes another shard's gradient."""
        with self.store.read() as tx:
            row = tx.rounds.get(lease.task_id, lease.round)
            assert row is not None
            parent = Sha256(row.parent_model)
        checkpoint = load_checkpoint(self.spec, self.blobs.get(parent))
        dataset = self.ctx.datasets.get(self.spec.dataset, digits)
        shard = (lease.shard + 1) % self.spec.recipe.shards if lazy else lease.shard
        done = shard_gradient(self.spec, checkpoint, dataset, lease.round, shard)
        contribution = Contribution(
            task_id=TaskId(lease.task_id),
            round=RoundNo(lease.round),
            shard=ShardNo(lease.shard),
            miner=Address(lease.miner),
            spec_hash=self.spec.hash,
            parent_model=parent,
            gradient=self.blobs.put(encode_gradient(self.spec, done.gradient)),
            batches=put_parts(self.spec, self.blobs, done.parts),
            samples=done.samples,
            loss_micros=done.loss_micros,
        )
        return contribution.sign(self.domain, self.account(lease.miner))

    def leases(self) -> list[LeaseRow]:
        with self.store.read() as tx:
            rows = tx.rounds.above(TASK, 0)
            return [lease for row in rows for lease in tx.shards.leases_of(TASK, row.number)]

    def drive(self) -> None:
        while not drive_task(self.ctx, TASK):
            pass


def _hash(salt: bytes, number: int) -> bytes:
    return sha256(salt + number.to_bytes(8, "big"))


@contextmanager
def world(
    folder: Path, limits: Mapping[str, int] | None = None, database_url: str | None = None
) -> Iterator[World]:
    """A world in ``folder``; ``limits`` change those of the spec."""
    made = World(folder, limits or {}, database_url)
    try:
        yield made
    finally:
        made.store.close()
