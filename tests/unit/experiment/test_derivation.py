"""The shipped policy follows from the published measurement, byte for byte."""

import json

import pytest

from anvil.toolchain import PROJECT_ROOT
from pot.experiment.derivation import MAX_RECORD_BYTES, policy_of
from protocol.canonical import canonical_json
from protocol.errors import InvalidInput
from protocol.ids import sha256
from protocol.policy import default_policy

RECORD = (PROJECT_ROOT / "benchmarks" / "records" / "verification-cpu.json").read_bytes()


def test_shipped_policy__derived_again__is_the_same_document() -> None:
    assert policy_of(RECORD).blob == default_policy().blob
    assert default_policy().measurement == sha256(RECORD).hex()


def test_policy__from_a_record_with_less_noise__is_another_one() -> None:
    value = json.loads(RECORD)
    for cell in value["cells"]:
        cell["max_scattered_ppm"] = 0
    quiet = policy_of(canonical_json(value))
    assert quiet.hash != default_policy().hash
    assert {item.codes_ppm for item in quiet.limits} == {0}


@pytest.mark.parametrize(
    "data", [b"", b"[]", b"{}", b'{"cells":[{}],"empty":[]}', b"\xff", b" " * (MAX_RECORD_BYTES + 1)]
)
def test_policy__from_no_record__is_a_sentence(data: bytes) -> None:
    with pytest.raises(InvalidInput):
        policy_of(data)
