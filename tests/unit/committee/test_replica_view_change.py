"""Dead, lying and slow primaries; what a new view inherits; members that were away."""

import pytest
from msgspec import structs

from committee.errors import BadProof, BadSignature, MessageRefused, NotPrimary, WrongInstance
from committee.state import Mode
from protocol.pbft_messages import (
    ZERO_DIGEST,
    Commit,
    Fetch,
    NewView,
    Phase,
    Prepare,
    PrePrepare,
    Reply,
    ViewChange,
    value_digest,
)
from tests.simulation.keys import TASK
from tests.unit.committee.cluster import Cluster


@pytest.mark.parametrize("n", [4, 5, 6, 7, 10, 16, 31])
def test_replicas__dead_primary__decide_in_the_next_view_within_two_timeouts(n: int) -> None:
    cluster = Cluster(n)
    cluster.down = {0}
    cluster.ask(1, b"good")
    cluster.tick(16)
    assert all(cluster.values(i) == [b"good"] for i in range(1, n))
    assert all(cluster.replicas[i].view == 1 for i in range(1, n))


def test_replicas__f_dead_primaries_in_a_row__decide() -> None:
    cluster = Cluster(7)
    cluster.down = {0, 1}
    cluster.ask(1, b"good")
    cluster.tick(40)
    assert all(cluster.values(i) == [b"good"] for i in range(2, 7))


def test_new_view__value_committed_by_one_member__is_proposed_again_by_a_primary_that_never_saw_it() -> None:
    cluster = Cluster(4)
    cluster.passes = lambda source, target, message: (
        1 not in (source, target)
        and not (isinstance(message, Commit) or (isinstance(message, Prepare) and target != 2))
    )
    cluster.ask(1, b"locked")
    cluster.settle()
    assert cluster.replicas[2].log.slots[1].lock is not None
    cluster.down = {0}
    cluster.passes = lambda source, target, message: True
    cluster.ask(1, b"other", of=[1])
    cluster.tick(30)
    assert all(cluster.values(i) == [b"locked"] for i in (1, 2, 3))


def test_new_view__inherited_value_found_false_by_the_primary__is_passed_on_but_not_prepared_by_it() -> None:
    cluster = Cluster(4)
    cluster.verdict = lambda member, seq, value: member != 1
    cluster.passes = lambda source, target, message: not isinstance(message, Commit)
    cluster.ask(1, b"locked")
    cluster.settle()
    cluster.passes = lambda source, target, message: True
    cluster.down = {0}
    start = len(cluster.sent)
    cluster.tick(40)
    cluster.down = set()
    cluster.tick(80)
    assert "Prepare" not in cluster.kinds_sent(1, start)
    assert all(cluster.values(i) == [b"locked"] for i in range(4))


def test_slow_check__within_its_bound__does_not_end_the_view() -> None:
    cluster = Cluster(4, view_timeout_ticks=6)
    cluster.verdict = lambda member, seq, value: True if member == 0 else None
    cluster.ask(1, b"slow")
    cluster.tick(30)
    assert all(replica.view == 0 for replica in cluster.replicas)
    for i in (1, 2, 3):
        cluster.say(i, 1, b"slow", True)
    cluster.settle()
    assert all(cluster.values(i) == [b"slow"] for i in range(4))


def test_slow_check__of_the_primary__is_known_by_its_signs_of_life() -> None:
    cluster = Cluster(4, view_timeout_ticks=6)
    cluster.verdict = lambda member, seq, value: None if member == 0 else True
    cluster.ask(1, b"slow")
    cluster.tick(30)
    assert all(replica.view == 0 for replica in cluster.replicas)


def test_slow_check__beyond_its_bound__ends_the_view() -> None:
    cluster = Cluster(4, view_timeout_ticks=6)
    cluster.verdict = lambda member, seq, value: None if member == 0 else True
    cluster.ask(1, b"slow")
    cluster.tick(70)
    assert all(cluster.values(i) == [b"slow"] for i in range(4))
    assert all(replica.view == 1 for replica in cluster.replicas)


def test_false_proposal__f_plus_one_rejects__ends_the_view_without_a_tick() -> None:
    cluster = Cluster(4)
    cluster.verdict = lambda member, seq, value: value != b"bad" or member == 0
    cluster.ask(1, b"bad")
    cluster.settle()
    assert all(replica.view == 1 for replica in cluster.replicas)
    cluster.ask(1, b"good")
    cluster.settle()
    assert all(cluster.values(i) == [b"good"] for i in range(4))
    assert any(len(r.members) >= 2 for r in cluster.rejected[2])


