"""What a validator says that it executed: signed once, hidden until it is shown, and bounded."""

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from protocol.attestation import (
    MAX_PROOF_BYTES,
    Attestation,
    ReplayEvidence,
    ShardProof,
    witness_seed,
)
from protocol.canonical import canonical_json
from protocol.errors import PeerMisbehaved
from protocol.ids import Address, RoundNo, ShardNo, TaskId, sha256
from protocol.ledger import TaskLedger
from protocol.segment import SegmentRecord
from protocol.signing import KeySigner
from tests.unit.protocol.builders import DOMAIN, account, ledger, members, round_record

SEGMENT = sha256(b"segment")
KEYS = {signer.address: signer for signer in (KeySigner(bytes(account(100 + i).key)) for i in range(4))}
WHO = Address("0x" + "11" * 20)


def proofs() -> tuple[ShardProof, ...]:
    return tuple(
        ShardProof(round=RoundNo(r), shard=ShardNo(s), proof=bytes([r, s])) for r, s in ((2, 0), (1, 3))
    )


def evidence(seed: bytes = b"seed") -> ReplayEvidence:
    return ReplayEvidence.of(TaskId(7), SEGMENT, seed, proofs())


def signed(index: int, state: TaskLedger, item: ReplayEvidence) -> Attestation:
    """By member ``index``, on the last certificate of ``state``."""
    rounds = (RoundNo(state.last_round - state.last_span + 1), state.last_round)
    return Attestation.signed(item, rounds, DOMAIN, KEYS[members()[index]])


def stranger(state: TaskLedger) -> Attestation:
    rounds = (RoundNo(1), RoundNo(1))
    return Attestation.signed(about(state), rounds, DOMAIN, KeySigner(bytes(account(7).key)))


def test_digest__fixed_values__is_the_frozen_one() -> None:
    """Validators of different versions have to sign the same bytes."""
    item = Attestation(
        task_id=TaskId(7),
        first_round=RoundNo(1),
        last_round=RoundNo(2),
        segment=SEGMENT,
        evidence=sha256(b"evidence"),
    )
    assert item.digest(DOMAIN).hex() == "7c2e10152c85695c05a8aee02c7e3409b5d6347c157914129b2d5f65372a5126"
    seed = witness_seed(DOMAIN, WHO, TaskId(7), 1, 2)
    assert seed.hex() == "365b8292056fece773dfb46f4c92463ab59ace6e1f4ce0c33f6b613c7439fc23"


def test_evidence__whole_blob__comes_back_ascending() -> None:
    item = evidence()
    again = ReplayEvidence.from_blob(item.blob)
    assert again == item
    assert [(s.round, s.shard) for s in again.shards] == [(1, 3), (2, 0)]


def test_evidence__same_shards_another_seed__has_another_name() -> None:
    """Else whoever can guess the sample could try names."""
    assert evidence(b"a").blob != evidence(b"b").blob
    assert evidence(b"a").blob == evidence(b"a").blob


def test_witness_seed__another_validator_task_or_place__is_another() -> None:
    seeds = {
        witness_seed(DOMAIN, who, TaskId(task), r, s)
        for who in (WHO, Address("0x" + "22" * 20))
        for task in (1, 2)
        for r, s in ((1, 2), (2, 1))
    }
    assert len(seeds) == 8


SPOILT: dict[str, Callable[[dict[str, Any]], None]] = {
    "other version": lambda v: v.update(version=9),
    "no salt": lambda v: v.pop("salt"),
    "shards twice": lambda v: v["shards"].append(v["shards"][-1]),
    "shards descending": lambda v: v["shards"].reverse(),
    "proof no hex": lambda v: v["shards"][0].__setitem__(2, "zz"),
    "proof in capitals": lambda v: v["shards"][0].__setitem__(2, "0xAB"),
    "proof too long": lambda v: v["shards"][0].__setitem__(2, "0x" + "00" * (MAX_PROOF_BYTES + 1)),
    "negative shard": lambda v: v["shards"][0].__setitem__(1, -1),
}


