"""Messages at the wrong moment, in the wrong place, or twice: what a replica does that nothing else shows."""

from pathlib import Path

import pytest
from msgspec import structs

from committee.errors import BadProof, LogCorrupt, SafetyViolated
from committee.log import Log
from committee.replica import Replica
from committee.state import MAX_CANDIDATES, Finalized, Learned, Locked, Mode, Output, Sent
from committee.wal import Wal
from protocol.pbft_messages import (
    Checking,
    Commit,
    Evidence,
    Fetch,
    Instance,
    Message,
    Prepare,
    PrePrepare,
    Reject,
    Request,
    value_digest,
    verify_signature,
)
from tests.simulation.keys import TASK, fake_verifier
from tests.unit.committee_more.words import (
    CRYPTOS,
    INSTANCE,
    committed,
    decision,
    new_view,
    pre_prepare,
    prepared,
    replica,
    reply,
    view_change,
    vote,
)

A, B = b"a value", b"b value"


def kinds(output: Output) -> list[str]:
    return [type(send.message).__name__ for send in output.send]


def hear(one: Replica, *messages: Message) -> list[str]:
    """What it sends in answer to all of them."""
    return [kind for message in messages for kind in kinds(one.step(message))]


def accept(one: Replica, seq: int, value: bytes) -> None:
    """A proposal, found true."""
    one.step(pre_prepare(seq, value))
    one.verdict(seq, value_digest(value), True)


def lock(one: Replica, seq: int, value: bytes) -> None:
    """Bring it to its Commit in view 0."""
    accept(one, seq, value)
    assert "Commit" in hear(one, *(vote(Prepare, i, seq, value) for i in (0, 1)))


# ---------------------------------------------------------------------- proposals and votes


def test_pre_prepare__another_one_after_a_restart__is_not_prepared() -> None:
    one = replica()
    one.step(pre_prepare(1, A))
    disk = one.verdict(1, value_digest(A), True).persist
    risen = Replica(one.config, one.crypto, disk)
    risen.start()
    output = risen.step(pre_prepare(1, B))
    assert not output.verify
    assert risen.log.slots[1].proposal is None
    assert "Prepare" not in kinds(risen.verdict(1, value_digest(B), True))
    assert risen.step(pre_prepare(1, A)).verify


def test_pre_prepare__of_another_value_than_the_fixed_one__is_ignored() -> None:
    one = replica()
    one.step(committed(1, A))
    assert not one.step(pre_prepare(1, B)).verify
    assert one.log.slots[1].proposal is None


def test_proposal__another_value_is_fixed_before_its_check_ends__is_not_prepared() -> None:
    one = replica()
    one.step(pre_prepare(1, B))
    one.step(committed(1, A))
    assert kinds(one.verdict(1, value_digest(B), True)) == []


def test_reject__two_by_one_member__the_first_counts_and_it_is_no_evidence() -> None:
    one = replica()
    one.step(pre_prepare(1, A))
    one.step(vote(Reject, 1, 1, A))
    output = one.step(vote(Reject, 1, 1, B))
    assert not output.evidence
    assert one.log.slots[1].rejects.vote_of(1) == (value_digest(A), vote(Reject, 1, 1, A).signature)


def test_own_words__coming_back__are_dropped() -> None:
    one = replica()
    for message in (vote(Prepare, 3, 1, A), reply(3, 1, A), view_change(3, 1)):
        assert one.step(message).persist == ()
    assert one.log.slots == {}


def test_verdict__of_a_decided_value_or_of_an_unknown_one__changes_nothing() -> None:
    one = replica()
    one.request(1, A)
    one.step(decision(1, A))
    assert kinds(one.verdict(1, value_digest(A), True)) == []
    assert one.verdict(9, value_digest(A), True) == Output()
    assert one.verdict(1, value_digest(B), False) == Output()


def test_early_message__twice__is_kept_once() -> None:
    one = replica()
    for _ in range(2):
        one.step(vote(Prepare, 2, 1, A, view=1))
    assert len(one.buffer[2]) == 1