def test_false_proposal__rejected_in_a_second_view__waits_for_the_timer() -> None:
    cluster = Cluster(4)
    cluster.verdict = lambda member, seq, value: member < 2
    cluster.ask(1, b"disputed")
    cluster.settle()
    assert {replica.view for replica in cluster.replicas} == {1}
    cluster.tick(3)
    assert {replica.view for replica in cluster.replicas} == {1}


def test_view_change__one_member_alone__is_not_followed() -> None:
    cluster = Cluster(4)
    cluster.passes = lambda source, target, message: 3 not in (source, target)
    cluster.ask(1, b"good")
    cluster.tick(60)
    assert cluster.replicas[3].mode is Mode.CHANGING
    assert cluster.replicas[3].view == 1
    assert all(cluster.replicas[i].view == 0 for i in range(3))
    cluster.passes = lambda source, target, message: True
    cluster.tick(10)
    assert cluster.values(3) == [b"good"]


def test_member_that_was_away__many_decisions_later__fetches_them_all() -> None:
    cluster = Cluster(4, window=8)
    cluster.down = {3}
    for seq in range(1, 9):
        cluster.ask(seq, b"v%d" % seq)
        cluster.settle()
    cluster.down = set()
    cluster.restart(3)
    cluster.tick(12)
    assert cluster.values(3) == cluster.values(0)


def test_member_that_was_away__decisions_final_and_dropped__is_told_to_read_the_chain() -> None:
    cluster = Cluster(4, window=1)
    cluster.down = {3}
    for seq in range(1, 40):
        cluster.ask(seq, b"v%d" % seq)
        cluster.settle()
        for i in range(3):
            cluster.apply(i, cluster.replicas[i].finalized(seq))
    cluster.down = set()
    cluster.restart(3)
    behind = None
    for _ in range(20):
        behind = behind or cluster.apply(3, cluster.replicas[3].tick()).behind
        cluster.settle()
    assert behind == 1
    cluster.apply(3, cluster.replicas[3].finalized(39))
    assert cluster.replicas[3].log.low == 39
    cluster.ask(40, b"v40")
    cluster.tick(3)
    assert cluster.values(3) == [b"v40"]


def test_member_in_an_older_view__is_given_the_new_view() -> None:
    cluster = Cluster(4)
    cluster.down = {0}
    cluster.ask(1, b"one")
    cluster.tick(16)
    cluster.down = set()
    cluster.ask(2, b"two")
    cluster.tick(10)
    assert cluster.replicas[0].view == 1
    assert cluster.values(0) == [b"one", b"two"]


def test_fetch__twice_in_a_tick__is_answered_once() -> None:
    cluster = Cluster(4)
    cluster.ask(1, b"good")
    cluster.settle()
    signer = cluster.cryptos[3].signer
    fetch = Fetch.signed(cluster.instance, signer, sender=3, view=0, seq=1, digest=ZERO_DIGEST)
    replica = cluster.replicas[0]
    assert len(replica.step(fetch).send) == 1
    assert replica.step(fetch).send == ()


# ---------------------------------------------------------------------- refusals, in the order of the checks


def proposal(
    cluster: Cluster, *, sender: int = 0, view: int = 0, seq: int = 1, value: bytes = b"v"
) -> PrePrepare:
    digest = value_digest(value)
    signed = cluster.instance.signing_digest(Phase.PRE_PREPARE, view, seq, digest, sender)
    return PrePrepare(
        task=TASK, view=view, seq=seq, digest=digest, sender=sender,
        signature=cluster.cryptos[sender].signer.sign(signed), value=value,
    )  # fmt: skip


def test_pre_prepare__wrong_task__is_refused() -> None:
    cluster = Cluster(4)
    with pytest.raises(WrongInstance):
        cluster.replicas[1].step(structs.replace(proposal(cluster), task=TASK + 1))


def test_pre_prepare__not_by_the_primary__is_refused() -> None:
    cluster = Cluster(4)
    with pytest.raises(NotPrimary):
        cluster.replicas[1].step(proposal(cluster, sender=2))


