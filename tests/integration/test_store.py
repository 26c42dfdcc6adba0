"""The store on both databases: the same code, the same answers."""

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Engine, inspect
from sqlalchemy.exc import IntegrityError

from coordinator.bell import Bell
from coordinator.store import work_tables
from coordinator.store.chain_log import Touched
from coordinator.store.chain_tables import Base, ChainEvent
from coordinator.store.engine import open_engine
from coordinator.store.migrate import migrate, migrate_down
from coordinator.store.unit_of_work import Store
from coordinator.store.work_tables import LeaseRow, Segment
from protocol.contribution import Contribution, Heartbeat, SignedContribution
from protocol.errors import ConfigurationError, ServiceUnreachable
from protocol.ids import Address, RoundNo, Sha256, ShardNo, TaskId

MINER = Address("0x" + "11" * 20)
OTHER = Address("0x" + "22" * 20)


@pytest.fixture(params=["sqlite", "postgresql"])
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path}/coordinator.sqlite3"
    else:
        url = request.getfixturevalue("postgres_url")
    opened = open_engine(url)
    yield opened
    opened.dispose()


@pytest.fixture
def store(engine: Engine) -> Store:
    migrate(engine)
    return Store(engine, Bell())


def contribution(shard: int = 0, miner: Address = MINER, gradient: bytes = b"g" * 32) -> SignedContribution:
    inner = Contribution(
        task_id=TaskId(1),
        round=RoundNo(1),
        shard=ShardNo(shard),
        miner=miner,
        spec_hash=Sha256(b"s" * 32),
        parent_model=Sha256(b"p" * 32),
        gradient=Sha256(gradient),
        batches=(Sha256(b"a" * 32), Sha256(b"b" * 32)),
        samples=4,
        loss_micros=2**64 - 1,
    )
    return SignedContribution(contribution=inner, signature=bytes(65))


def lease(fence: int, *, shard: int = 0, sent: float | None = None) -> LeaseRow:
    return LeaseRow(
        task_id=1,
        round=1,
        shard=shard,
        miner=MINER,
        attempt=1,
        fence=fence,
        granted_s=1.0,
        sent_s=sent,
        lease_s=10,
        past=[],
    )


def test_migrations__up_down_up__leave_the_schema_of_the_tables(engine: Engine) -> None:
    migrate(engine)
    migrate_down(engine)
    assert set(inspect(engine).get_table_names()) <= {"alembic_version"}
    migrate(engine)
    migrate(engine)
    with engine.connect() as connection:
        context = MigrationContext.configure(connection)
        differences: list[Any] = compare_metadata(context, Base.metadata)
    assert differences == []
    assert work_tables.News.__tablename__ in inspect(engine).get_table_names()


def test_write__an_error_inside__leaves_nothing_behind(store: Store) -> None:
    heard = store.bell.rings

    def fail() -> None:
        with store.write() as tx:
            tx.feed.add("test", 1.0, None)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    with store.read() as tx:
        assert tx.feed.newest_id() == 0
    assert store.bell.rings == heard


def test_write__with_news__rings_after_the_commit(store: Store) -> None:
    heard = store.bell.rings
    with store.write() as tx:
        tx.feed.add("test", 1.0, 7, text="<b>", number=1)
        assert store.bell.rings == heard
    assert store.bell.wait(heard, 0) == heard + 1
    with store.read() as tx:
        (entry,) = tx.feed.after(0, 10)
    assert (entry.kind, entry.task_id, entry.data) == ("test", 7, {"text": "<b>", "number": 1})


def test_feed__many_writers__ids_grow_in_the_order_of_the_commits(store: Store) -> None:
    seen: list[int] = []
    done = threading.Event()

    def watch() -> None:
        last = 0
        while not done.is_set() or last == 0:
            with store.read() as tx:
                for entry in tx.feed.after(last, 500):
                    seen.append(entry.id)
                    last = entry.id

    def add() -> None:
        for _ in range(20):
            with store.write() as tx:
                tx.feed.add("test", 1.0, None)

    with store.write() as tx:
        tx.feed.add("test", 1.0, None)
    writers = [threading.Thread(target=add) for _ in range(3)]
    watcher = threading.Thread(target=watch)
    for thread in (*writers, watcher):
        thread.start()
    for thread in writers:
        thread.join(60)
    with store.read() as tx:
        everything = [entry.id for entry in tx.feed.after(0, 500)]
    done.set()
    watcher.join(60)
    assert len(everything) == 61
    assert seen == everything[: len(seen)]


def test_feed__pruned__keeps_the_newest(store: Store) -> None:
    with store.write() as tx:
        for number in range(10):
            tx.feed.add("test", 1.0, None, number=number)
    with store.write() as tx:
        tx.feed.prune(3)
    with store.read() as tx:
        assert [entry.data["number"] for entry in tx.feed.after(0, 100)] == [7, 8, 9]


def test_contributions__a_shard_filled_twice__the_database_refuses(store: Store) -> None:
    with store.write() as tx:
        tx.shards.add(contribution(), "accepted", 1.0)
    with pytest.raises(IntegrityError), store.write() as tx:
        tx.shards.add(contribution(miner=OTHER), "certified", 2.0)
    with store.write() as tx:
        tx.shards.add(contribution(miner=OTHER), "discarded", 2.0)
        tx.shards.add(contribution(shard=1), "accepted", 2.0)
    with store.read() as tx:
        counting = tx.shards.counting(1, 1)
        assert [(row.shard, row.miner) for row in counting] == [(0, MINER), (1, MINER)]
        assert counting[0].loss_micros == 2**64 - 1
        assert counting[0].batches == contribution().contribution.batches


