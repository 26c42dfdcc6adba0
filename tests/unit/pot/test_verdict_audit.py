"""What an audit says of validators that show forged, copied, short, foreign or no evidence."""

from collections.abc import Callable
from dataclasses import replace
from functools import cache

import pytest

from committee.blind import BlindChecker
from committee.verify import Checker
from pot.audit.replay import Replayer
from pot.audit.report import AuditReport
from pot.audit.verdicts import VerdictAudit
from protocol.attestation import Attestation, ReplayEvidence, ShardProof
from protocol.chain.history import TaskHistory
from protocol.ids import RoundNo, ShardNo, sha256
from protocol.segment import SegmentRecord
from protocol.signing import KeySigner
from tests.unit.committee_app.histories import at_start, certified, key_of
from tests.unit.committee_app.test_verify import World, honest
from tests.unit.protocol.builders import DOMAIN, members
from worker.training.data import DatasetCache

DATA = DatasetCache()


@cache
def scene() -> tuple[World, SegmentRecord]:
    """One honest round; everybody has to look at all of it."""
    world = World("verdict-audit", sample_ppm=1_000_000)
    return world, world.record(honest(world))


@cache
def evidence(member: int, *, blind: bool = False) -> ReplayEvidence:
    """What the validator at that place has executed, or says it has."""
    world, record = scene()
    kind = BlindChecker if blind else Checker
    checker = kind(
        domain=DOMAIN,
        blobs=world.blobs,
        stake_of=lambda miner: 10**30,
        slashable_of=lambda miner: 10**30,
        signer=KeySigner(key_of(member)),
        datasets=DATA,
    )
    certificate = record.certificate(DOMAIN, world.ledger.epoch)
    made = checker.judge(world.ledger, certificate, frozenset()).evidence
    assert made is not None
    return made


def history(world: World, record: SegmentRecord, shown: dict[int, bytes]) -> TaskHistory:
    """The certificate of the round, and one after it that records who names which evidence."""
    start = certified(at_start(world.ledger), record)
    said = []
    for member, blob in sorted(shown.items()):
        item = Attestation(
            task_id=record.task_id,
            first_round=record.first_round,
            last_round=record.last_round,
            segment=sha256(record.blob),
            evidence=sha256(blob),
        )
        signer = KeySigner(key_of(member))
        said.append(replace(item, signature=signer.sign(item.digest(DOMAIN))))
    # Nobody re-executes the second one here: only what it records counts.
    later = replace(
        start.ledger.extend((replace(record.rounds[0], round=RoundNo(2)),)), attestations=tuple(said)
    )
    return certified(start, later)


def audit(shown: dict[int, bytes], stored: bool = True) -> AuditReport:
    world, record = scene()
    for blob in shown.values():
        if stored:
            world.blobs.put(blob)
    verdicts = VerdictAudit(history(world, record, shown), world.blobs)
    replayer = Replayer(spec=world.spec, blobs=world.blobs, rounds=(1,), verdicts=verdicts, datasets=DATA)
    replayer.round(record.rounds[0])
    report = AuditReport(task_id=1, chain_id=1, market=DOMAIN.market)
    verdicts.finish(report)
    return report


def test_audit__honest_evidence_of_three__is_compared_and_names_nobody() -> None:
    report = audit({member: evidence(member).blob for member in range(3)})
    assert (report.ok, report.false_verdicts) == (True, [])
    shards = len(scene()[1].places)
    assert [(one["attested"], one["shown"], one["checked"]) for one in report.verdicts] == [
        (1, 1, shards)
    ] * 3
    assert "0 validators named" in report.lines[-1].detail


def forged() -> bytes:
    return evidence(1, blind=True).blob


def copied() -> bytes:
    return evidence(0).blob


def short() -> bytes:
    return replace(evidence(1), shards=evidence(1).shards[:1]).blob


def zeroed() -> bytes:
    first, *rest = evidence(1).shards
    return replace(evidence(1), shards=(replace(first, proof=bytes(len(first.proof))), *rest)).blob


def foreign() -> bytes:
    extra = ShardProof(round=RoundNo(9), shard=ShardNo(0), proof=b"")
    return replace(evidence(1), shards=(*evidence(1).shards, extra)).blob


def other_segment() -> bytes:
    return replace(evidence(1), segment=sha256(b"another")).blob


def garbage() -> bytes:
    return b"no evidence"


@pytest.mark.parametrize("lie", [forged, copied, short, zeroed, foreign, other_segment, garbage])
def test_audit__false_evidence__names_its_validator_and_nobody_else(lie: Callable[[], bytes]) -> None:
    report = audit({0: evidence(0).blob, 1: lie()})
    assert report.false_verdicts == [members()[1]]
    assert not report.ok
    assert report.lie is not None
    assert report.lie.validator == members()[1]


def test_audit__evidence_that_nobody_has_seen__is_counted_and_held_against_nobody() -> None:
    report = audit({2: b"never stored"}, stored=False)
    assert report.false_verdicts == []
    by = {one["validator"]: one for one in report.verdicts}
    assert (by[members()[2]]["attested"], by[members()[2]]["shown"]) == (1, 0)
