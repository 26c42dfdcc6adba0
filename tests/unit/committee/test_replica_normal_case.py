"""Three phases, replies, decisions; what is signed when, and what is not."""

import pytest

from committee.state import MAX_CANDIDATES, Locked, RequestStatus, Sent
from protocol.members import quorum
from protocol.pbft_messages import Commit, Prepare, PrePrepare, Reply, value_digest
from tests.unit.committee.cluster import Cluster


@pytest.mark.parametrize("n", [4, 5, 6, 7, 10, 16, 31])
def test_replicas__nobody_fails__decide_once_with_a_quorum_of_endorsements(n: int) -> None:
    cluster = Cluster(n)
    cluster.ask(1, b"good")
    cluster.settle()
    for decided in cluster.decided:
        assert [d.value for d in decided] == [b"good"]
        assert len(decided[0].signers) == len(decided[0].endorsements) == quorum(n)
    assert all(replica.view == 0 for replica in cluster.replicas)


@pytest.mark.parametrize("n", [4, 7])
def test_replicas__real_signatures__decide(n: int) -> None:
    cluster = Cluster(n, real=True)
    cluster.ask(1, b"good")
    cluster.settle()
    assert all(values == [b"good"] for values in map(cluster.values, range(n)))


def test_replicas__asked_one_backup_only__primary_hears_of_it() -> None:
    cluster = Cluster(4)
    cluster.ask(1, b"good", of=[2])
    cluster.tick(3)
    assert all(cluster.values(i) == [b"good"] for i in range(4))
    assert all(replica.view == 0 for replica in cluster.replicas)


def test_replicas__pipelined_values__are_handed_out_in_order() -> None:
    cluster = Cluster(4)
    for seq in (3, 1, 2):
        cluster.ask(seq, b"v%d" % seq)
    cluster.settle()
    assert all(cluster.values(i) == [b"v1", b"v2", b"v3"] for i in range(4))


def test_backup__a_gap_below__does_not_reply_above_it() -> None:
    cluster = Cluster(4)
    cluster.ask(2, b"second")
    cluster.settle()
    assert "Reply" not in cluster.kinds_sent(1)
    cluster.ask(1, b"first")
    cluster.settle()
    assert all(cluster.values(i) == [b"first", b"second"] for i in range(4))


def test_output__every_vote__is_persisted_in_the_output_that_sends_it() -> None:
    cluster = Cluster(4)
    cluster.ask(1, b"good")
    cluster.settle()
    for i in range(4):
        records = cluster.disks[i]
        promised = {type(r.message) for r in records if isinstance(r, Sent)}
        assert promised >= {Prepare, Commit, Reply}
        lock = next(k for k, r in enumerate(records) if isinstance(r, Locked))
        commit = next(
            k for k, r in enumerate(records) if isinstance(r, Sent) and isinstance(r.message, Commit)
        )
        assert lock < commit


def test_primary__own_check_pending__proposes_only_after_it() -> None:
    cluster = Cluster(4)
    cluster.verdict = lambda member, seq, value: None if member == 0 else True
    cluster.ask(1, b"slow")
    cluster.settle()
    assert "PrePrepare" not in cluster.kinds_sent(0)
    cluster.say(0, 1, b"slow", True)
    cluster.settle()
    assert all(cluster.values(i) == [b"slow"] for i in range(4))


def test_backup__own_check_pending__signs_nothing_until_it_ends_even_when_all_others_agree() -> None:
    cluster = Cluster(4)
    cluster.verdict = lambda member, seq, value: None if member == 3 else True
    cluster.ask(1, b"good")
    cluster.settle()
    assert cluster.values(3) == [b"good"]  # the others' decision convinces
    assert not {"Prepare", "Commit", "Reply"} & set(cluster.kinds_sent(3))


def test_backup__own_check_says_false__abstains_but_accepts_the_decision() -> None:
    cluster = Cluster(4)
    cluster.verdict = lambda member, seq, value: member != 3
    cluster.ask(1, b"doubted")
    cluster.settle()
    assert all(cluster.values(i) == [b"doubted"] for i in range(4))
    assert not {"Prepare", "Commit", "Reply"} & set(cluster.kinds_sent(3))
    assert [r.members for r in cluster.rejected[3]] == [(3,)]


