"""From the disk to the same replica: after every single output of long runs, and from every shortened log."""

import random

import pytest

from committee.replica import Replica
from committee.state import Record, Sent
from protocol.pbft_messages import Commit, Prepare, Reply, ViewChange
from tests.unit.committee.cluster import Cluster


def eventful(seed: int) -> Cluster:
    """Decisions, view changes, finality, a lossy network."""
    rng = random.Random(seed)
    cluster = Cluster(4, window=4)
    cluster.passes = lambda source, target, message: rng.random() > 0.15
    for seq in range(1, 7):
        cluster.ask(seq, b"v%d" % seq)
        cluster.down = {rng.randrange(4)} if rng.random() < 0.5 else set()
        cluster.tick(rng.randrange(12))
        if seq % 3 == 0:
            for i, replica in enumerate(cluster.replicas):
                cluster.apply(i, replica.finalized(max(0, replica.log.delivered - 1)))
    return cluster


def rebuilt(cluster: Cluster, i: int, records: list[Record] | tuple[Record, ...]) -> Replica:
    return Replica(cluster.configs[i], cluster.cryptos[i], records)


@pytest.mark.parametrize("seed", range(8))
def test_replica__rebuilt_from_disk_or_from_its_snapshot__is_the_same(seed: int) -> None:
    cluster = eventful(seed)
    for i, replica in enumerate(cluster.replicas):
        expected = replica.snapshot()
        assert rebuilt(cluster, i, cluster.disks[i]).snapshot() == expected
        assert rebuilt(cluster, i, expected).snapshot() == expected


@pytest.mark.parametrize("seed", range(4))
def test_replica__rebuilt_at_every_persistence_point__never_contradicts_what_it_said(seed: int) -> None:
    """Kill -9 after each record: whatever the next life signs agrees with the former one's whole disk."""
    cluster = eventful(seed)
    for i in range(4):
        said = words(cluster.disks[i])
        for cut in range(0, len(cluster.disks[i]), 3):
            before = cluster.disks[i][:cut]
            survivor = rebuilt(cluster, i, before)
            again = words(list(survivor.start().persist))
            known = words(before)
            assert all(known.get(place, word) == word for place, word in again.items())
            assert set(known.items()) <= set(said.items())


def words(records: list[Record]) -> dict[tuple[object, ...], object]:
    said: dict[tuple[object, ...], object] = {}
    for record in records:
        match record:
            case Sent(message=Prepare() | Commit() as vote):
                said[(type(vote).__name__, vote.view, vote.seq)] = vote.digest
            case Sent(message=Reply() as reply):
                said[("Reply", reply.seq)] = reply.digest
            case Sent(message=ViewChange() as change):
                said[("ViewChange", change.vote.view)] = change.vote.signature
    return said


def test_replica__restarted_in_mid_agreement__takes_part_again() -> None:
    cluster = Cluster(4)
    cluster.passes = lambda source, target, message: not isinstance(message, Commit)
    cluster.ask(1, b"good")
    cluster.settle()
    for i in range(4):
        cluster.restart(i)
    cluster.passes = lambda source, target, message: True
    cluster.tick(20)
    assert all(cluster.values(i) == [b"good"] for i in range(4))


def test_replica__restarted_with_an_undelivered_decision__hands_it_out_again() -> None:
    cluster = Cluster(4)
    cluster.ask(1, b"good")
    cluster.settle()
    cluster.restart(2)
    assert cluster.values(2) == [b"good", b"good"]
    cluster.apply(2, cluster.replicas[2].finalized(1))
    cluster.restart(2)
    assert cluster.values(2) == [b"good", b"good"]
