"""What is signed about contests: specs, commitments, certificates, sealed sets, records."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.contest import MAX_ENTRIES, NO_SCORE, Commitment, ScoreCertificate, winner_of
from protocol.contest_spec import ContestSpec
from protocol.errors import InvalidInput, PeerMisbehaved
from protocol.ids import ZERO32, EpochNo, parse_address, sha256
from protocol.score_record import EntryResult, ScoreRecord, Standing
from protocol.sealed import key_hash, new_key, seal, unseal
from protocol.typed_data import Domain
from tests.support.contests import contest_spec, contest_value

MINER = parse_address("0x" + "22" * 20)
DOMAIN = Domain(chain_id=31337, market=parse_address("0x" + "11" * 20))


def certificate(**changes: Any) -> ScoreCertificate:
    values: dict[str, Any] = {
        "contest_id": 7,
        "instance": 0,
        "epoch": EpochNo(2),
        "spec_hash": sha256(b"spec"),
        "test_set": sha256(b"test"),
        "revealed": 0b101,
        "frauds": 0b100,
        "bad_test_set": False,
        "scores": (150, NO_SCORE, NO_SCORE),
        "transactions": ZERO32,
        "record": sha256(b"record"),
    }
    return ScoreCertificate(**{**values, **changes})


def test_contest_spec__blob__parses_to_itself() -> None:
    spec = contest_spec()
    assert ContestSpec.parse(spec.blob) == spec
    assert spec.escrow_wei == 1000 + 40 + 8 * 5


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"goal": {"target": 10_000}}, "goal.target"),
        ({"goal": {"least": 0}}, "goal.least"),
        ({"money": {"reward": "0"}}, "money.reward"),
        ({"money": {"slash_per_fault": "1001"}}, "money.slash_per_fault"),
        ({"money": {"fee": str(1 << 96)}}, "money.fee"),
        ({"limits": {"max_entries": 65}}, "limits.max_entries"),
        ({"limits": {"reveal_s": 9}}, "limits.reveal_s"),
        ({"test_set": {"sealed": "another"}}, "test_set.sealed"),
        ({"kind": "pooled"}, "kind"),
    ],
)
def test_contest_spec__bad_field__is_named(changes: dict[str, Any], name: str) -> None:
    with pytest.raises(InvalidInput, match=name):
        ContestSpec.from_value(contest_value(**changes))


def test_contest_spec__other_white_space__is_refused() -> None:
    with pytest.raises(InvalidInput, match="canonical"):
        ContestSpec.parse(contest_spec().blob.replace(b":", b": ", 1))


def test_commitment__any_part_changed__has_another_digest() -> None:
    made = Commitment(contest_id=1, miner=MINER, model=sha256(b"m"), trace=ZERO32, salt=bytes(32))
    others: list[dict[str, Any]] = [
        {"contest_id": 2},
        {"miner": parse_address("0x" + "33" * 20)},
        {"model": sha256(b"n")},
        {"trace": sha256(b"t")},
        {"salt": sha256(b"s")},
    ]
    values = {name: getattr(made, name) for name in ("contest_id", "miner", "model", "trace", "salt")}
    digests = {Commitment(**{**values, **change}).digest(DOMAIN) for change in others}
    assert len(digests) == 5
    assert made.digest(DOMAIN) not in digests


def test_score_certificate__encoded__decodes_to_itself() -> None:
    made = certificate()
    assert ScoreCertificate.decode(made.encode()) == made


@given(st.binary(max_size=32 * 13))
def test_score_certificate__any_bytes__are_refused_or_canonical(data: bytes) -> None:
    try:
        found = ScoreCertificate.decode(data)
    except PeerMisbehaved:
        return
    assert found.encode() == data


def test_score_certificate__scores_of_another__are_refused() -> None:
    data = certificate().encode()
    with pytest.raises(PeerMisbehaved):
        ScoreCertificate.decode(data[:-32] + (5).to_bytes(32, "big"))
    with pytest.raises(PeerMisbehaved):
        ScoreCertificate.decode(data + bytes(32 * MAX_ENTRIES))


@given(st.lists(st.sampled_from([NO_SCORE, *range(12)]), max_size=8), st.integers(1, 11), st.integers(1, 11))
def test_winner__any_scores__is_the_one_of_a_dumb_twin(scores: list[int], target: int, least: int) -> None:
    best = None
    for place, score in enumerate(scores):
        if score == NO_SCORE or score < least:
            continue
        if best is None or score > scores[best]:
            best = place
            if score >= target:
                break
    assert winner_of(scores, max(target, least), least) == best or target < least


@pytest.mark.parametrize(
    ("changes", "same"),
    [
        ({"transactions": sha256(b"another list")}, True),
        ({"instance": 1, "epoch": EpochNo(3), "record": sha256(b"court's")}, True),
        ({"scores": (149, NO_SCORE, NO_SCORE)}, False),
        ({"frauds": 0}, False),
        ({"bad_test_set": True, "scores": (), "frauds": 0}, False),
    ],
)
def test_findings__two_certificates__differ_where_the_contract_says_so(
    changes: dict[str, Any], same: bool
) -> None:
    """As ``ScoreLib.findings``: every panel has its own list of payloads, and a challenge is about scores."""
    assert (certificate(**changes).findings == certificate().findings) is same


@pytest.mark.parametrize(
    ("court", "lied"),
    [
        ({}, False),
        ({"scores": (150, NO_SCORE, 30)}, True),  # a false trace that was none
        ({"scores": (149, NO_SCORE, NO_SCORE)}, True),
        ({"scores": (NO_SCORE, NO_SCORE, NO_SCORE)}, True),
        ({"scores": (), "frauds": 0, "bad_test_set": True}, True),
    ],
)
def test_court__differs__gives_the_lie_except_where_nothing_could_be_read(
    court: dict[str, Any], lied: bool
) -> None:
    assert certificate(**court).gives_the_lie_to(certificate()) is lied


@pytest.mark.parametrize("found", [{"scores": (150, NO_SCORE, 30)}, {"frauds": 0b100}])
def test_court__reads_what_the_committee_could_not__is_no_lie(found: dict[str, Any]) -> None:
    silent = certificate(frauds=0)
    assert silent.unread == 0b100
    court = certificate(**{"frauds": 0, **found})
    assert court.findings != silent.findings
    assert not court.gives_the_lie_to(silent)


def test_seal__right_key__opens_and_another_does_not() -> None:
    key = new_key()
    sealed = seal(b"a test set" * 100, key)
    assert sealed != b"a test set" * 100
    assert unseal(sealed, key) == b"a test set" * 100
    assert unseal(sealed, new_key()) != b"a test set" * 100
    assert key_hash(key) != key_hash(new_key())
    with pytest.raises(ValueError, match="32 bytes"):
        seal(b"", b"short")


def test_score_record__blob__parses_to_itself_alone() -> None:
    made = ScoreRecord(
        contest_id=7,
        spec_hash=sha256(b"spec"),
        test_set=sha256(b"test"),
        key=bytes(32),
        bad_test_set=False,
        entries=(
            EntryResult(miner=MINER, model=sha256(b"m"), trace=ZERO32, standing=Standing.SCORED, correct=150),
        ),
    )
    assert ScoreRecord.parse(made.blob) == made
    for data in (made.blob + b" ", b"{}", made.blob.replace(b"scored", b"winner"), bytes(70_000)):
        with pytest.raises(PeerMisbehaved):
            ScoreRecord.parse(data)
