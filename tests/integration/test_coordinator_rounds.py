"""Rounds on a real store, real blobs and real gradients; chain, broker and committee are played by the
test.
"""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from eth_account.signers.local import LocalAccount

from coordinator.blob_cache import BlobCache
from coordinator.domain.leases import Verdict
from coordinator.domain.liveness import SHORTEST_PAUSE_S, patience_s
from coordinator.jobs.queue_watch import LOOK_EVERY_S
from coordinator.rounds import RoundsLoop
from coordinator.services.accept_contribution import HandedIn, accept_contribution
from coordinator.services.evaluate_rounds import evaluate_rounds
from coordinator.services.handle_committee import handle_answer, handle_attestation, handle_fault_report
from coordinator.services.send_jobs import send_again, send_jobs
from coordinator.store.work_tables import ContributionRow, LeaseRow
from coordinator.views import task_detail
from protocol.attestation import Attestation, ReplayEvidence
from protocol.blobs import BlobMissing
from protocol.certificate import RoundCertificate
from protocol.chain.events import TaskClosed
from protocol.errors import PeerMisbehaved, Refused, ServiceUnreachable
from protocol.evidence import FaultReport
from protocol.ids import RoundNo, Sha256, Wei, parse_address, sha256
from protocol.segment import SegmentRecord
from protocol.signing import KeySigner
from tests.support.coordinator_world import TASK, World, world
from worker.training.rounds import apply_round

LIMITS = {"max_uncertified_rounds": 3, "rounds_per_certificate": 1}


@pytest.fixture
def w(tmp_path: Path) -> Iterator[World]:
    with world(tmp_path, LIMITS) as made:
        made.post_task()
        made.drive()
        yield made


@pytest.fixture(params=["sqlite", "postgresql"])
def on_each_database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    url = request.getfixturevalue("postgres_url") if request.param == "postgresql" else None
    with world(tmp_path, LIMITS, url) as made:
        made.post_task()
        made.drive()
        yield made


def hand_in(w: World, lease: LeaseRow, *, lazy: bool = False) -> Verdict:
    return accept_contribution(
        w.ctx, HandedIn(signed=w.work(lease, lazy=lazy), attempt=lease.attempt, fence=lease.fence)
    )


def fill(w: World) -> None:
    """Every leased shard is handed in, and what follows happens."""
    for lease in w.leases():
        assert hand_in(w, lease) is Verdict.ACCEPTED
    w.drive()


def record_of(w: World, value: bytes) -> SegmentRecord:
    return SegmentRecord.from_blob(w.blobs.get(RoundCertificate.decode(value).segment))


def verdicts(w: World) -> list[tuple[int, int, str]]:
    with w.store.read() as tx:
        rows = tx.session.query(ContributionRow).order_by(ContributionRow.id).all()
        return [(row.round, row.shard, row.verdict) for row in rows]


def status(w: World) -> str:
    with w.store.read() as tx:
        task = tx.tasks.get(TASK)
        assert task is not None
        return task.status


def test_task__every_shard_handed_in__ends_certified_with_exact_models_and_payouts(
    on_each_database: World,
) -> None:
    w = on_each_database
    model = w.blobs.get(w.spec_genesis)
    for number in range(1, w.spec.recipe.rounds + 1):
        fill(w)
        _, members, seq, value = w.asked.requests[-1]
        record = record_of(w, value)
        assert (seq, len(members), record.last_round) == (number, 4, number)
        with w.store.read() as tx:
            task = tx.tasks.get(TASK)
            assert task is not None
            w.ctx.ledgers.of(tx, task).check(record, w.domain)
        gradients: dict[int, bytes] = {
            s.contribution.shard: w.blobs.get(s.contribution.gradient) for s in record.rounds[0].contributions
        }
        model = apply_round(w.spec, model, gradients)
        assert record.model == sha256(model)
        w.certify(value)
        w.drive()
    assert status(w) == "completed"
    with w.store.read() as tx:
        task = tx.tasks.get(TASK)
        assert task is not None
        detail = task_detail(tx, task)
    escrow = detail.summary.escrow
    shards = w.spec.recipe.rounds * w.spec.recipe.shards
    assert {c.verdict for c in detail.contributions} == {"certified"}
    assert len(detail.contributions) == shards
    assert sum(int(a.earned) for a in detail.accounts) == shards * 10 + 4 // 3 * 3 * 4
    parts = (escrow.reserved, escrow.paid, escrow.claimable, escrow.refundable, escrow.refunded)
    assert sum(map(int, parts)) == int(escrow.funded)
    w.mine(TaskClosed(where=w.where(), task_id=TASK, last_round=RoundNo(5), refund=Wei(5)))
    assert status(w) == "closed"