def test_pre_prepare__value_of_another_digest__is_refused() -> None:
    cluster = Cluster(4)
    with pytest.raises(BadProof, match="digest"):
        cluster.replicas[1].step(structs.replace(proposal(cluster), value=b"w"))


def test_pre_prepare__forged__is_refused() -> None:
    cluster = Cluster(4)
    with pytest.raises(BadSignature):
        cluster.replicas[1].step(structs.replace(proposal(cluster), signature=bytes(65)))


def test_pre_prepare__beyond_the_window__is_dropped_and_missed_decisions_are_asked_for() -> None:
    cluster = Cluster(4, window=2)
    output = cluster.replicas[1].step(proposal(cluster, seq=5))
    assert output.send == ()
    assert 5 not in cluster.replicas[1].log.slots


def test_pre_prepare__two_in_one_view__is_evidence_and_the_first_stays() -> None:
    cluster = Cluster(4)
    cluster.passes = lambda source, target, message: False
    replica = cluster.replicas[1]
    cluster.apply(1, replica.step(proposal(cluster, value=b"one")))
    cluster.apply(1, replica.step(proposal(cluster, value=b"two")))
    (evidence,) = cluster.evidence
    assert evidence.verify(cluster.instance, cluster.cryptos[0].verifier)
    accepted = replica.log.slots[1].proposal
    assert accepted is not None
    assert accepted.digest == value_digest(b"one")


@pytest.mark.parametrize("kind", [Prepare, Commit])
def test_vote__two_in_one_place__is_evidence(kind: type[Prepare] | type[Commit]) -> None:
    cluster = Cluster(4)
    signer = cluster.cryptos[2].signer
    for digest in (bytes(32), b"\1" * 32, b"\1" * 32):
        vote = kind.signed(cluster.instance, signer, sender=2, view=0, seq=1, digest=digest)
        cluster.apply(1, cluster.replicas[1].step(vote))
    (evidence,) = cluster.evidence
    assert evidence.verify(cluster.instance, cluster.cryptos[0].verifier)
    assert cluster.replicas[1].evidence == [evidence]


def test_reply__two_for_one_number__is_evidence() -> None:
    cluster = Cluster(4)
    for value in (b"one", b"two"):
        digest = value_digest(value)
        signed = cluster.instance.signing_digest(Phase.REPLY, 0, 1, digest, 2)
        signature = cluster.cryptos[2].signer.sign(signed)
        reply = Reply(task=TASK, seq=1, digest=digest, sender=2, signature=signature, endorsement=signature)
        cluster.apply(1, cluster.replicas[1].step(reply))
    assert len(cluster.evidence) == 1


@pytest.mark.parametrize("kind", [Prepare, Commit, Fetch])
def test_vote__sender_beyond_the_members__is_refused(kind: type[Prepare]) -> None:
    cluster = Cluster(4)
    signer = cluster.cryptos[2].signer
    vote = kind.signed(cluster.instance, signer, sender=2, view=0, seq=1, digest=bytes(32))
    with pytest.raises(MessageRefused, match="no such member"):
        cluster.replicas[1].step(structs.replace(vote, sender=9))


def test_early_messages__of_a_later_view__are_kept_within_bounds_and_used() -> None:
    cluster = Cluster(4)
    signer = cluster.cryptos[2].signer
    replica = cluster.replicas[3]
    for view in range(1, 200):
        vote = Prepare.signed(cluster.instance, signer, sender=2, view=view, seq=1, digest=bytes(32))
        replica.step(vote)
    assert sum(len(kept) for kept in replica.buffer.values()) == 32
    forged = structs.replace(vote, view=300)
    with pytest.raises(BadSignature):
        replica.step(forged)


def test_refused_message__any__changes_nothing() -> None:
    cluster = Cluster(4)
    replica = cluster.replicas[1]
    before = replica.snapshot()
    for bad in (
        structs.replace(proposal(cluster), signature=bytes(65)),
        structs.replace(proposal(cluster), value=b"w"),
        proposal(cluster, sender=2),
    ):
        with pytest.raises(MessageRefused):
            replica.step(bad)
    assert replica.snapshot() == before
    assert replica.step(proposal(cluster)).persist == ()


