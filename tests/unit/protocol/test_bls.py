"""BLS signatures: against the vectors that forge reads too, against another library, and against cheats."""

import hashlib
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from py_ecc.bls.ciphersuites import G2Basic
from py_ecc.bls.hash_to_curve import hash_to_G1
from py_ecc.optimized_bls12_381.optimized_curve import multiply, normalize

from protocol import bls
from tests.vectors import generate_bls

VECTORS: dict[str, Any] = json.loads(generate_bls.FILE.read_text())
DIGEST = hashlib.sha256(b"digest").digest()
MODULUS = 0x1A0111EA397FE69A4B1BA7B6434BACD764774B84F38512BF6730D2A0F6B0F6241EABFFFEB153FFFFB9FEFFFFFFFFAAAB
# x = 0, y = 2 lies on the curve y^2 = x^3 + 4, in a subgroup of order 3.
OUTSIDE_SUBGROUP = bytes(48) + (2).to_bytes(48, "big")


def secrets(count: int) -> list[bls.BlsSecret]:
    return [bls.BlsSecret.derived_from(hashlib.sha256(bytes([i])).digest()) for i in range(count)]


def raw(text: str) -> bytes:
    return bytes.fromhex(text.removeprefix("0x"))


def test_vectors__regenerated__are_the_committed_bytes() -> None:
    assert json.loads(json.dumps(generate_bls.document())) == VECTORS


@pytest.mark.parametrize("vector", VECTORS["rfc9380"]["vectors"], ids=lambda vector: vector["message"][:12])
def test_hash__vectors_of_rfc_9380__agree(vector: dict[str, str]) -> None:
    from py_arkworks_bls12381 import G1Point

    point = G1Point.hash_to_curve(raw(vector["message"]), raw(VECTORS["rfc9380"]["dst"]))
    assert point.to_xy_bytes_be() == raw(vector["point"])


def test_generate_secret__vector_of_eip_2333__agrees() -> None:
    seed = (
        "c55257c360c07c72029aebc1b53c05ed0362ada38ead3e3e9efa3708e53495531f09a6987599d18264c1e1c92f2cf141"
        "630c7a3c4ab7c81b2f001698e7463b04"
    )
    master = 6083874454709270928345386274498605044986640685124978867557563392430687146096
    assert bls.generate_secret(bytes.fromhex(seed), b"") == master


@given(st.binary(min_size=32, max_size=64), st.binary(max_size=40))
@settings(max_examples=25, deadline=None)
def test_generate_secret__anything__is_what_another_library_makes(material: bytes, info: bytes) -> None:
    assert bls.generate_secret(material, info) == G2Basic.KeyGen(material, info)


def test_sign__digest__is_what_another_library_signs() -> None:
    secret = bls.generate_secret(bytes(range(32)), b"")
    point = normalize(multiply(hash_to_G1(DIGEST, bls.SIGNATURE_TAG, hashlib.sha256), secret))  # type: ignore[arg-type]
    expected = b"".join(int(value.n).to_bytes(48, "big") for value in point[:2])
    assert bls.BlsSecret(secret).sign(DIGEST) == expected


def test_aggregate__many_signers__is_signed_by_exactly_those() -> None:
    all_secrets = secrets(6)
    keys = [secret.key for secret in all_secrets]
    signature = bls.aggregate([secret.sign(DIGEST) for secret in all_secrets[:4]])
    assert bls.is_signed_by(DIGEST, signature, keys[:4])
    assert not bls.is_signed_by(DIGEST, signature, keys[:5])
    assert not bls.is_signed_by(DIGEST, signature, keys[:3])
    assert not bls.is_signed_by(hashlib.sha256(b"other").digest(), signature, keys[:4])
    assert not bls.is_signed_by(DIGEST, signature, [])


def test_rogue_key__difference_of_keys__signs_for_others_but_cannot_be_proven() -> None:
    """Why possession is proven: the key ``mine - theirs`` makes my signature count for both."""
    from py_arkworks_bls12381 import G2Point

    mine, theirs = secrets(2)
    rogue = (G2Point.from_xy_bytes_be(mine.key) - G2Point.from_xy_bytes_be(theirs.key)).to_xy_bytes_be()
    assert bls.is_signed_by(DIGEST, mine.sign(DIGEST), [theirs.key, rogue])
    assert not bls.is_possessed(rogue, DIGEST, mine.prove(DIGEST))


def test_possession__signature_over_the_same_digest__is_no_proof() -> None:
    secret = secrets(1)[0]
    assert bls.is_possessed(secret.key, DIGEST, secret.prove(DIGEST))
    assert not bls.is_possessed(secret.key, DIGEST, secret.sign(DIGEST))
    assert not bls.is_signed_by(DIGEST, secret.prove(DIGEST), [secret.key])


@pytest.mark.parametrize(
    "signature",
    [
        b"",
        bytes(95),
        bytes(96),
        bytes(95) + b"\x01",
        OUTSIDE_SUBGROUP,
        MODULUS.to_bytes(48, "big") + (2).to_bytes(48, "big"),
        b"\xff" * 96,
    ],
    ids=["empty", "short", "infinity", "off the curve", "other subgroup", "not reduced", "flags"],
)
def test_signature__no_point_of_the_group__is_refused(signature: bytes) -> None:
    secret = secrets(1)[0]
    assert not bls.is_signed_by(DIGEST, signature, [secret.key])
    with pytest.raises(bls.PointMalformed):
        bls.aggregate([secret.sign(DIGEST), signature])


@pytest.mark.parametrize(
    "key",
    [b"", bytes(191), bytes(192), bytes(191) + b"\x01", b"\xff" * 192],
    ids=["empty", "short", "infinity", "off the curve", "not reduced"],
)
def test_key__no_point_of_the_group__signs_nothing(key: bytes) -> None:
    assert not bls.is_signed_by(DIGEST, secrets(1)[0].sign(DIGEST), [key])
    assert not bls.is_possessed(key, DIGEST, bytes(96))


def test_secret__out_of_range_or_shown__is_refused_or_hidden() -> None:
    for secret in (0, bls.ORDER):
        with pytest.raises(ValueError, match="between"):
            bls.BlsSecret(secret)
    with pytest.raises(ValueError, match="32 bytes"):
        bls.BlsSecret(5).sign(b"short")
    with pytest.raises(ValueError, match="at least 32"):
        bls.generate_secret(bytes(31), b"")
    with pytest.raises(ValueError, match="none"):
        bls.aggregate([])
    assert "5" not in repr(bls.BlsSecret(5)).split("key=")[0]