def test_leases__granted_again__only_the_last_fence_is_left(store: Store) -> None:
    with store.write() as tx:
        tx.shards.grant(lease(5, sent=1.0))
        tx.shards.grant(lease(7, shard=1))
    with store.write() as tx:
        tx.shards.grant(lease(6))
    with store.read() as tx:
        row = tx.shards.lease(1, 1, 0)
        assert row is not None
        assert row.fence == 6
        assert [item.fence for item in tx.shards.unsent()] == [6, 7]
        assert tx.shards.loads() == {MINER: 2}
    with store.write() as tx:
        tx.shards.mark_sent([5, 7], 2.0)
    with store.read() as tx:
        assert [item.fence for item in tx.shards.unsent()] == [6]


def test_segments__two_in_flight_for_a_task__the_database_refuses(store: Store) -> None:
    def segment() -> Segment:
        return Segment(
            task_id=1, first_round=1, last_round=1, value=b"v", state="in flight", sent_s=1.0, sends=1
        )

    with store.write() as tx:
        tx.committee.add_segment(segment())
    with pytest.raises(IntegrityError), store.write() as tx:
        tx.committee.add_segment(segment())


def test_miners__replayed_heartbeat__does_not_revive(store: Store) -> None:
    beat = Heartbeat(miner=MINER, time_s=100, device="cpu")
    with store.write() as tx:
        assert tx.miners.beat(beat, 50.0, 2.0)
        assert not tx.miners.beat(beat, 56.0, 2.0)
    with store.read() as tx:
        (view,) = tx.miners.live(57.0, {MINER: 3})
        assert (view.last_seen_s, view.silent_at_s, view.load, view.stake) == (50.0, 57.0, 3, 0)
        assert tx.miners.live(57.1) == ()
        assert tx.miners.live(57.1, holders=[MINER]) != ()


def test_miners__told_to_wait_long__outlive_a_network_that_shrinks(store: Store) -> None:
    with store.write() as tx:
        tx.miners.beat(Heartbeat(miner=MINER, time_s=100, device="cpu"), 50.0, 40.0)
        tx.miners.beat(Heartbeat(miner=Address("0x" + "ab" * 20), time_s=100, device="cpu"), 50.0, 2.0)
    with store.read() as tx:
        assert tx.miners.count_live(57.0) == 2
        assert [view.address for view in tx.miners.live(100.0)] == [MINER]
        assert tx.miners.count_live(100.1) == 0
        assert [view.address for view in tx.miners.these([MINER])] == [MINER]


def test_chain__stakes_below_what_is_needed__are_found_in_one_query(store: Store) -> None:
    poor, unknown = Address("0x" + "ab" * 20), Address("0x" + "cd" * 20)
    with store.write() as tx:
        tx.chain.set_stake(MINER, 10**30, 0, 0)
        tx.chain.set_stake(poor, 9, 0, 0)
        tx.session.flush()
        assert tx.chain.poorer_than(10**30, {MINER, poor, unknown}) == {poor, unknown}


def test_miners__strike_then_delivery__benches_then_absolves(store: Store) -> None:
    with store.write() as tx:
        tx.miners.beat(Heartbeat(miner=MINER, time_s=100, device="cpu"), 50.0, 2.0)
        tx.chain.set_stake(MINER, 10**30, 0, 0)
    with store.write() as tx:
        tx.miners.strike(MINER, 50.0)
    with store.write() as tx:
        (view,) = tx.miners.live(50.0)
        assert (view.strikes, view.benched_until_s, view.stake) == (1, 55.0, 10**30)
        tx.miners.absolve(MINER)
    with store.read() as tx:
        assert tx.miners.live(50.0)[0].strikes == 0


def event_row(block: int, kind: str, task_id: int | None = None, account: str | None = None) -> ChainEvent:
    return ChainEvent(
        block_number=block,
        block_hash=bytes(32),
        tx_hash=bytes(32),
        log_index=0,
        kind=kind,
        task_id=task_id,
        account=account,
        amount=2**200,
        data={},
    )


def test_chain_log__rewound__forgets_the_blocks_above_and_says_what_they_touched(store: Store) -> None:
    with store.write() as tx:
        for number in (1, 2, 3):
            tx.chain.remember(number, bytes([number]) * 32, number)
        tx.chain.add(event_row(1, "TaskCreated", task_id=1))
        tx.chain.add(event_row(2, "Claimed", task_id=1, account=MINER))
        tx.chain.add(event_row(3, "Deposited", account=OTHER))
    with store.write() as tx:
        touched = tx.chain.rewind(1)
        assert touched == Touched(tasks=frozenset({1}), stakers=frozenset({OTHER}), validators=frozenset())
    with store.read() as tx:
        cursor = tx.chain.cursor()
        assert cursor is not None
        assert cursor.number == 1
        assert tx.chain.events_count() == 1
        assert tx.chain.of_task(1, "TaskCreated")[0].amount == 2**200


def test_open_engine__unknown_database__says_which_are_known() -> None:
    with pytest.raises(ConfigurationError, match="sqlite or postgresql"):
        open_engine("mysql://x/y")
    with pytest.raises(ConfigurationError):
        open_engine("not a url")


def test_store__server_away__is_unreachable_and_hides_the_password() -> None:
    engine = open_engine("postgresql://me:secret@127.0.0.1:1/none")
    with pytest.raises(ServiceUnreachable) as caught, Store(engine, Bell()).read() as tx:
        tx.feed.newest_id()
    assert "secret" not in str(caught.value)