def test_early_messages__the_first_end_the_view__the_rest_are_not_taken_for_the_next() -> None:
    one = replica(0)
    hear(one, pre_prepare(1, B, view=1), vote(Reject, 2, 1, B, view=1))
    hear(one, vote(Reject, 3, 1, B, view=1), vote(Prepare, 3, 2, A, view=1))
    output = one.step(new_view(*(view_change(i, 1) for i in (1, 2, 3))))
    assert output.view == 1
    assert (one.view, one.mode) == (2, Mode.CHANGING)
    assert 2 not in one.log.slots


def test_checking__while_commits_are_awaited__gives_no_time() -> None:
    one = replica()
    lock(one, 1, A)
    for _ in range(7):
        one.tick()
        one.step(vote(Checking, 1, 1, A))
    assert isinstance(one.tick().persist[0], Sent)
    assert (one.view, one.mode) == (1, Mode.CHANGING)


def test_inherited_value__f_plus_one_reject_it__is_told_but_ends_no_view() -> None:
    one = replica()
    one.step(new_view(view_change(0, 1, (1, A, 0)), view_change(1, 1), view_change(2, 1)))
    one.verdict(1, value_digest(A), False)
    output = one.step(vote(Reject, 1, 1, A, view=1))
    assert [rejected.members for rejected in output.rejected] == [(1, 3)]
    assert (one.view, one.mode) == (1, Mode.ACTIVE)


# ---------------------------------------------------------------------- replies and decisions


def test_reply__beyond_the_window__makes_the_replica_ask_what_it_misses() -> None:
    one = replica()
    one.tick()
    one.tick()
    one.step(reply(0, 1_000, A))
    sent = [message for _ in range(8) for message in (s.message for s in one.tick().send)]
    assert [message.seq for message in sent if isinstance(message, Fetch)] == [1]


def test_commits__a_quorum_for_a_value_never_seen__makes_the_replica_ask_for_it() -> None:
    one = replica()
    hear(one, *(vote(Commit, i, 1, A) for i in (0, 1, 2)))
    sent = [message for _ in range(8) for message in (s.message for s in one.tick().send)]
    assert [message.seq for message in sent if isinstance(message, Fetch)][:1] == [1]
    assert one.step(committed(1, A)).verify


def test_replies__to_bytes_that_are_no_value__decide_nothing() -> None:
    one = replica()
    one.request(1, b"1 is no letter")
    output = [one.step(reply(i, 1, b"1 is no letter", endorsement=bytes(65))) for i in (0, 1, 2)]
    assert not any(o.decided for o in output)


def test_replies__one_endorsement_is_forged__wait_for_another_member() -> None:
    one = replica()
    one.request(1, A)
    hear(one, reply(0, 1, A), reply(1, 1, A, endorsement=bytes(65)))
    assert not one.step(committed(1, A)).decided
    assert not one.step(reply(2, 1, A)).decided
    (decided,) = one.verdict(1, value_digest(A), True).decided
    assert decided.signers == (0, 2, 3)


def test_decision__of_another_value_than_the_fixed_one__stops_the_replica_for_good() -> None:
    one = replica()
    one.step(committed(1, A))
    with pytest.raises(SafetyViolated) as first:
        one.step(decision(1, B))
    assert (first.value.seq, first.value.first, first.value.second) == (1, value_digest(A), value_digest(B))
    with pytest.raises(SafetyViolated):
        one.tick()


def bent_decisions() -> list[tuple[str, object]]:
    good = decision(1, A)
    swapped = structs.replace(good, signers=(1, 0, 2))
    return [
        ("ascending", swapped),
        ("ascending", structs.replace(good, signers=(0, 0, 2))),
        ("does not exist", structs.replace(good, signers=(0, 1, 9))),
        ("are needed", decision(1, A, (0, 1))),
        ("not one signature per signer", structs.replace(good, endorsements=good.endorsements[:2])),
        ("is no value", structs.replace(good, value=b"1 is no letter")),
        ("reply signature is not its own", structs.replace(good, seq=2)),
        ("endorsement is not its own", structs.replace(good, endorsements=(bytes(65),) * 3)),
    ]


