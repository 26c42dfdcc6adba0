"""What a validator says that it executed: once a certificate is fixed, no sooner, and shown in the end."""

from pathlib import Path

import pytest

from committee.blind import BlindChecker
from committee.evidence_keeper import EvidenceKeeper
from committee.session import TaskSession
from committee.verify import Checker, Finding, Judgement
from protocol.attestation import ReplayEvidence, ShardProof, witness_seed
from protocol.blobs import open_blob_store
from protocol.errors import ServiceUnreachable
from protocol.ids import RoundNo, Sha256, ShardNo, TaskId, sha256
from protocol.segment import SegmentRecord
from protocol.signing import KeySigner
from tests.unit.committee_app.histories import (
    ME,
    Around,
    at_start,
    certified,
    checker,
    decision,
    next_record,
    question,
)
from tests.unit.committee_app.test_verify import World, honest
from tests.unit.protocol.builders import DOMAIN, account, members
from worker.training.witness import NEEDED, WITNESSES, agreeing


def evidence_of(record: SegmentRecord) -> ReplayEvidence:
    proof = ShardProof(round=RoundNo(1), shard=ShardNo(0), proof=b"digits")
    return ReplayEvidence.of(record.task_id, sha256(record.blob), b"seed", (proof,))


def judged() -> tuple[Around, TaskSession, SegmentRecord]:
    """A session that has found one proposal true."""
    around, history = Around(), at_start()
    session = TaskSession(history=history, agreement=around, checker=checker(), desk=around, me=members()[ME])
    record = next_record(history)
    session.verify(question(history, record))
    around.answer(Judgement(finding=Finding.VALID, evidence=evidence_of(record)))
    return around, session, record


def test_attests__judged_but_not_decided__says_nothing() -> None:
    """A value that fails comes again with the same sample."""
    around, session, _ = judged()
    session.tick()
    assert around.verdicts == [(1, True)]
    assert (around.kept, around.attested, around.opened) == ([], [], [])


def test_attests__decided__says_it_once_and_repeats_it_until_the_next() -> None:
    around, session, record = judged()
    session.decided(decision(session.history, record))
    session.decided(decision(session.history, record))
    assert [item.segment for item in around.kept] == [sha256(record.blob)]
    assert [item.validator(DOMAIN) for item in around.attested] == [members()[ME]]
    for _ in range(200):
        session.tick()
    assert len(set(around.attested)) == 1 < len(around.attested)
    assert around.opened == []


def test_attests__others_posted_it_first__says_it_as_well() -> None:
    around, session, record = judged()
    session.moved(certified(session.history, record))
    assert len(around.kept) == 1


def test_attests__another_value_was_decided__says_nothing_about_the_own_one() -> None:
    around, session, _ = judged()
    other = next_record(session.history, {0: 2, 1: 1})
    session.decided(decision(session.history, other))
    assert around.kept == []


def test_attests__task_over__shows_its_evidence() -> None:
    around, session, record = judged()
    session.decided(decision(session.history, record))
    around.time_s = 10**9
    session.tick()
    assert around.opened == [session.history.created.task_id]


def evidence_by(world: World, record: SegmentRecord, who: Checker) -> ReplayEvidence:
    certificate = record.certificate(DOMAIN, world.ledger.epoch)
    judgement = who.judge(world.ledger, certificate, frozenset())
    assert judgement.finding is Finding.VALID
    assert judgement.evidence is not None
    return judgement.evidence


def test_judge__whole_sample__proves_every_shard_and_a_blind_one_none() -> None:
    world = World("attesting", sample_ppm=1_000_000)
    record = world.record(honest(world))
    open_eyes = evidence_by(world, record, world.checker())
    sleeper = BlindChecker(
        domain=DOMAIN,
        blobs=world.blobs,
        stake_of=lambda miner: 1,
        slashable_of=lambda miner: 1,
        signer=KeySigner(bytes(account(100).key)),
        datasets=world.checker().datasets,
    )
    forged = evidence_by(world, record, sleeper)
    assert open_eyes.segment == forged.segment == sha256(record.blob)
    assert {(s.round, s.shard) for s in open_eyes.shards} == record.places
    assert {(s.round, s.shard) for s in forged.shards} == record.places
    for true, false in zip(open_eyes.shards, forged.shards, strict=True):
        assert agreeing(world.spec, false.proof, true.proof) < NEEDED // 2
    again = evidence_by(world, record, world.checker())
    assert again.blob == open_eyes.blob
    assert all(len(item.proof) == 4 * WITNESSES for item in again.shards)


def test_judge__another_validator__proves_other_numbers() -> None:
    assert witness_seed(DOMAIN, members()[0], TaskId(1), 1, 0) != witness_seed(
        DOMAIN, members()[1], TaskId(1), 1, 0
    )


def test_keeper__restart__still_knows_what_to_show_and_shows_it_once(tmp_path: Path) -> None:
    blobs = open_blob_store("memory://keeper")
    EvidenceKeeper(tmp_path, blobs).keep(TaskId(3), b"evidence")
    keeper = EvidenceKeeper(tmp_path, blobs)
    assert keeper.tasks == {3}
    assert not blobs.has(sha256(b"evidence"))
    keeper.show(TaskId(3))
    assert blobs.get(sha256(b"evidence")) == b"evidence"
    assert EvidenceKeeper(tmp_path, blobs).tasks == set()


class Down:
    """A blob store that does not answer."""

    def put(self, data: bytes) -> Sha256:
        raise ServiceUnreachable("the blob store", "memory://down", "it is down")

    def get(self, name: Sha256, max_bytes: int = 0) -> bytes:
        raise NotImplementedError

    def has(self, name: Sha256) -> bool:
        return False


def test_keeper__store_down__keeps_the_evidence(tmp_path: Path) -> None:
    keeper = EvidenceKeeper(tmp_path, Down())
    keeper.keep(TaskId(3), b"evidence")
    with pytest.raises(ServiceUnreachable):
        keeper.show(TaskId(3))
    assert keeper.tasks == {3}
