"""Certificates: encoding, quorum, bitmap, signatures."""

from contextlib import suppress
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.certificate import RoundCertificate, SignedCertificate
from protocol.errors import PeerMisbehaved
from protocol.signing import sign, to_compact
from protocol.typed_data import Domain
from tests.unit.protocol.builders import DOMAIN, account, ledger, members, round_record


def certificate() -> RoundCertificate:
    state = ledger()
    return state.extend((round_record(state, 1, state.model, {0: 1, 1: 2}),)).certificate(DOMAIN, state.epoch)


def signed(indexes: list[int], domain: Domain = DOMAIN) -> SignedCertificate:
    keys = sorted((account(100 + i) for i in range(4)), key=lambda key: int(key.address, 16))
    made = certificate()
    return SignedCertificate(
        certificate=made,
        signers=sum(1 << index for index in indexes),
        signatures=b"".join(to_compact(sign(made.digest(domain), keys[index])) for index in indexes),
    )


def test_decode__encoded__is_the_same() -> None:
    assert RoundCertificate.decode(certificate().encode()) == certificate()


@given(st.binary(max_size=500))
def test_decode__any_bytes__raises_only_the_declared_error(data: bytes) -> None:
    with suppress(PeerMisbehaved):
        RoundCertificate.decode(data)


def test_verify__quorum__names_the_signers() -> None:
    names = members()
    assert signed([0, 2, 3]).verify(DOMAIN, names) == [names[0], names[2], names[3]]


@pytest.mark.parametrize(
    "bad",
    [
        signed([0, 1]),
        replace(signed([0, 1, 2]), signers=0b1011),
        replace(signed([0, 1, 2]), signers=0b10111),
        replace(signed([0, 1, 2]), signatures=signed([0, 1, 2]).signatures[:-1]),
        replace(signed([0, 1, 2]), signatures=signed([0]).signatures * 3),
        signed([0, 1, 2], Domain(chain_id=1, market=DOMAIN.market)),
    ],
    ids=["two signatures", "foreign signer", "bit beyond", "short", "repeated", "another chain"],
)
def test_verify__not_a_quorum_of_this_committee__is_refused(bad: SignedCertificate) -> None:
    with pytest.raises(PeerMisbehaved):
        bad.verify(DOMAIN, members())