@pytest.mark.parametrize(("why", "message"), bent_decisions(), ids=lambda x: x if isinstance(x, str) else "")
def test_decision__that_does_not_prove_itself__is_refused(why: str, message: Message) -> None:
    one = replica()
    with pytest.raises(BadProof, match=why):
        one.step(message)
    assert one.log.proven == 0


def test_finality__above_everything_shown__is_asked_for_by_its_own_number() -> None:
    one = replica()
    one.finalized(5)
    sent = [s.message for _ in range(4) for s in one.tick().send]
    assert {message.seq for message in sent if isinstance(message, Fetch)} == {5}


def test_finality__of_a_number_that_was_never_decided_here__drops_its_slot() -> None:
    one = replica()
    one.request(1, A)
    one.step(decision(2, B))
    one.finalized(2)
    assert one.log.slots == {}
    assert one.log.decision(2) == decision(2, B)
    assert one.log.decision(1) == decision(2, B)


def test_values__more_than_the_bound__push_out_what_nothing_refers_to() -> None:
    one = replica()
    lock(one, 1, A)
    for k in range(MAX_CANDIDATES):
        one.request(1, b"v%d" % k)
    changes = [view_change(i, 1) for i in (0, 1, 2)]
    one.step(new_view(*changes))
    one.step(pre_prepare(1, B, view=1))
    for k in range(3 * MAX_CANDIDATES):
        one.step(committed(1, b"w%d" % k)) if k == 0 else one.request(1, b"w%d" % k)
    slot = one.log.slots[1]
    assert len(slot.candidates) <= MAX_CANDIDATES
    assert {value_digest(A), value_digest(B), value_digest(b"w0")} <= slot.candidates.keys()


def test_values__a_fixed_one_arrives_when_there_is_no_room__the_proposal_stays() -> None:
    one = replica()
    one.step(pre_prepare(1, B))
    for k in range(MAX_CANDIDATES):
        one.request(1, b"v%d" % k)
    one.step(committed(1, A))
    kept = one.log.slots[1].candidates
    assert len(kept) == MAX_CANDIDATES
    assert {value_digest(A), value_digest(B)} <= kept.keys()
    assert value_digest(b"v0") not in kept


def test_log__up_to_its_low_watermark__counts_as_decided() -> None:
    log = Log(4)
    assert log.is_decided(0)
    assert not log.is_decided(1)


# ---------------------------------------------------------------------- view changes


def test_view_change__whose_claims_span_more_than_a_window__is_refused() -> None:
    with pytest.raises(BadProof, match="do not fit one window"):
        replica().step(view_change(1, 1, (1, A, 0), (200, B, 0)))


def test_view_change__claims_out_of_order__is_refused() -> None:
    with pytest.raises(BadProof, match="not ascending"):
        replica().step(view_change(1, 1, (2, A, 0), (1, B, 0)))


def test_view_change__claims_a_view_not_left__is_refused() -> None:
    with pytest.raises(BadProof, match="not left"):
        replica().step(view_change(1, 1, (1, A, 1)))


def test_view_change__names_a_decision_that_it_does_not_show__is_refused() -> None:
    shown = view_change(1, 1, decided=decision(2, A))
    with pytest.raises(BadProof, match="shows 0"):
        replica().step(structs.replace(shown, decision=None))


def test_new_view__inherited_values_that_are_decided_meanwhile__are_passed_over() -> None:
    one = replica()
    one.step(decision(2, B))
    changes = (view_change(0, 1, (1, A, 0), (2, B, 0)), view_change(1, 1), view_change(2, 1))
    output = one.step(new_view(*changes))
    assert [question.seq for question in output.verify] == [1]


