"""Replies that contradict each other are kept as evidence, before and after the decision, within bounds."""

import pytest

from committee.errors import BadSignature
from committee.state import MAX_EVIDENCE, MAX_REPLY_EVIDENCE
from protocol.pbft_messages import Phase, Prepare, Reply, value_digest
from tests.unit.committee.cluster import Cluster

TASK = Cluster(4).instance.task
LIAR = 3


def reply(cluster: Cluster, value: bytes, seq: int = 1, *, forged: bool = False) -> Reply:
    """What the liar says."""
    digest = value_digest(value)
    signed = cluster.instance.signing_digest(Phase.REPLY, 0, seq, digest, LIAR)
    signer = cluster.cryptos[0 if forged else LIAR].signer
    return Reply(
        task=TASK,
        seq=seq,
        digest=digest,
        sender=LIAR,
        signature=signer.sign(signed),
        endorsement=signer.sign(cluster.cryptos[0].endorsement_digest(seq, value)),
    )


def decided(*, endorsed_by_liar: bool) -> Cluster:
    """Number 1 holds ``b"true"`` everywhere; the liar's reply is in no decision, or in everybody's."""
    cluster = Cluster(4)
    silent = LIAR if not endorsed_by_liar else 1
    cluster.passes = lambda source, target, message: not (isinstance(message, Reply) and source == silent)
    cluster.ask(1, b"true")
    cluster.settle()
    assert all(cluster.values(i) == [b"true"] for i in range(3))
    return cluster


def test_late_reply__contradicts_the_senders_part_in_the_decision__is_evidence() -> None:
    cluster = decided(endorsed_by_liar=True)
    cluster.apply(0, cluster.replicas[0].step(reply(cluster, b"false")))
    (evidence,) = cluster.evidence
    assert evidence.verify(cluster.instance, cluster.cryptos[0].verifier)
    assert evidence.second.digest == value_digest(b"false")


def test_late_reply__after_finality__is_still_evidence() -> None:
    cluster = decided(endorsed_by_liar=True)
    cluster.apply(0, cluster.replicas[0].finalized(1))
    assert not cluster.replicas[0].log.slots
    cluster.apply(0, cluster.replicas[0].step(reply(cluster, b"false")))
    (evidence,) = cluster.evidence
    assert evidence.verify(cluster.instance, cluster.cryptos[0].verifier)


def test_late_reply__of_one_who_said_nothing_before__counts_with_its_next_word() -> None:
    cluster = decided(endorsed_by_liar=False)
    cluster.apply(0, cluster.replicas[0].step(reply(cluster, b"false")))
    assert not cluster.evidence
    cluster.apply(0, cluster.replicas[0].step(reply(cluster, b"true")))
    (evidence,) = cluster.evidence
    assert evidence.verify(cluster.instance, cluster.cryptos[0].verifier)


def test_late_reply__agrees__is_dropped_unread() -> None:
    cluster = decided(endorsed_by_liar=False)
    cluster.apply(0, cluster.replicas[0].step(reply(cluster, b"true", forged=True)))
    assert not cluster.evidence


def test_late_reply__of_a_silent_member_after_finality__is_no_evidence() -> None:
    cluster = decided(endorsed_by_liar=False)
    cluster.apply(0, cluster.replicas[0].finalized(1))
    for value in (b"false", b"other"):
        cluster.apply(0, cluster.replicas[0].step(reply(cluster, value)))
    assert not cluster.evidence


def test_late_reply__forged__is_refused() -> None:
    cluster = decided(endorsed_by_liar=True)
    with pytest.raises(BadSignature):
        cluster.replicas[0].step(reply(cluster, b"false", forged=True))
    assert not cluster.evidence


def test_late_reply__decision_forgotten__is_dropped() -> None:
    cluster = decided(endorsed_by_liar=True)
    replica = cluster.replicas[0]
    for seq in range(2, 40):
        cluster.ask(seq, b"value %d" % seq)
        cluster.settle()
        for i in range(4):
            cluster.apply(i, cluster.replicas[i].finalized(seq))
        cluster.settle()
    decision = replica.log.decision(1)
    assert decision is None or decision.seq != 1
    cluster.apply(0, replica.step(reply(cluster, b"false")))
    assert not cluster.evidence


def test_evidence__of_votes_without_end__leaves_room_for_replies() -> None:
    cluster = Cluster(4)
    signer = cluster.cryptos[LIAR].signer
    for number in range(2 * MAX_EVIDENCE):
        digest = number.to_bytes(32, "big")
        vote = Prepare.signed(cluster.instance, signer, sender=LIAR, view=0, seq=1, digest=digest)
        cluster.apply(0, cluster.replicas[0].step(vote))
    for number in range(2 * MAX_REPLY_EVIDENCE):
        cluster.apply(0, cluster.replicas[0].step(reply(cluster, b"value %d" % number)))
    kinds = [type(evidence.second) for evidence in cluster.evidence]
    assert kinds.count(Prepare) == MAX_EVIDENCE
    assert kinds.count(Reply) == MAX_REPLY_EVIDENCE