def test_rounds__committee_slow__run_ahead_no_further_than_allowed(w: World) -> None:
    for _ in range(5):
        fill(w)
    with w.store.read() as tx:
        assert [row.number for row in tx.rounds.above(TASK, 0)] == [1, 2, 3]
    assert len(w.asked.requests) == 1
    assert w.leases() == []


def test_contribution__said_twice__is_a_duplicate_and_counts_once(w: World) -> None:
    lease = w.leases()[0]
    assert hand_in(w, lease) is Verdict.ACCEPTED
    assert hand_in(w, lease) is Verdict.DUPLICATE
    fill_rest = w.leases()
    assert lease.shard not in [item.shard for item in fill_rest]
    fill(w)
    assert hand_in(w, lease) is Verdict.DUPLICATE
    assert verdicts(w).count((1, lease.shard, "accepted")) == 1


def test_contribution__foreign_fence_or_foreign_miner__is_stale(w: World) -> None:
    lease = w.leases()[0]
    signed = w.work(lease)
    wrong = HandedIn(signed=signed, attempt=1, fence=lease.fence + 1)
    assert accept_contribution(w.ctx, wrong) is Verdict.STALE
    lease.miner = next(m.address for m in w.miners if m.address != lease.miner)
    assert hand_in(w, lease) is Verdict.STALE


def test_miner__dies_in_mid_shard__the_shard_is_redone_and_the_late_answer_not_paid(w: World) -> None:
    assert send_jobs(w.ctx)
    dead = w.leases()[0]
    late = HandedIn(signed=w.work(dead), attempt=dead.attempt, fence=dead.fence)
    w.pass_time(dead.lease_s)
    w.drive()
    again = next(item for item in w.leases() if item.shard == dead.shard)
    assert again.miner != dead.miner
    assert (again.attempt, again.past) == (2, [dead.miner])
    assert accept_contribution(w.ctx, late) is Verdict.STALE
    fill(w)
    assert accept_contribution(w.ctx, late) is Verdict.LATE
    assert [v for v in verdicts(w) if v[:2] == (1, dead.shard)] == [(1, dead.shard, "accepted")]


def test_miner__falls_silent__loses_its_shard_without_waiting_for_the_lease(w: World) -> None:
    silent = w.leases()[0]
    everybody = w.miners
    w.miners = [m for m in everybody if m.address != silent.miner]
    w.pass_time(patience_s(SHORTEST_PAUSE_S) + 0.5)
    w.miners = everybody
    w.drive()
    again = next(item for item in w.leases() if item.shard == silent.shard)
    assert again.miner != silent.miner


def test_broker__away__leases_wait_in_the_outbox_and_do_not_run_out(w: World) -> None:
    w.queue.broken = ServiceUnreachable("the broker", "redis://gone", "refused")
    assert not send_jobs(w.ctx)
    before = {(item.shard, item.fence) for item in w.leases()}
    for _ in range(30):
        w.pass_time(5)
        w.drive()
    assert {(item.shard, item.fence) for item in w.leases()} == before
    w.queue.broken = None
    assert send_jobs(w.ctx)
    assert {(job.shard, job.fence) for _, job in w.queue.jobs} == before
    assert send_jobs(w.ctx)
    assert len(w.queue.jobs) == len(before)


def test_broker__another_run_of_it__is_sent_the_same_jobs_with_a_whole_lease(on_each_database: World) -> None:
    w = on_each_database
    loop = RoundsLoop(w.ctx, 1.0, 1.0, lambda seconds: None)
    loop.turn()
    sent = [(job.shard, job.fence) for _, job in w.queue.jobs]
    w.pass_time(LOOK_EVERY_S)
    loop.turn()
    assert [(job.shard, job.fence) for _, job in w.queue.jobs] == sent
    w.queue.jobs.clear()
    w.queue.run = "second"
    w.pass_time(w.leases()[0].lease_s - 2)
    loop.turn()
    assert [(job.shard, job.fence) for _, job in w.queue.jobs] == sent
    assert [lease.sent_s for lease in w.leases()] == [w.clock_s] * len(sent)


def test_send_again__a_lease_that_has_run_out__is_not_renewed(on_each_database: World) -> None:
    w = on_each_database
    assert send_jobs(w.ctx)
    first, second = w.leases()
    with w.store.write() as tx:
        lease = tx.shards.lease(TASK, 1, first.shard)
        assert lease is not None
        lease.sent_s = over = w.clock_s - lease.lease_s
    send_again(w.ctx)
    assert {lease.shard: lease.sent_s for lease in w.leases()} == {first.shard: over, second.shard: None}


