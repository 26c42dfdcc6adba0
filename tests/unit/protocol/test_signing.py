"""Signatures: the two encodings, and everything that looks like one but is not accepted."""

import hashlib

import pytest
from eth_account import Account
from hypothesis import given, settings
from hypothesis import strategies as st

from protocol.signing import (
    CURVE_ORDER,
    KeySigner,
    SignatureMalformed,
    _keys,
    from_compact,
    is_signed_by,
    is_statement_of,
    recover,
    recover_compact,
    sign,
    to_compact,
)

KEY = hashlib.sha256(b"a key for tests").digest()
DIGEST = hashlib.sha256(b"a message").digest()
SIGNER = KeySigner(KEY)
SIGNATURE = SIGNER.sign(DIGEST)


def test_sign__eth_account__agrees_byte_for_byte() -> None:
    account = Account.from_key(KEY)
    assert SIGNER.address == account.address
    assert bytes(account.unsafe_sign_hash(DIGEST).signature) == SIGNATURE == sign(DIGEST, account)


@settings(max_examples=100, deadline=None)
@given(st.binary(min_size=32, max_size=32))
def test_sign__any_digest__recovers_in_both_forms(digest: bytes) -> None:
    signature = SIGNER.sign(digest)
    assert len(signature) == 65
    assert signature[64] in (27, 28)
    assert recover(digest, signature) == SIGNER.address
    assert from_compact(to_compact(signature)) == signature
    assert recover_compact(digest, to_compact(signature)) == SIGNER.address


def test_recover__v_of_zero_and_one__is_understood() -> None:
    assert recover(DIGEST, SIGNATURE[:64] + bytes((SIGNATURE[64] - 27,))) == SIGNER.address


def high_s_twin(signature: bytes) -> bytes:
    s = CURVE_ORDER - int.from_bytes(signature[32:64], "big")
    return signature[:32] + s.to_bytes(32, "big") + bytes((55 - signature[64],))


@pytest.mark.parametrize(
    ("signature", "rule"),
    [
        (SIGNATURE[:64], "65 are needed"),
        (SIGNATURE + b"\0", "65 are needed"),
        (SIGNATURE[:64] + b"\x1d", "27 or 28"),
        (SIGNATURE[:64] + b"\x02", "27 or 28"),
        (bytes(32) + SIGNATURE[32:], "out of range"),
        (CURVE_ORDER.to_bytes(32, "big") + SIGNATURE[32:], "out of range"),
        (SIGNATURE[:32] + bytes(32) + SIGNATURE[64:], "out of range"),
        (high_s_twin(SIGNATURE), "upper half"),
        ((5).to_bytes(32, "big") + SIGNATURE[32:], "no public key"),
    ],
)
def test_recover__malformed__names_the_rule(signature: bytes, rule: str) -> None:
    with pytest.raises(SignatureMalformed, match=rule):
        recover(DIGEST, signature)
    assert not is_signed_by(DIGEST, signature, SIGNER.address)


def test_recover_compact__wrong_length__is_refused() -> None:
    with pytest.raises(SignatureMalformed, match="64 are needed"):
        recover_compact(DIGEST, SIGNATURE)


def test_is_signed_by__another_signer_or_digest__is_false() -> None:
    assert is_signed_by(DIGEST, SIGNATURE, SIGNER.address)
    assert not is_signed_by(DIGEST, SIGNATURE, KeySigner(DIGEST).address)
    assert not is_signed_by(KEY, SIGNATURE, SIGNER.address)


def test_sign__digest_of_another_length__is_refused() -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        SIGNER.sign(b"short")


def test_key_signer__printed__does_not_show_the_key() -> None:
    assert KEY.hex() not in repr(SIGNER)
    assert SIGNER.address in repr(SIGNER)


def test_is_statement_of__signed_by_it__is_true_whatever_the_v() -> None:
    for v in (0, 1, 27, 28):
        assert is_statement_of(DIGEST, SIGNATURE[:64] + bytes((v,)), SIGNER.address)
    for v in (2, 26, 29, 255):
        assert not is_statement_of(DIGEST, SIGNATURE[:64] + bytes((v,)), SIGNER.address)


@pytest.mark.parametrize(
    "signature",
    [
        b"",
        SIGNATURE[:64],
        SIGNATURE + b"\0",
        bytes(32) + SIGNATURE[32:],
        CURVE_ORDER.to_bytes(32, "big") + SIGNATURE[32:],
        SIGNATURE[:32] + bytes(32) + SIGNATURE[64:],
        high_s_twin(SIGNATURE),
        (5).to_bytes(32, "big") + SIGNATURE[32:],
    ],
)
def test_is_statement_of__no_good_signature__is_false_with_the_key_known_or_not(signature: bytes) -> None:
    _keys.clear()
    assert not is_statement_of(DIGEST, signature, SIGNER.address)
    assert is_statement_of(DIGEST, SIGNATURE, SIGNER.address)
    assert not is_statement_of(DIGEST, signature, SIGNER.address)


def test_is_statement_of__another_signer_or_digest__is_false() -> None:
    assert is_statement_of(DIGEST, SIGNATURE, SIGNER.address)
    assert not is_statement_of(DIGEST, SIGNATURE, KeySigner(DIGEST).address)
    assert not is_statement_of(KEY, SIGNATURE, SIGNER.address)
    assert not is_statement_of(b"short", SIGNATURE, SIGNER.address)


def test_is_statement_of__many_signatures__agrees_with_recovery() -> None:
    for k in range(300):  # some r and s begin with zeros or with a high bit
        digest = hashlib.sha256(b"%d" % k).digest()
        signature = SIGNER.sign(digest)
        assert is_statement_of(digest, signature, SIGNER.address)
        assert recover(digest, signature) == SIGNER.address


def test_is_statement_of__more_accounts_than_are_remembered__goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("protocol.signing._KEY_CACHE", 2)
    for k in range(1, 6):
        signer = KeySigner(bytes((k,)) * 32)
        assert is_statement_of(DIGEST, signer.sign(DIGEST), signer.address)
        assert len(_keys) <= 2
