"""The index against a real chain with the real contracts, including blocks that the chain takes back."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from eth_account import Account
from eth_account.signers.local import LocalAccount
from sqlalchemy import select

from anvil.chain import AnvilProcess
from anvil.deploy import deploy
from anvil.transactions import Pipeline, settle
from coordinator.bell import Bell
from coordinator.chain.indexer import Indexer
from coordinator.services.index_blocks import CursorMoved
from coordinator.store.chain_tables import CertificateRow, ChainEvent, Epoch, Stake, Task, Validator
from coordinator.store.engine import open_engine
from coordinator.store.migrate import migrate
from coordinator.store.unit_of_work import Store
from coordinator.views import escrow_of, list_certificates
from protocol import merkle
from protocol.certificate import RoundCertificate, SignedCertificate
from protocol.chain.client import ChainClient
from protocol.chain.contract import Call
from protocol.chain.contracts import Contracts
from protocol.chain.market import TaskParams
from protocol.errors import ServiceUnreachable
from protocol.ids import Address, EpochNo, RoundNo, Sha256, TaskId, parse_address
from protocol.record import CertificateRecord
from protocol.signing import sign, to_compact

NOW_S = 1_700_000_000.0
ROUNDS, SHARDS, REWARD, FEE = 4, 2, 10, 7


@dataclass(slots=True)
class Net:
    """Contracts with a committee of four whose keys the test holds, and a rich poster."""

    contracts: Contracts
    validators: list[LocalAccount]
    poster: LocalAccount

    @property
    def client(self) -> ChainClient:
        return self.contracts.client

    def send(self, account: LocalAccount, *calls: Call) -> None:
        line = Pipeline(self.client, account, self.contracts.deployment.chain_id)
        settle(self.client, [line.send(call) for call in calls])

    def post(self) -> TaskId:
        now = self.client.block().timestamp
        params = TaskParams(
            spec_hash=Sha256(b"s" * 32),
            genesis_model=Sha256(b"g" * 32),
            rounds=ROUNDS,
            shards=SHARDS,
            reward_per_shard=REWARD,
            fee_per_round=FEE,
            miner_stake=1000,
            slash_per_fault=500,
            starts_at=now,
            deadline=now + 3600,
        )
        self.send(self.poster, self.contracts.market.create_task(params))
        return TaskId(self.contracts.market.task_count())

    def certify(
        self, task_id: TaskId, last_round: int, payouts: list[tuple[Address, int]]
    ) -> CertificateRecord:
        """The next certificate, up to ``last_round``, signed by the first three members; its record."""
        task = self.contracts.market.task(task_id)
        certificate = RoundCertificate(
            task_id=task_id,
            first_round=RoundNo(task.last_round + 1),
            last_round=RoundNo(last_round),
            epoch=EpochNo(task.epoch),
            spec_hash=task.spec_hash,
            parent_model=task.model,
            model=Sha256(last_round.to_bytes(32, "big")),
            contributions_root=b"c" * 32,
            faults_root=bytes(32),
            payouts_root=merkle.root(payouts, merkle.PAYOUT_LEAF),
            paid_total=sum(wei for _, wei in payouts),
            segment=Sha256(b"r" * 32),
        )
        members = self.contracts.committee.members_of(EpochNo(task.epoch))
        keys = {parse_address(v.address): v for v in self.validators}
        digest = certificate.digest(self.contracts.deployment.domain)
        signatures = b"".join(to_compact(sign(digest, keys[member])) for member in members[:3])
        signed = SignedCertificate(certificate=certificate, signers=0b111, signatures=signatures)
        self.send(self.poster, self.contracts.market.certify(signed))
        return CertificateRecord.of(certificate, signed.signers, task.certificates)


@pytest.fixture(scope="module")
def net(anvil_chain: AnvilProcess) -> Net:
    client = ChainClient(anvil_chain.rpc_url)
    *validators, poster = (Account.create() for _ in range(5))
    for account in (*validators, poster):
        client.rpc("anvil_setBalance", account.address, hex(10**20))
    made = Net(Contracts.connect(anvil_chain.rpc_url, deploy(client, poster)), validators, poster)
    c = made.contracts
    stake = c.committee.validator_stake()
    for number, account in enumerate(validators):
        made.send(
            account,
            c.token.faucet(parse_address(account.address)),
            c.token.approve(c.vault.address, stake),
            c.vault.deposit(stake),
            c.committee.join(f"ws://127.0.0.1:{number + 1}"),
        )
    made.send(
        poster,
        c.token.faucet(parse_address(poster.address)),
        c.token.approve(c.market.address, 10**24),
        c.committee.advance_epoch(),
    )
    return made


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    yield from open_store(tmp_path)


def open_store(folder: Path) -> Iterator[Store]:
    engine = open_engine(f"sqlite:///{folder}/index.sqlite3")
    migrate(engine)
    made = Store(engine, Bell())
    yield made
    made.close()


def index(net: Net, store: Store) -> None:
    indexer = Indexer(net.contracts, store, lambda: NOW_S)
    while not indexer.poll():
        pass


def dump(store: Store) -> dict[str, list[tuple[Any, ...]]]:
    """Everything that follows from the chain."""
    found = {}
    with store.read() as tx:
        for table in (ChainEvent, CertificateRow, Epoch, Stake, Task, Validator):
            names = [c.name for c in table.__table__.columns if c.name != "id"]
            rows = [tuple(getattr(row, name) for name in names) for row in tx.session.scalars(select(table))]
            found[table.__tablename__] = sorted(rows, key=repr)
    return found


def fresh_dump(net: Net, folder: Path) -> dict[str, list[tuple[Any, ...]]]:
    """The same from an empty database."""
    (folder / "fresh").mkdir(exist_ok=True)
    for store in open_store(folder / "fresh"):
        index(net, store)
        return dump(store)
    raise AssertionError


def test_index__task_from_creation_to_close__agrees_with_the_contracts(net: Net, store: Store) -> None:
    market, task_id = net.contracts.market, net.post()
    miner = parse_address(net.poster.address)
    signers = [parse_address(a) for a in net.contracts.committee.members_of(EpochNo(1))[:3]]
    earned = SHARDS * REWARD
    index(net, store)
    net.certify(task_id, 1, [(miner, earned)])
    index(net, store)
    second = sorted([(miner, 4 * earned), *((s, FEE // 3) for s in signers)], key=lambda p: p[0].lower())
    record = net.certify(task_id, 4, second)
    index(net, store)
    leaves = [list(leaf) for leaf in second]
    place = [account for account, _ in second].index(miner)
    proof = merkle.proof(leaves, merkle.PAYOUT_LEAF, place)
    for calls in (
        [market.claim(task_id, record, miner, 4 * earned, proof)],
        [market.close(task_id)],
        [market.claim_signing_fee(task_id, record, signers[0])],
    ):
        net.send(net.poster, *calls)
        index(net, store)
        chain = market.task(task_id)
        with store.read() as tx:
            task = tx.tasks.get(task_id)
            assert task is not None
            escrow = escrow_of(tx, task)
            certificates = list_certificates(tx, task, before=None, limit=10).items
        assert (task.certified_round, task.certified_model) == (chain.last_round, chain.model)
        assert (task.paid_total, task.claimed_total) == (chain.paid_total, chain.claimed_total)
        assert int(escrow.reserved) + int(escrow.refundable) == market.refundable(task_id)
        held = int(escrow.funded) - int(escrow.paid) - int(escrow.refunded)
        assert held == market.held(task_id)
        assert [c.signers for c in certificates] == [signers, signers]
        assert all(50_000 < c.gas_used < 200_000 for c in certificates)
    with store.read() as tx:
        (last,) = tx.session.scalars(select(Task.status).where(Task.task_id == task_id))
    assert last == "closed"


def test_index__stakes_validators_and_epochs__agree_with_the_contracts(net: Net, store: Store) -> None:
    index(net, store)
    leaver = net.validators[0]
    address = parse_address(leaver.address)
    with store.read() as tx:
        assert tx.chain.endpoints()[address] == net.contracts.committee.endpoint_of(address)
        assert tx.chain.members(1) == net.contracts.committee.members_of(EpochNo(1))
        assert tx.chain.stake(address) == net.contracts.vault.stake_of(address)
    net.send(leaver, net.contracts.vault.unbond(5), net.contracts.committee.set_endpoint("ws://elsewhere:1"))
    index(net, store)
    with store.read() as tx:
        row = tx.session.get(Stake, address)
        assert row is not None
        assert (row.unbonding, row.unlocks_at) == net.contracts.vault.unbonding_of(address)
        assert tx.chain.stake(address) == net.contracts.vault.stake_of(address)
        assert tx.chain.endpoints()[address] == "ws://elsewhere:1"


@pytest.mark.parametrize("depth", [1, 3, 10])
def test_reorganisation__of_some_depth__leaves_what_a_fresh_index_finds(
    net: Net, store: Store, tmp_path: Path, depth: int
) -> None:
    task_id = net.post()
    miner = parse_address(net.poster.address)
    for number in range(1, 4):
        net.certify(task_id, number, [(miner, number * SHARDS * REWARD)])
        net.send(net.validators[1], net.contracts.vault.unbond(1))
        index(net, store)
    net.send(net.validators[1], net.contracts.committee.set_endpoint(f"ws://moved:{depth}"))
    index(net, store)
    before = dump(store)
    net.client.rpc("anvil_reorg", depth, [])
    net.client.rpc("evm_mine")
    index(net, store)
    after = dump(store)
    assert after != before
    assert after == fresh_dump(net, tmp_path)
    index(net, store)
    assert dump(store) == after


def test_chain__shorter_than_the_index__is_followed_back(net: Net, store: Store, tmp_path: Path) -> None:
    snapshot = net.client.rpc("evm_snapshot")
    net.post()
    net.post()
    index(net, store)
    assert net.client.rpc("evm_revert", snapshot)
    index(net, store)
    assert dump(store) == fresh_dump(net, tmp_path)


def test_chain__reorganised_below_every_remembered_block__is_indexed_from_the_start(
    net: Net, store: Store, tmp_path: Path
) -> None:
    index(net, store)
    with store.write() as tx:
        for block in tx.chain.blocks_down(10**6):
            block.hash = bytes(32)
    net.client.rpc("evm_mine")
    index(net, store)
    assert dump(store) == fresh_dump(net, tmp_path)


def test_indexers__two_on_one_database__the_slower_one_notices(net: Net, store: Store) -> None:
    index(net, store)
    net.post()
    slow = Indexer(net.contracts, store, lambda: NOW_S)
    read = slow._read

    def overtaken(*args: Any) -> Any:
        batch = read(*args)
        index(net, store)
        return batch

    slow._read = overtaken  # type: ignore[assignment, method-assign]
    with pytest.raises(CursorMoved):
        slow.poll()
    index(net, store)


def test_chain__unreachable__nothing_changes_and_the_next_poll_goes_on(net: Net, store: Store) -> None:
    index(net, store)
    before = dump(store)
    gone = Contracts.at(ChainClient("http://127.0.0.1:1", timeout_s=1), net.contracts.deployment)
    with pytest.raises(ServiceUnreachable):
        Indexer(gone, store, lambda: NOW_S).poll()
    assert dump(store) == before
    net.post()
    index(net, store)
    assert dump(store) != before