def test_replica__verdict_turns_false_after_prepare__does_not_commit() -> None:
    cluster = Cluster(4)
    cluster.passes = lambda source, target, message: not isinstance(message, Prepare)
    cluster.ask(1, b"late")
    cluster.settle()
    assert all("Prepare" in cluster.kinds_sent(i) for i in range(4))
    cluster.passes = lambda source, target, message: True
    for i in range(4):
        cluster.say(i, 1, b"late", False)
    cluster.tick(3)
    assert all("Commit" not in cluster.kinds_sent(i) for i in range(4))
    assert all(cluster.values(i) == [] for i in range(4))


def test_replicas__everybody_rejects_after_prepare__another_value_is_decided_in_another_view() -> None:
    cluster = Cluster(4)
    cluster.passes = lambda source, target, message: not isinstance(message, Prepare)
    cluster.ask(1, b"late")
    cluster.settle()
    cluster.passes = lambda source, target, message: True
    for i in range(4):
        cluster.say(i, 1, b"late", False)
    cluster.settle()
    cluster.ask(1, b"corrected")
    cluster.tick(4)
    assert all(cluster.values(i) == [b"corrected"] for i in range(4))


def test_replica__verdict_turns_false_after_commit__does_not_reply() -> None:
    cluster = Cluster(4)
    cluster.passes = lambda source, target, message: not isinstance(message, Commit)
    cluster.ask(1, b"later")
    cluster.settle()
    cluster.passes = lambda source, target, message: True
    for i in range(4):
        cluster.say(i, 1, b"later", False)
    cluster.tick(30)
    assert all("Reply" not in cluster.kinds_sent(i) for i in range(4))
    assert all(cluster.values(i) == [] for i in range(4))


def test_replica__verdict_changes_back_to_true__votes_after_all() -> None:
    cluster = Cluster(4)
    cluster.verdict = lambda member, seq, value: member not in (2, 3)
    cluster.passes = lambda source, target, message: type(message).__name__ != "Reject"
    cluster.ask(1, b"cleared")
    cluster.settle()
    assert cluster.values(0) == []
    cluster.say(3, 1, b"cleared", True)
    cluster.settle()
    assert all(cluster.values(i) == [b"cleared"] for i in range(4))


def test_request__each_situation__is_answered() -> None:
    cluster = Cluster(4, window=2)
    replica = cluster.replicas[1]

    def status(seq: int, value: bytes) -> RequestStatus | None:
        return cluster.apply(1, replica.request(seq, value)).status

    cluster.verdict = lambda member, seq, value: None
    assert status(1, b"one") is RequestStatus.CHECKING
    assert status(1, b"one") is RequestStatus.KNOWN
    assert status(5, b"far") is RequestStatus.OUTSIDE_WINDOW
    cluster.say(1, 1, b"one", False)
    assert status(1, b"one") is RequestStatus.REJECTED
    for k in range(2 * MAX_CANDIDATES):
        last = status(1, b"flood %d" % k)
    assert last is RequestStatus.FULL
    assert len(replica.log.slots[1].candidates) == MAX_CANDIDATES
    cluster.apply(1, replica.finalized(1))
    assert status(1, b"one") is RequestStatus.DECIDED


def test_request__rejected_one__starts_no_timer() -> None:
    cluster = Cluster(4)
    cluster.verdict = lambda member, seq, value: False
    cluster.ask(1, b"bad")
    cluster.tick(60)
    assert all(replica.view == 0 for replica in cluster.replicas)


def test_window__values_beyond_it__wait_for_finality() -> None:
    cluster = Cluster(4, window=2)
    for seq in (1, 2, 3):
        cluster.ask(seq, b"v%d" % seq)
    cluster.settle()
    assert [len(d) for d in cluster.decided] == [2, 2, 2, 2]
    for i, replica in enumerate(cluster.replicas):
        cluster.apply(i, replica.finalized(2))
    cluster.tick(3)
    assert all(cluster.values(i) == [b"v1", b"v2", b"v3"] for i in range(4))
    assert all(set(replica.log.slots) == {3} for replica in cluster.replicas)


def test_primary__requested_value_proposed__never_proposes_another_in_the_same_view() -> None:
    cluster = Cluster(4)
    cluster.passes = lambda source, target, message: False
    cluster.ask(1, b"one", of=[0])
    cluster.ask(1, b"two", of=[0])
    cluster.say(0, 1, b"one", False)
    cluster.tick(3)
    proposals = [s.message for i, s in cluster.sent if isinstance(s.message, PrePrepare)]
    assert {p.digest for p in proposals} == {value_digest(b"one")}