def test_evaluation__blob_store_away__is_made_when_it_is_back(
    w: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(*_: object) -> bytes:
        raise ServiceUnreachable("the blob store", "s3://gone", "refused")

    fill(w)
    with monkeypatch.context() as away:
        away.setattr(BlobCache, "get", gone)
        with pytest.raises(ServiceUnreachable):
            evaluate_rounds(w.ctx)
    assert evaluate_rounds(w.ctx) == 1
    with w.store.read() as tx:
        row = tx.rounds.get(TASK, 1)
        assert row is not None
        assert row.total


def faulty_round(w: World) -> tuple[ContributionRow, bytes]:
    """Round 1 with a lazy shard 0, proposed; round 2 begun on it."""
    first, second = w.leases()
    assert hand_in(w, first, lazy=True) is Verdict.ACCEPTED
    assert hand_in(w, second) is Verdict.ACCEPTED
    w.drive()
    with w.store.read() as tx:
        bad = tx.shards.filling(TASK, 1, 0)
        assert bad is not None
        return bad, w.asked.requests[-1][3]


def report(w: World, value: bytes, reporter: int) -> bool:
    (signed, *_) = record_of(w, value).rounds[0].contributions
    return handle_fault_report(w.ctx, FaultReport.signed(signed, w.domain, w.members[reporter]))


def test_fault__reported_by_more_than_f__rolls_back_excludes_and_proposes_with_the_evidence(w: World) -> None:
    bad, value = faulty_round(w)
    assert report(w, value, 0)
    assert not report(w, value, 0)
    w.drive()
    assert len(w.asked.requests) == 1
    assert report(w, value, 2)
    w.drive()
    assert (1, 0, "faulty") in verdicts(w)
    assert (1, 1, "accepted") in verdicts(w)
    (lease,) = w.leases()
    assert (lease.round, lease.shard) == (1, 0)
    assert lease.miner != bad.miner
    fill(w)
    record = record_of(w, w.asked.requests[-1][3])
    assert [fault.miner for fault in record.faults] == [bad.miner]
    assert len(record.fault_evidence) == 2
    with w.store.read() as tx:
        task = tx.tasks.get(TASK)
        assert task is not None
        w.ctx.ledgers.of(tx, task).check(record, w.domain)
    w.certify(w.asked.requests[-1][3])
    w.drive()
    for _ in range(3):
        fill(w)
        assert bad.miner not in [c.miner for c in w.leases()]
        w.certify(w.asked.requests[-1][3])
        w.drive()
    with w.store.read() as tx:
        earned = tx.tasks.earned(TASK)
    assert parse_address(bad.miner) not in earned


def test_fault_report__by_a_stranger_or_about_another_task__is_refused(w: World) -> None:
    _, value = faulty_round(w)
    (signed, *_) = record_of(w, value).rounds[0].contributions
    with pytest.raises(PeerMisbehaved, match="member"):
        handle_fault_report(w.ctx, FaultReport.signed(signed, w.domain, w.miners[0]))


def attestation(w: World, value: bytes, member: LocalAccount) -> Attestation:
    """What ``member`` says of the certificate that ``value`` asks for."""
    c = RoundCertificate.decode(value)
    evidence = ReplayEvidence.of(c.task_id, c.segment, b"seed", ())
    return Attestation.signed(evidence, (c.first_round, c.last_round), w.domain, KeySigner(bytes(member.key)))


def test_attestation__by_signers__stands_in_the_next_record_in_their_order(w: World) -> None:
    fill(w)
    value = w.asked.requests[-1][3]
    for member in reversed(w.members):
        assert handle_attestation(w.ctx, attestation(w, value, member))
        assert not handle_attestation(w.ctx, attestation(w, value, member))
    w.certify(value)
    w.drive()
    fill(w)
    record = record_of(w, w.asked.requests[-1][3])
    with w.store.read() as tx:
        task = tx.tasks.get(TASK)
        assert task is not None
        ledger = w.ctx.ledgers.of(tx, task)
    assert [item.validator(w.domain) for item in record.attestations] == list(ledger.last_signers)
    ledger.check(record, w.domain)


def test_attestation__by_a_stranger_or_of_a_segment_nobody_asked_for__is_refused(w: World) -> None:
    fill(w)
    value = w.asked.requests[-1][3]
    with pytest.raises(PeerMisbehaved, match="member"):
        handle_attestation(w.ctx, attestation(w, value, w.miners[0]))
    other = replace(RoundCertificate.decode(value), segment=sha256(b"nothing")).encode()
    with pytest.raises(PeerMisbehaved, match="segment"):
        handle_attestation(w.ctx, attestation(w, other, w.members[0]))


def test_segment__rejected_by_more_than_f_without_a_fault__is_given_up_after_patience(w: World) -> None:
    fill(w)
    fill(w)
    value = w.asked.requests[-1][3]
    for member in w.members[:2]:
        handle_answer(w.ctx, TASK, parse_address(member.address), sha256(value), "rejected", "no")
    for _ in range(4):
        w.pass_time(10)
        w.drive()
    with w.store.read() as tx:
        assert [row.number for row in tx.rounds.above(TASK, 0)] == [1]
        assert tx.committee.in_flight(TASK) is None
    assert {v[2] for v in verdicts(w)} == {"discarded"}


def test_segment__no_answer__is_asked_for_again(w: World) -> None:
    fill(w)
    first = w.asked.requests[-1]
    w.pass_time(2.5)
    w.drive()
    assert w.asked.requests == [first, first]


def test_stake__withdrawn_before_certification__the_work_is_taken_back(w: World) -> None:
    gone = w.leases()[0].miner
    fill(w)
    with w.store.write() as tx:
        tx.chain.set_stake(gone, 999, 1, 0)
    w.drive()
    assert {(v[0], v[2]) for v in verdicts(w) if v[1] == 0} == {(1, "discarded")}
    assert all(lease.miner != gone for lease in w.leases())


@pytest.mark.parametrize(
    ("name", "blob"),
    [
        ("not safetensors", b"\0" * 100),
        ("a header of 1 GB", (1 << 30).to_bytes(8, "little") + b"{}"),
        ("another shape", None),
    ],
)
def test_gradient__unreadable__is_refused_and_the_shard_goes_to_somebody_else(
    w: World, name: str, blob: bytes | None
) -> None:
    assert send_jobs(w.ctx)
    lease = w.leases()[0]
    honest = w.work(lease).contribution
    data = blob if blob is not None else w.blobs.get(honest.parent_model)
    signed = type(honest)(
        **{
            **{f: getattr(honest, f) for f in honest.__dataclass_fields__},
            "gradient": w.blobs.put(data),
        }
    ).sign(w.domain, w.account(lease.miner))
    with pytest.raises(PeerMisbehaved):
        accept_contribution(w.ctx, HandedIn(signed=signed, attempt=1, fence=lease.fence))
    assert (1, lease.shard, "rejected") in verdicts(w), name
    w.drive()
    again = next(item for item in w.leases() if item.shard == lease.shard)
    assert again.miner != lease.miner


@pytest.mark.parametrize("second", ["the first again", "unreadable"])
def test_micro_batches__not_what_the_gradient_is_the_sum_of__are_refused(w: World, second: str) -> None:
    assert send_jobs(w.ctx)
    lease = w.leases()[0]
    honest = w.work(lease).contribution
    first = honest.batches[0]
    other = first if second == "the first again" else w.blobs.put(b"\0" * 100)
    signed = replace(honest, batches=(first, other)).sign(w.domain, w.account(lease.miner))
    with pytest.raises(PeerMisbehaved, match="sum of" if other == first else "micro-batch 1"):
        accept_contribution(w.ctx, HandedIn(signed=signed, attempt=1, fence=lease.fence))
    assert (1, lease.shard, "rejected") in verdicts(w)


def test_micro_batches__not_stored_yet__are_asked_for_again_and_nobody_is_struck(w: World) -> None:
    assert send_jobs(w.ctx)
    lease = w.leases()[0]
    honest = w.work(lease).contribution
    away = (honest.batches[0], sha256(b"nowhere"))
    signed = replace(honest, batches=away).sign(w.domain, w.account(lease.miner))
    with pytest.raises(BlobMissing):
        accept_contribution(w.ctx, HandedIn(signed=signed, attempt=1, fence=lease.fence))
    assert verdicts(w) == []


def test_contribution__wrong_task_spec_samples_or_signature__is_refused(w: World) -> None:
    lease = w.leases()[0]
    honest = w.work(lease).contribution
    fields = {f: getattr(honest, f) for f in honest.__dataclass_fields__}
    for change, error in (
        ({"task_id": 9}, Refused),
        ({"spec_hash": Sha256(bytes(32))}, PeerMisbehaved),
        ({"samples": 1}, PeerMisbehaved),
        ({"batches": honest.batches[:1]}, PeerMisbehaved),
        ({"shard": 2}, PeerMisbehaved),
        ({"round": 6}, PeerMisbehaved),
    ):
        signed = type(honest)(**{**fields, **change}).sign(w.domain, w.account(lease.miner))
        with pytest.raises(error):
            accept_contribution(w.ctx, HandedIn(signed=signed, attempt=1, fence=lease.fence))
    stranger = honest.sign(w.domain, w.members[0])
    with pytest.raises(PeerMisbehaved, match="signed it"):
        accept_contribution(w.ctx, HandedIn(signed=stranger, attempt=1, fence=lease.fence))
    assert verdicts(w) == []
