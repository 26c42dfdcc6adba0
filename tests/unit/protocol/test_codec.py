"""Our codec of contract functions against web3's own encoder and decoder."""

from typing import Any

import pytest
from eth_abi.abi import encode
from eth_utils.abi import get_abi_output_types
from web3 import Web3
from web3.providers import BaseProvider

from protocol.chain.abi import CONTRACTS, load_abi
from protocol.chain.codec import function_codec
from protocol.errors import InvalidInput

ADDRESS = "0x5B38Da6a701c568545dCfcB03FcB875f56beddC4"
FUNCTIONS = [
    (contract, item) for contract in CONTRACTS for item in load_abi(contract) if item["type"] == "function"
]


def sample(kind: str, components: list[dict[str, Any]] | None = None) -> Any:
    if kind.endswith("]"):
        inner = kind[: kind.rindex("[")]
        size = kind[kind.rindex("[") + 1 : -1]
        return [sample(inner, components) for _ in range(int(size or 2))]
    if kind == "tuple":
        return tuple(sample(field["type"], field.get("components")) for field in components or ())
    if kind.startswith("bytes"):
        return b"\x07" * int(kind[5:] or 40)
    return {"address": ADDRESS, "bool": True, "string": "word"}.get(kind, 3)


@pytest.mark.parametrize(
    ("contract", "item"), FUNCTIONS, ids=lambda value: value if isinstance(value, str) else value["name"]
)
def test_calldata__of_every_function__is_what_web3_encodes(contract: str, item: Any) -> None:
    arguments = [sample(each["type"], each.get("components")) for each in item["inputs"]]
    theirs = Web3(BaseProvider()).eth.contract(
        address=Web3.to_checksum_address(ADDRESS), abi=load_abi(contract)
    )
    ours = function_codec(contract, item["name"]).calldata(tuple(arguments))
    assert ours.hex() == theirs.encode_abi(item["name"], arguments)[2:]


@pytest.mark.parametrize(
    ("contract", "item"), FUNCTIONS, ids=lambda value: value if isinstance(value, str) else value["name"]
)
def test_result__of_every_function__comes_back_by_name(contract: str, item: Any) -> None:
    values = [sample(each["type"], each.get("components")) for each in item["outputs"]]
    found = function_codec(contract, item["name"]).result(encode(get_abi_output_types(item), values))
    expected = values[0] if len(values) == 1 else tuple(values)
    assert found == expected
    if len(values) == 1 and item["outputs"][0]["type"] == "tuple":
        assert found._fields == tuple(field["name"] for field in item["outputs"][0]["components"])


@pytest.mark.parametrize(
    "data", [b"", b"\x01", bytes(31), b"\xff" * 64], ids=["none", "one", "short", "huge"]
)
def test_result__of_what_is_none__is_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match="no result of this function"):
        function_codec("Committee", "pool").result(data)


def test_codec__of_an_unknown_function__is_none() -> None:
    with pytest.raises(KeyError, match=r"StakeVault\.steal"):
        function_codec("StakeVault", "steal")


@pytest.mark.parametrize(
    ("contract", "function", "arguments"),
    [
        ("LearningContest", "contest", (2**256,)),
        ("LearningContest", "contest", (-1,)),
        ("StakeVault", "stakeOf", ("0x12",)),
        ("TrainingMarket", "slashed", (1, b"short")),
        ("Committee", "pool", (1,)),
    ],
)
def test_calldata__of_what_no_contract_takes__is_bad_input(
    contract: str, function: str, arguments: tuple[Any, ...]
) -> None:
    with pytest.raises(InvalidInput, match="No contract takes"):
        function_codec(contract, function).calldata(arguments)
