"""What members give for the contract, in one way or both, and quorums made of either."""

import hashlib

import pytest

from protocol import bls
from protocol.bls import BlsSecret
from protocol.endorsement import JOINT_BYTES, endorse, is_endorsed_by, joint_part, own_part
from protocol.errors import PeerMisbehaved
from protocol.ids import Address
from protocol.multisig import check_quorum
from protocol.signing import KeySigner, is_signed_by, to_compact

DIGEST = hashlib.sha256(b"certificate").digest()
KEYS = sorted(
    (hashlib.sha256(bytes([i])).digest() for i in range(4)), key=lambda key: KeySigner(key).address.lower()
)
SIGNERS = [KeySigner(key) for key in KEYS]
SECRETS = [BlsSecret.derived_from(key) for key in KEYS]
MEMBERS = [signer.address for signer in SIGNERS]
BOOK = {signer.address: secret.key for signer, secret in zip(SIGNERS, SECRETS, strict=True)}


def both(index: int) -> bytes:
    return endorse(DIGEST, SIGNERS[index], SECRETS[index])


def key_of(account: Address) -> bytes:
    return BOOK.get(account, b"")


def test_endorse__with_and_without_a_secret__begins_with_the_same_signature() -> None:
    alone = endorse(DIGEST, SIGNERS[0], None)
    assert len(both(0)) == JOINT_BYTES
    assert own_part(both(0)) == alone == own_part(alone)
    assert is_signed_by(DIGEST, alone, MEMBERS[0])
    assert is_endorsed_by(DIGEST, alone, MEMBERS[0])
    assert is_endorsed_by(DIGEST, both(0), MEMBERS[0])
    assert not is_endorsed_by(DIGEST, both(0), MEMBERS[1])


@pytest.mark.parametrize("length", [0, 64, 66, 160, 162])
def test_endorsement__other_length__is_none(length: int) -> None:
    assert not is_endorsed_by(DIGEST, (both(0) + bytes(1))[:length], MEMBERS[0])


def test_joint_part__somebody_gave_none_or_garbage__there_is_none() -> None:
    assert joint_part([]) is None
    assert joint_part([both(0), own_part(both(1))]) is None
    assert joint_part([both(0), own_part(both(1)) + b"\xff" * 96]) is None


def test_quorum__sum_of_three__is_theirs() -> None:
    total = joint_part([both(0), both(1), both(3)])
    assert total is not None
    names = check_quorum("certificate", DIGEST, MEMBERS, 0b1011, total, key_of)
    assert names == [MEMBERS[0], MEMBERS[1], MEMBERS[3]]


@pytest.mark.parametrize(
    ("signers", "words"),
    [(0b0111, "not the sum"), (0b1111, "not the sum"), (0b11, "2 signatures"), (0b11011, "beyond")],
)
def test_quorum__sum_under_another_bitmap__is_refused(signers: int, words: str) -> None:
    total = joint_part([both(0), both(1), both(3)])
    assert total is not None
    with pytest.raises(PeerMisbehaved, match=words):
        check_quorum("certificate", DIGEST, MEMBERS, signers, total, key_of)


def test_quorum__sum_without_keys__is_refused() -> None:
    total = bls.aggregate([secret.sign(DIGEST) for secret in SECRETS[:3]])
    with pytest.raises(PeerMisbehaved, match="96 bytes"):
        check_quorum("certificate", DIGEST, MEMBERS, 0b111, total)
    with pytest.raises(PeerMisbehaved, match="not the sum"):
        check_quorum("certificate", DIGEST, MEMBERS, 0b111, total, lambda account: b"")


def test_quorum__signatures__count_with_keys_at_hand_as_well() -> None:
    joined = b"".join(to_compact(own_part(both(index))) for index in range(3))
    assert check_quorum("certificate", DIGEST, MEMBERS, 0b111, joined, key_of) == MEMBERS[:3]