def view_messages(cluster: Cluster) -> tuple[ViewChange, NewView]:
    cluster.passes = lambda source, target, message: not isinstance(message, Commit)
    cluster.ask(1, b"locked")
    cluster.settle()
    cluster.tick(16)
    changes = [s.message for i, s in cluster.sent if isinstance(s.message, ViewChange) and i == 2]
    opened = [s.message for _, s in cluster.sent if isinstance(s.message, NewView)]
    return changes[0], opened[0]


@pytest.mark.parametrize(
    ("bend", "error"),
    [
        (lambda m: structs.replace(m, vote=structs.replace(m.vote, signature=bytes(65))), BadSignature),
        (lambda m: structs.replace(m, vote=structs.replace(m.vote, claims=())), BadSignature),
        (lambda m: structs.replace(m, vote=structs.replace(m.vote, sender=9)), MessageRefused),
        (lambda m: structs.replace(m, certificates=()), BadProof),
        (lambda m: structs.replace(m, values=()), BadProof),
        (
            lambda m: structs.replace(
                m,
                certificates=(
                    structs.replace(m.certificates[0], signers=(0, 1), signatures=(bytes(65),) * 2),
                ),
            ),
            BadProof,
        ),
        (
            lambda m: structs.replace(
                m, certificates=(structs.replace(m.certificates[0], proposal=bytes(65)),)
            ),
            BadProof,
        ),
        (
            lambda m: structs.replace(
                m, certificates=(structs.replace(m.certificates[0], signatures=(bytes(65),) * 3),)
            ),
            BadProof,
        ),
    ],
)  # fmt: skip
def test_view_change__bent__is_refused(bend: object, error: type[MessageRefused]) -> None:
    change, _ = view_messages(Cluster(4))
    fresh = Cluster(4).replicas[3]
    assert callable(bend)
    with pytest.raises(error):
        fresh.step(bend(change))
    fresh.step(change)


@pytest.mark.parametrize(
    ("bend", "error"),
    [
        (lambda m: structs.replace(m, sender=2), NotPrimary),
        (lambda m: structs.replace(m, signature=bytes(65)), BadSignature),
        (lambda m: structs.replace(m, votes=m.votes[:2]), BadSignature),
        (lambda m: structs.replace(m, proposals=()), BadProof),
        (lambda m: structs.replace(m, values=()), BadProof),
        (lambda m: structs.replace(m, certificates=()), BadProof),
        (
            lambda m: structs.replace(m, proposals=(structs.replace(m.proposals[0], signature=bytes(65)),)),
            BadProof,
        ),
        (
            lambda m: structs.replace(m, proposals=(structs.replace(m.proposals[0], digest=bytes(32)),)),
            BadProof,
        ),
    ],
)  # fmt: skip
def test_new_view__bent__is_refused(bend: object, error: type[MessageRefused]) -> None:
    _, opened = view_messages(Cluster(4))
    fresh = Cluster(4).replicas[3]
    assert callable(bend)
    with pytest.raises(error):
        fresh.step(bend(opened))
    assert fresh.view == 0
    fresh.step(opened)
    assert fresh.view == 1


def resigned(cluster: Cluster, opened: NewView, **changes: object) -> NewView:
    bent = structs.replace(opened, **changes)
    signature = cluster.cryptos[bent.sender].signer.sign(bent.signing_digest(cluster.instance))
    return structs.replace(bent, signature=signature)


def test_new_view__signed_but_with_two_votes_of_one_member_or_too_few__is_refused() -> None:
    cluster = Cluster(4)
    _, opened = view_messages(cluster)
    fresh = Cluster(4).replicas[3]
    for votes in (opened.votes[:2], (*opened.votes[:2], opened.votes[1]), opened.votes[::-1]):
        with pytest.raises(BadProof, match="quorum in member order"):
            fresh.step(resigned(cluster, opened, votes=votes))


def test_new_view__signed_but_with_a_forged_vote__is_refused() -> None:
    cluster = Cluster(4)
    _, opened = view_messages(cluster)
    fresh = Cluster(4).replicas[3]
    forged = structs.replace(opened.votes[0], claims=())
    with pytest.raises(BadProof, match="not its own"):
        fresh.step(resigned(cluster, opened, votes=(forged, *opened.votes[1:]), proposals=()))
    early = structs.replace(opened.votes[0], view=2)
    with pytest.raises(BadProof, match="another view"):
        fresh.step(resigned(cluster, opened, votes=(early, *opened.votes[1:])))
