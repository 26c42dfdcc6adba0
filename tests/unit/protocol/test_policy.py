"""The policy document: one canonical form, one answer per kind of work, an abstention for the rest."""

import json

import pytest

from protocol.blobs import BlobMissing, open_blob_store
from protocol.errors import InvalidInput
from protocol.ids import sha256
from protocol.policy import MAX_POLICY_BYTES, NotCalibrated, Policy, default_policy, load_policy


def test_default_policy__as_shipped__is_canonical_and_covers_every_offered_work() -> None:
    policy = default_policy()
    assert Policy.parse(policy.blob) == policy
    for arch in ("mlp", "cnn", "transformer"):
        for codec in ("float32", "int16", "int8"):
            exact = policy.limits_for(arch=arch, compute="float64", codec=codec, device="cpu")
            assert (exact.hardware_class, exact.doubtful_l2_ppb) == ("exact", 0)
        for codec in ("int16", "int8"):
            loose = policy.limits_for(arch=arch, compute="float32", codec=codec, device="cpu")
            assert loose.hardware_class == "tolerant"
            assert loose.near_l2_ppb <= loose.doubtful_l2_ppb


def test_default_policy__device_that_was_not_measured__is_said_to_be_empty() -> None:
    policy = default_policy()
    assert policy.empty == ("cuda",)
    with pytest.raises(NotCalibrated, match="mlp in float64 as int16 on cuda"):
        policy.limits_for(arch="mlp", compute="float64", codec="int16", device="cuda:1")
    with pytest.raises(NotCalibrated, match="float32 as float32"):
        policy.limits_for(arch="mlp", compute="float32", codec="float32", device="cpu")


def test_load_policy__by_hash__is_shipped_or_comes_from_the_store() -> None:
    blobs = open_blob_store("memory://policies")
    assert load_policy(default_policy().hash, blobs) is default_policy()
    value = {**default_policy().to_value(), "test_ppb": 7}
    own = Policy.parse(json.dumps(value, sort_keys=True, separators=(",", ":")).encode())
    with pytest.raises(BlobMissing):
        load_policy(own.hash, blobs)
    blobs.put(own.blob)
    assert load_policy(own.hash, blobs) == own


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"{", "cannot be used"),
        (b"\xff", "cannot be used"),
        (b"[" * 50_000, "cannot be used"),
        (b" " * (MAX_POLICY_BYTES + 1), "exceeds the limit"),
        (default_policy().blob + b" ", "not in canonical form"),
        (default_policy().blob.replace(b'"version":1', b'"version":2'), "cannot be used"),
        (default_policy().blob.replace(b'"spare_codes":2', b'"spare_codes":-1'), "cannot be used"),
        (default_policy().blob.replace(b'"version":1', b'"version":1,"x":1'), "cannot be used"),
    ],
)
def test_policy__bad_document__is_a_sentence(data: bytes, says: str) -> None:
    with pytest.raises(InvalidInput, match=says):
        Policy.parse(data)


def test_policy__two_limits_for_one_work__is_refused() -> None:
    value = default_policy().to_value()
    value["limits"] = [*value["limits"], value["limits"][0]]
    data = json.dumps(value, sort_keys=True, separators=(",", ":")).encode()
    with pytest.raises(InvalidInput, match="two limits"):
        Policy.parse(data)


def test_policy__any_bit_changed__has_another_hash() -> None:
    assert default_policy().hash == sha256(default_policy().blob)
    assert (
        sha256(default_policy().blob.replace(b'"test_ppb":1000', b'"test_ppb":1001')) != default_policy().hash
    )