def test_new_view__inherits_more_than_the_window_reaches__goes_on_with_finality() -> None:
    one = replica(window=1)
    locks = tuple((seq, b"v%d" % seq, 0) for seq in (1, 2, 3, 4))
    output = one.step(new_view(view_change(0, 1, *locks), view_change(1, 1), view_change(2, 1)))
    assert [question.seq for question in output.verify] == [1, 2]
    one.step(decision(2, b"v2"))
    assert [question.seq for question in one.finalized(2).verify] == [3, 4]


def test_new_view__shows_a_decision__is_where_the_replica_learns_it() -> None:
    one = replica()
    shown = view_change(0, 1, decided=decision(1, A))
    output = one.step(new_view(shown, view_change(1, 1), view_change(2, 1)))
    assert [decided.value for decided in output.decided] == [A]
    assert one.floor == 1


def test_member_of_an_older_view__says_something_stale_again__is_shown_the_new_view() -> None:
    one = replica()
    opened = new_view(*(view_change(i, 1) for i in (0, 1, 2)))
    one.step(opened)
    assert kinds(one.step(vote(Prepare, 2, 1, A))) == []
    one.tick()
    (send,) = one.step(vote(Prepare, 2, 1, A)).send
    assert (send.message, send.to) == (opened, 2)


# ---------------------------------------------------------------------- disks


def test_records__of_what_is_final_or_of_older_views__bind_to_nothing() -> None:
    one = replica()
    records = (
        Learned(message=decision(3, B)),
        Finalized(seq=3),
        Locked(certificate=prepared(2, A), value=A),
        Learned(message=committed(2, A)),
        Sent(message=reply(3, 2, A)),
        Sent(message=vote(Prepare, 3, 5, A)),
        Sent(message=view_change(3, 1, decided=decision(3, B))),
        Sent(message=vote(Commit, 3, 5, A)),
    )
    risen = Replica(one.config, one.crypto, records)
    assert (risen.log.low, risen.view, risen.mode) == (3, 1, Mode.CHANGING)
    assert list(risen.log.slots) == [5]
    assert risen.log.slots[5].prepares.vote_of(3) is None
    assert Replica(one.config, one.crypto, risen.snapshot()).snapshot() == risen.snapshot()


def test_records__of_a_proposal__are_a_primary_that_does_not_propose_again() -> None:
    one = replica(0)
    one.request(1, A)
    disk = one.verdict(1, value_digest(A), True).persist
    assert [type(r.message) for r in disk if isinstance(r, Sent)] == [PrePrepare, Prepare]
    risen = Replica(one.config, one.crypto, disk)
    risen.start()
    risen.request(1, B)
    assert "PrePrepare" not in kinds(risen.verdict(1, value_digest(B), True))
    assert risen.snapshot() == one.snapshot()


def test_snapshot__of_two_decisions_that_are_not_final__holds_both() -> None:
    one = replica()
    for seq, value in ((1, A), (2, B)):
        one.step(decision(seq, value))
    risen = Replica(one.config, one.crypto, one.snapshot())
    assert [decided.value for decided in risen.start().decided] == [A, B]


def test_evidence__on_disk__is_still_there() -> None:
    one = replica()
    accept(one, 1, A)
    one.step(vote(Prepare, 1, 1, A))
    output = one.step(vote(Prepare, 1, 1, B))
    risen = Replica(one.config, one.crypto, output.persist)
    assert risen.evidence == one.evidence != []
    assert Replica(one.config, one.crypto, risen.snapshot()).evidence == one.evidence


def test_wal__batch_beyond_the_bound__is_refused_and_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Wal(tmp_path / "log", INSTANCE, 1) as wal:
        with monkeypatch.context() as patch:
            patch.setattr("committee.wal.MAX_FRAME_BYTES", 10)
            with pytest.raises(ValueError, match="is more than 10"):
                wal.append([Learned(message=decision(1, A))])
        wal.append([Finalized(seq=1)])
        wal.close()
    with Wal(tmp_path / "log", INSTANCE, 1) as wal:
        assert wal.records == (Finalized(seq=1),)


