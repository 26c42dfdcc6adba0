"""Our EIP-712 hashing against eth-account's, which wallets agree with."""

from typing import Any

import pytest
from eth_account.messages import _hash_eip191_message, encode_typed_data
from hypothesis import given
from hypothesis import strategies as st

from protocol.attestation import ATTESTATION_TYPE
from protocol.certificate import CERTIFICATE_TYPE
from protocol.contribution import CONTRIBUTION_TYPE, HEARTBEAT_TYPE
from protocol.evidence import FAULT_TYPE
from protocol.ids import parse_address
from protocol.typed_data import Domain, StructType

TYPES = [CERTIFICATE_TYPE, CONTRIBUTION_TYPE, HEARTBEAT_TYPE, FAULT_TYPE, ATTESTATION_TYPE]


def value_of(kind: str) -> st.SearchStrategy[Any]:
    if kind.startswith("uint"):
        return st.integers(0, 2 ** int(kind[4:]) - 1)
    if kind == "address":
        return st.binary(min_size=20, max_size=20).map(lambda raw: parse_address("0x" + raw.hex()))
    return st.binary(min_size=32, max_size=32) if kind == "bytes32" else st.text(max_size=40)


@pytest.mark.parametrize("struct", TYPES, ids=lambda struct: struct.name)
@given(data=st.data(), chain_id=st.integers(1, 2**64))
def test_digest__any_values__equals_the_wallet_library(struct: StructType, data: Any, chain_id: int) -> None:
    market = parse_address("0x" + "5a" * 20)
    values = {name: data.draw(value_of(kind)) for name, kind in struct.fields}
    reference = encode_typed_data(
        domain_data={
            "name": "ProofOfTraining",
            "version": "1",
            "chainId": chain_id,
            "verifyingContract": market,
        },
        message_types={struct.name: [{"name": name, "type": kind} for name, kind in struct.fields]},
        message_data=values,
    )
    digest = Domain(chain_id=chain_id, market=market).digest(struct, values)
    assert bytes(digest) == _hash_eip191_message(reference)


@pytest.mark.parametrize(
    ("kind", "value"), [("uint32", 1 << 32), ("uint32", -1), ("bytes32", b"x"), ("int8", 1)]
)
def test_words__value_does_not_fit__raises(kind: str, value: Any) -> None:
    with pytest.raises(ValueError):
        StructType(name="T", fields=(("a", kind),)).words({"a": value})