@pytest.mark.parametrize("kind", sorted(SPOILT))
def test_evidence__malformed__is_refused(kind: str) -> None:
    value = json.loads(evidence().blob)
    SPOILT[kind](value)
    with pytest.raises(PeerMisbehaved):
        ReplayEvidence.from_blob(canonical_json(value))


def test_evidence__not_canonical__is_refused() -> None:
    with pytest.raises(PeerMisbehaved):
        ReplayEvidence.from_blob(evidence().blob + b"\n")


def test_attestation__json__comes_back_and_names_its_signer() -> None:
    state = certified()
    item = signed(0, state, about(state))
    assert Attestation.from_json(item.to_json()) == item
    assert item.validator(DOMAIN) == members()[0]
    assert replace(item, last_round=RoundNo(9)).validator(DOMAIN) != item.validator(DOMAIN)


@pytest.mark.parametrize("field", ["task_id", "segment", "evidence", "signature", "first_round"])
def test_attestation__field_missing_or_wrong__is_refused(field: str) -> None:
    state = certified()
    value = signed(0, state, about(state)).to_json()
    with pytest.raises(PeerMisbehaved):
        Attestation.from_json({**value, field: "0x"})
    del value[field]
    with pytest.raises(PeerMisbehaved):
        Attestation.from_json(value)


# ---------------------------------------------------------------- in the record of the next certificate


def certified() -> TaskLedger:
    """One certificate of one round, by the first three members."""
    state = ledger()
    record = state.extend((round_record(state, 1, state.model, {0: 1, 1: 2}),))
    return state.certified(record, members()[:3])


def about(state: TaskLedger) -> ReplayEvidence:
    assert state.last_segment is not None
    return ReplayEvidence.of(state.task_id, state.last_segment, b"seed", ())


def following(state: TaskLedger, *items: Attestation) -> SegmentRecord:
    return state.extend((round_record(state, 2, state.model, {0: 1, 1: 2}),), attestations=items)


def test_check__attestations_of_signers_in_order__pass_and_survive_the_blob() -> None:
    state = certified()
    record = following(state, *(signed(i, state, about(state)) for i in (0, 2)))
    state.check(SegmentRecord.from_blob(record.blob), DOMAIN)
    assert record.certificate(DOMAIN, state.epoch) != following(state).certificate(DOMAIN, state.epoch)


def test_check__no_attestation__passes() -> None:
    state = certified()
    state.check(following(state), DOMAIN)


def test_check__attestation_twice_or_out_of_order__is_refused() -> None:
    state = certified()
    one, two = (signed(i, state, about(state)) for i in (0, 1))
    for items in ((one, one), (two, one)):
        with pytest.raises(PeerMisbehaved, match="attestation"):
            state.check(following(state, *items), DOMAIN)


def test_check__attestation_by_a_member_that_did_not_sign_or_by_a_stranger__is_refused() -> None:
    state = certified()
    for item in (signed(3, state, about(state)), stranger(state)):
        with pytest.raises(PeerMisbehaved, match="attestation"):
            state.check(following(state, item), DOMAIN)


def test_check__forged_signature_or_other_segment_or_rounds__is_refused() -> None:
    state = certified()
    good = signed(0, state, about(state))
    elsewhere = signed(0, state, evidence())
    broken = replace(good, signature=bytes(65))
    moved = replace(good, evidence=sha256(b"other evidence"))
    for item in (elsewhere, broken, moved):
        with pytest.raises(PeerMisbehaved):
            state.check(following(state, item), DOMAIN)


def test_check__attestation_before_there_is_a_certificate__is_refused() -> None:
    state, later = ledger(), certified()
    record = state.extend(
        (round_record(state, 1, state.model, {0: 1, 1: 2}),),
        attestations=(signed(0, later, about(later)),),
    )
    with pytest.raises(PeerMisbehaved, match="attestation"):
        state.check(record, DOMAIN)