def test_wal__marks_without_a_frame_in_its_damaged_tail__are_cut_off(tmp_path: Path) -> None:
    with Wal(tmp_path / "log", INSTANCE, 1) as wal:
        wal.append([Finalized(seq=1)])
        end = wal.size
    with (tmp_path / "log").open("r+b") as file:
        file.seek(end)
        file.write(3 * (b"\xf5WAL" + bytes(20)))
    with Wal(tmp_path / "log", INSTANCE, 1) as wal:
        assert wal.records == (Finalized(seq=1),)


def test_wal__intact_frame_behind_several_marks__is_refused(tmp_path: Path) -> None:
    with Wal(tmp_path / "log", INSTANCE, 1) as wal:
        at = wal.size
        wal.append([Finalized(seq=1)])
        end = wal.size
    frame = (tmp_path / "log").read_bytes()[at:end]
    with (tmp_path / "log").open("r+b") as file:
        file.seek(end)
        file.write(2 * (b"\xf5WAL" + bytes(20)) + frame)
    with pytest.raises(LogCorrupt, match="before its end"):
        Wal(tmp_path / "log", INSTANCE, 1)


# ---------------------------------------------------------------------- messages


def test_instance__domain_of_another_length__is_refused() -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        Instance(domain=b"short", task=TASK, members=INSTANCE.members)


def test_signature__of_a_member_that_does_not_exist__is_false() -> None:
    assert not verify_signature(INSTANCE, fake_verifier, structs.replace(vote(Prepare, 1, 1, A), sender=9))


def test_pre_prepare__verify__binds_value_and_sender() -> None:
    good = pre_prepare(1, A)
    assert good.verify(INSTANCE, fake_verifier)
    assert not structs.replace(good, value=B).verify(INSTANCE, fake_verifier)
    assert not structs.replace(good, sender=1).verify(INSTANCE, fake_verifier)


def test_reply__verify__binds_digest_and_sender() -> None:
    assert reply(1, 1, A).verify(INSTANCE, fake_verifier)
    assert not structs.replace(reply(1, 1, A), digest=value_digest(B)).verify(INSTANCE, fake_verifier)


@pytest.mark.parametrize(
    "second",
    [
        vote(Prepare, 1, 1, A),
        vote(Prepare, 1, 2, B),
        vote(Prepare, 2, 1, B),
        vote(Prepare, 1, 1, B, view=1),
        vote(Commit, 1, 1, B),
        structs.replace(vote(Prepare, 1, 1, B), signature=bytes(65)),
    ],
)
def test_evidence__that_convicts_nobody__does_not_verify(second: Prepare | Commit) -> None:
    first = vote(Prepare, 1, 1, A)
    assert not Evidence(first=first, second=second).verify(INSTANCE, CRYPTOS[0].verifier)
    assert Evidence(first=first, second=vote(Prepare, 1, 1, B)).verify(INSTANCE, CRYPTOS[0].verifier)


def test_request__by_message__is_answered_like_one_by_call() -> None:
    one = replica()
    assert one.step(Request(task=TASK, seq=1, value=A)).status is one.request(2, A).status


def test_request__where_another_value_is_fixed__is_not_passed_on_any_more() -> None:
    one = replica()
    one.request(1, A)
    one.verdict(1, value_digest(A), True)
    assert "Request" in [kind for _ in range(6) for kind in kinds(one.tick())]
    one.step(committed(1, B))
    assert "Request" not in [kind for _ in range(12) for kind in kinds(one.tick())]


def test_replies__while_a_view_is_awaited__are_repeated() -> None:
    one = replica()
    accept(one, 1, A)
    one.step(committed(1, A))
    one.change_view(1, failed=True)
    sent = [kind for _ in range(6) for kind in kinds(one.tick())]
    assert {"ViewChange", "Reply"} <= set(sent)
    assert not {"Prepare", "Commit"} & set(sent)
