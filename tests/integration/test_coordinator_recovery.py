"""What the coordinator does when it is not alone: other proposers, reorganisations, a deleted database."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from coordinator.domain.leases import Verdict
from coordinator.rounds import RoundsLoop
from coordinator.services.accept_contribution import HandedIn, accept_contribution
from coordinator.store.chain_tables import Task
from protocol.certificate import RoundCertificate
from protocol.ids import sha256
from tests.support.coordinator_world import START_S, TASK, World, world

LIMITS = {"max_uncertified_rounds": 3, "rounds_per_certificate": 1}


@pytest.fixture
def w(tmp_path: Path) -> Iterator[World]:
    with world(tmp_path, LIMITS) as made:
        made.post_task()
        made.drive()
        yield made


def fill(w: World) -> None:
    for lease in w.leases():
        handed = HandedIn(signed=w.work(lease), attempt=lease.attempt, fence=lease.fence)
        assert accept_contribution(w.ctx, handed) is Verdict.ACCEPTED
    w.drive()


def task_of(w: World) -> Task:
    with w.store.read() as tx:
        task = tx.tasks.get(TASK)
        assert task is not None
        return task


def rounds_of(w: World) -> list[tuple[int, str]]:
    with w.store.read() as tx:
        return [(row.number, row.status) for row in tx.rounds.above(TASK, 0)]


def proposed(w: World) -> bytes:
    return w.asked.requests[-1][3]


def test_certificate__of_a_segment_we_never_built__replaces_our_rounds(w: World, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    with world(tmp_path / "other", LIMITS) as other:
        other.members, other.miners, other.blobs = w.members, w.miners, w.blobs
        other.ctx = type(w.ctx)(
            **{**{f: getattr(other.ctx, f) for f in other.ctx.__dataclass_fields__}, "blobs": w.blobs}
        )
        other.post_task()
        other.pass_time(1)
        other.drive()
        theirs = other.leases()
        # The other coordinator gave shard 0 alone to somebody: another round 1, another model.
        handed = HandedIn(signed=other.work(theirs[0]), attempt=1, fence=theirs[0].fence)
        assert accept_contribution(other.ctx, handed) is Verdict.ACCEPTED
        other.pass_time(31)
        other.drive()
        value = proposed(other)
    fill(w)
    fill(w)
    assert proposed(w) != value
    w.certify(value)
    w.drive()
    task = task_of(w)
    assert task.adopted_round == task.certified_round == 1
    assert rounds_of(w) == [(1, "certified"), (2, "open")]
    with w.store.read() as tx:
        (counting,) = tx.shards.counting(TASK, 1, 1)
        assert counting.verdict == "certified"
        assert sum(tx.tasks.earned(TASK).values()) == 10
        second = tx.rounds.get(TASK, 2)
        assert second is not None
        assert second.parent_model == RoundCertificate.decode(value).model
    fill(w)
    assert w.asked.requests[-1][2] == 2


def test_reorganisation__certificate_undone__work_is_proposed_again_and_adopted_once(w: World) -> None:
    fill(w)
    value = proposed(w)
    w.certify(value)
    w.drive()
    fill(w)
    assert rounds_of(w)[0] == (1, "certified")
    w.mine(fork=2, salt=b"fork")
    w.drive()
    assert task_of(w).certified_round == 0
    assert [row for row in rounds_of(w) if row[1] == "certified"] == []
    assert w.asked.requests[-1][2] == 1
    assert proposed(w) == value
    with w.store.read() as tx:
        assert tx.tasks.earned(TASK) == {}
    w.certify(value)
    w.drive()
    assert rounds_of(w)[0] == (1, "certified")
    assert sum(1 for number, _ in rounds_of(w) if number == 1) == 1
    with w.store.read() as tx:
        assert sum(tx.tasks.earned(TASK).values()) == 20


def test_reorganisation__task_undone__its_number_may_come_back_for_another_task(w: World) -> None:
    fill(w)
    w.mine(fork=1, salt=b"fork")
    assert rounds_of(w) == []
    with w.store.read() as tx:
        assert tx.tasks.get(TASK) is None
        assert tx.shards.counting(TASK, 1) == []
    w.mine(w.created())
    w.drive()
    assert rounds_of(w) == [(1, "open")]


def test_database__deleted_in_mid_task__is_rebuilt_from_chain_and_blobs(w: World, tmp_path: Path) -> None:
    certificates = []
    for _ in range(2):
        fill(w)
        certificates.append(w.certify(proposed(w)))
        w.drive()
    fill(w)
    old_fences = {lease.fence for lease in w.leases()}
    certified = task_of(w).certified_model
    (tmp_path / "again").mkdir()
    with world(tmp_path / "again", LIMITS) as again:
        again.members, again.miners, again.domain = w.members, w.miners, w.domain
        again.ctx = type(w.ctx)(
            **{**{f: getattr(again.ctx, f) for f in again.ctx.__dataclass_fields__}, "blobs": w.blobs}
        )
        again.blobs = w.blobs
        object.__setattr__(again.ctx, "ledgers", type(w.ctx.ledgers)(w.blobs, w.domain))
        again.clock_s = w.clock_s + 5
        again.post_task()
        for event in certificates:
            again.mine(event)
        again.drive()
        assert rounds_of(again) == [(1, "certified"), (2, "certified"), (3, "open")]
        with again.store.read() as tx:
            assert sum(tx.tasks.earned(TASK).values()) == 2 * 20 + 3
            third = tx.rounds.get(TASK, 3)
            assert third is not None
            assert third.parent_model == certified
        assert min(lease.fence for lease in again.leases()) > max(old_fences, default=0)
        for _ in range(3):
            fill(again)
            again.certify(proposed(again))
            again.drive()
        assert task_of(again).status == "completed"


def test_segment_record__withheld__the_task_waits_and_says_so(w: World) -> None:
    fill(w)
    certificate = RoundCertificate.decode(proposed(w))
    unknown = type(certificate)(
        **{
            **{f: getattr(certificate, f) for f in certificate.__dataclass_fields__},
            "segment": sha256(b"withheld"),
        }
    )
    w.certify(unknown.encode())
    loop = RoundsLoop(w.ctx, 0.1, 0.1, lambda _: None)
    loop.turn()
    assert "is not in the blob store" in task_of(w).note
    assert task_of(w).status == "running"
    with w.store.write() as tx:
        task = tx.tasks.get(TASK)
        assert task is not None
        task.certified_tx, task.certified_round = None, 0
    w.pass_time(10)
    loop.turn()
    assert task_of(w).note == ""


def test_spec__published_late__the_task_starts_when_it_arrives(tmp_path: Path) -> None:
    with world(tmp_path) as made:
        made.advance_epoch()
        made.mine(made.created())
        made.beat()
        made.drive()
        assert (task_of(made).status, task_of(made).note[:20]) == ("waiting", "waiting for the spec")
        made.blobs.put(made.spec.blob)
        made.drive()
        assert task_of(made).status == "running"


def test_spec__torn_for_a_while__the_task_waits_and_starts_when_it_is_whole(tmp_path: Path) -> None:
    """What is not what its name says is the store's fault, and no word of the poster's."""
    with world(tmp_path) as made:
        made.advance_epoch()
        name = made.spec.hash.hex()
        path = tmp_path / "blobs" / name[:2] / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(made.spec.blob[:100])
        made.mine(made.created())
        made.beat()
        made.drive()
        assert (task_of(made).status, task_of(made).note[:20]) == ("waiting", "waiting for the spec")
        path.write_bytes(made.spec.blob)
        made.drive()
        assert task_of(made).status == "running"


def test_spec__other_money_than_on_the_chain__the_task_is_unusable_and_says_why(tmp_path: Path) -> None:
    with world(tmp_path) as made:
        made.advance_epoch()
        event = made.created()
        object.__setattr__(event.params, "reward_per_shard", 11)
        made.blobs.put(made.spec.blob)
        made.mine(event)
        loop = RoundsLoop(made.ctx, 0.1, 0.1, lambda _: None)
        loop.turn()
        loop.turn()
        assert task_of(made).status == "unusable"
        assert "reward_per_shard is 11 on the chain but 10 in the spec" in task_of(made).note


def test_task__before_its_start__waits_and_after_its_deadline_expires(tmp_path: Path) -> None:
    with world(tmp_path) as made:
        made.advance_epoch()
        event = made.created()
        object.__setattr__(event.params, "starts_at", int(START_S) + 100)
        made.blobs.put(made.spec.blob)
        made.mine(event)
        made.drive()
        assert task_of(made).status == "waiting"
        made.pass_time(100)
        made.drive()
        assert task_of(made).status == "running"
        assert len(made.leases()) == 2
        made.pass_time(made.spec.limits.task_life_s)
        made.drive()
        assert task_of(made).status == "expired"
        assert made.leases() == []
