"""What may extend a task's certified state, and what may not."""

from dataclasses import replace

import pytest

from protocol.contribution import SignedContribution
from protocol.errors import PeerMisbehaved
from protocol.evidence import Fault, FaultReport
from protocol.ids import Wei, parse_address, sha256
from protocol.ledger import TaskLedger
from protocol.segment import RoundRecord, SegmentRecord
from tests.unit.protocol.builders import DOMAIN, account, contribution, ledger, members, round_record

MINERS = {0: 1, 1: 2, 2: 3, 3: 1}


def two_rounds(state: TaskLedger) -> tuple[RoundRecord, ...]:
    first = round_record(state, 1, state.model, MINERS)
    return (first, round_record(state, 2, first.model, MINERS))


def zeros(state: TaskLedger) -> SignedContribution:
    return contribution(state, 1, 3, state.model, 9)


def reports(count: int) -> tuple[FaultReport, ...]:
    return tuple(FaultReport.signed(zeros(ledger()), DOMAIN, account(100 + i)) for i in range(count))


def test_check__honest_segment__passes_and_survives_its_blob() -> None:
    state = ledger()
    record = state.extend(two_rounds(state))
    state.check(SegmentRecord.from_blob(record.blob), DOMAIN)


def test_payouts__second_segment__adds_rewards_and_the_first_ones_fee() -> None:
    state = ledger()
    record = state.extend(two_rounds(state))
    signers = members()[:3]
    state = state.certified(record, signers)
    second = state.extend((round_record(state, 3, state.model, MINERS),))
    state.check(second, DOMAIN)
    assert second.payouts[parse_address(account(1).address)] == 6 * 1000
    assert [second.payouts[name] for name in signers] == [2 * 100 // 3] * 3
    assert second.certificate(DOMAIN, state.epoch).paid_total == 12 * 1000 + 3 * (2 * 100 // 3)
    assert list(second.payouts) == sorted(second.payouts, key=lambda name: int(name, 16))


def test_check__fault_with_enough_reporters__excludes_the_miner() -> None:
    state = ledger()
    record = state.extend(two_rounds(state), reports(2))
    state.check(record, DOMAIN)
    after = state.certified(record, members()[:3])
    assert after.excluded == {parse_address(account(9).address)}
    bad = after.extend((round_record(after, 3, after.model, {0: 1, 1: 9}),))
    with pytest.raises(PeerMisbehaved, match="excluded"):
        after.check(bad, DOMAIN)


@pytest.mark.parametrize("count", [0, 1])
def test_check__fault_with_too_few_reporters__is_refused(count: int) -> None:
    state = ledger()
    record = replace(state.extend(two_rounds(state), reports(count)), faults=(Fault.of(zeros(state)),))
    with pytest.raises(PeerMisbehaved):
        state.check(record, DOMAIN)


def test_check__fault_reported_by_a_stranger__is_refused() -> None:
    state = ledger()
    outsider = FaultReport.signed(zeros(state), DOMAIN, account(55))
    with pytest.raises(PeerMisbehaved, match="not by a member"):
        state.check(state.extend(two_rounds(state), (*reports(2), outsider)), DOMAIN)


def test_check__blame_for_work_the_miner_never_signed__is_refused() -> None:
    state = ledger()
    signed = zeros(state)
    framed = replace(signed, contribution=replace(signed.contribution, gradient=sha256(b"never sent")))
    record = state.extend(
        two_rounds(state), tuple(FaultReport.signed(framed, DOMAIN, account(100 + i)) for i in range(2))
    )
    with pytest.raises(PeerMisbehaved, match="signed it"):
        state.check(record, DOMAIN)


def break_payouts(record: SegmentRecord) -> SegmentRecord:
    return replace(record, payouts={**record.payouts, parse_address(account(1).address): Wei(10**6)})


def drop_first_round(record: SegmentRecord) -> SegmentRecord:
    return replace(record, rounds=record.rounds[1:])


def repeat_a_shard(record: SegmentRecord) -> SegmentRecord:
    first = record.rounds[0]
    doubled = replace(first, contributions=(first.contributions[0], *first.contributions))
    return replace(record, rounds=(doubled, *record.rounds[1:]))


def too_few_shards(record: SegmentRecord) -> SegmentRecord:
    first = record.rounds[0]
    return replace(record, rounds=(replace(first, contributions=first.contributions[:1]), *record.rounds[1:]))


def steal_a_contribution(record: SegmentRecord) -> SegmentRecord:
    first = record.rounds[0]
    signed = first.contributions[0]
    stolen = replace(
        signed, contribution=replace(signed.contribution, miner=parse_address(account(2).address))
    )
    return replace(
        record, rounds=(replace(first, contributions=(stolen, *first.contributions[1:])), *record.rounds[1:])
    )


def another_parent(record: SegmentRecord) -> SegmentRecord:
    state = ledger()
    first = record.rounds[0]
    wrong = contribution(state, 1, 0, sha256(b"another model"), 1)
    return replace(
        record, rounds=(replace(first, contributions=(wrong, *first.contributions[1:])), *record.rounds[1:])
    )


@pytest.mark.parametrize(
    "lie",
    [break_payouts, drop_first_round, repeat_a_shard, too_few_shards, steal_a_contribution, another_parent],
)
def test_check__one_lie__is_refused(lie: object) -> None:
    state = ledger()
    assert callable(lie)
    with pytest.raises(PeerMisbehaved):
        state.check(lie(state.extend(two_rounds(state))), DOMAIN)


def test_from_blob__not_canonical_or_malformed__is_refused() -> None:
    state = ledger()
    blob = state.extend(two_rounds(state)).blob
    for bad in (b"", b"[]", blob + b" ", blob.replace(b'"round":1', b'"round":-1', 1), blob[:-2]):
        with pytest.raises(PeerMisbehaved):
            SegmentRecord.from_blob(bad)
