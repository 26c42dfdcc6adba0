"""A verdict is what a quorum of its court signed, and nothing else."""

from typing import Any

import pytest
from eth_account import Account

from protocol.errors import PeerMisbehaved
from protocol.ids import TaskId, parse_address, sha256
from protocol.signing import sign, to_compact
from protocol.typed_data import Domain
from protocol.verdict import ENCODED_BYTES, SignedVerdict, Verdict

DOMAIN = Domain(chain_id=31337, market=parse_address("0x" + "11" * 20))
KEYS = sorted((Account.from_key(sha256(bytes([i]))) for i in range(4)), key=lambda key: int(key.address, 16))
COURT = tuple(parse_address(key.address) for key in KEYS)
VERDICT = Verdict(task_id=TaskId(7), certificate_index=3, dispute=2, upheld=0b101)


def signed(verdict: Verdict = VERDICT, places: tuple[int, ...] = (0, 1, 3)) -> SignedVerdict:
    digest = verdict.digest(DOMAIN)
    return SignedVerdict(
        verdict=verdict,
        signers=sum(1 << place for place in places),
        signatures=b"".join(to_compact(sign(digest, KEYS[place])) for place in places),
    )


def test_verdict__encoded__comes_back_the_same() -> None:
    assert len(VERDICT.encode()) == ENCODED_BYTES
    assert Verdict.decode(VERDICT.encode()) == VERDICT
    assert [case for case in range(4) if VERDICT.is_upheld(case)] == [0, 2]


@pytest.mark.parametrize(
    "data", [b"", VERDICT.encode()[:-1], VERDICT.encode() + b"\0", b"\xff" * ENCODED_BYTES]
)
def test_verdict__other_bytes__are_refused(data: bytes) -> None:
    with pytest.raises(PeerMisbehaved):
        Verdict.decode(data)


def test_signed_verdict__quorum_of_the_court__names_its_signers() -> None:
    assert signed().verify(DOMAIN, COURT) == [COURT[0], COURT[1], COURT[3]]


@pytest.mark.parametrize(
    "change",
    [
        {"task_id": TaskId(8)},
        {"certificate_index": 2},
        {"dispute": 1},
        {"upheld": 0b100},
    ],
)
def test_signed_verdict__any_field_changed__is_refused(change: dict[str, Any]) -> None:
    fields = {name: getattr(VERDICT, name) for name in ("task_id", "certificate_index", "dispute", "upheld")}
    other = Verdict(**{**fields, **change})
    forged = SignedVerdict(verdict=other, signers=signed().signers, signatures=signed().signatures)
    with pytest.raises(PeerMisbehaved):
        forged.verify(DOMAIN, COURT)


def test_signed_verdict__too_few_or_strangers__is_refused() -> None:
    with pytest.raises(PeerMisbehaved, match="2 signatures, 3 are needed"):
        signed(places=(0, 1)).verify(DOMAIN, COURT)
    stranger = SignedVerdict(verdict=VERDICT, signers=0b10111, signatures=signed().signatures)
    with pytest.raises(PeerMisbehaved, match="beyond the 4"):
        stranger.verify(DOMAIN, COURT)
    with pytest.raises(PeerMisbehaved, match="bytes of signatures"):
        SignedVerdict(verdict=VERDICT, signers=0b1011, signatures=b"").verify(DOMAIN, COURT)
