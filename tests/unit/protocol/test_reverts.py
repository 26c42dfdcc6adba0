"""A contract's no reaches the reader as a sentence, whatever the revert data is."""

import re
from string import Formatter
from typing import Any

import pytest
from eth_abi.abi import encode
from eth_hash.auto import keccak

from protocol.chain.abi import CONTRACTS, load_abi
from protocol.chain.reverts import SENTENCES, decode_revert, refusal

ERRORS: dict[str, list[dict[str, Any]]] = {
    item["name"]: item["inputs"] for name in CONTRACTS for item in load_abi(name) if item["type"] == "error"
}
SAMPLES = {"address": "0x" + "11" * 20, "bytes32": b"\x22" * 32, "string": "rounds"}


def revert_of(name: str) -> bytes:
    kinds = [argument["type"] for argument in ERRORS[name]]
    values = [SAMPLES.get(kind, 3) for kind in kinds]
    return keccak(f"{name}({','.join(kinds)})".encode())[:4] + encode(kinds, values)


@pytest.mark.parametrize("name", sorted(SENTENCES))
def test_sentences__every_one__names_only_arguments_its_error_has(name: str) -> None:
    fields = {field for _, field, _, _ in Formatter().parse(SENTENCES[name]) if field}
    assert fields <= {argument["name"] for argument in ERRORS[name]}


@pytest.mark.parametrize("name", sorted(ERRORS))
def test_decode__every_custom_error__is_one_sentence_without_hex(name: str) -> None:
    refused = decode_revert(revert_of(name))
    assert refused.reason == name
    text = str(refused)
    assert text.endswith(".")
    if name in SENTENCES:
        assert not re.search(r"0x(?!1{40})", text)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("InsufficientStake", "stake of 3"),
        ("TaskNotEnded", "closed"),
        ("TaskStarted", "1970-01-01 00:00:03 UTC"),
        ("QuorumMissing", "3 signatures"),
        ("StillUnbonding", "withdrawn"),
    ],
)
def test_decode__common_refusals__say_what_to_know(name: str, words: str) -> None:
    assert words in str(decode_revert(revert_of(name)))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x01",
        b"\x01\x02\x03\x04",
        keccak(b"QuorumMissing(uint256,uint256)")[:4],
        keccak(b"TaskStarted(uint256,uint256)")[:4] + b"\xff" * 64,
        bytes.fromhex("08c379a0") + b"\xff" * 64,
        bytes.fromhex("08c379a0") + encode(["bytes"], [b"\xff\xfe"]),
        bytes.fromhex("4e487b71") + encode(["uint256"], [0x11]),
    ],
)
def test_decode__malformed_or_foreign_data__is_still_a_refusal(data: bytes) -> None:
    assert (
        "efused" in str(decode_revert(data))
        or "panicked" in str(decode_revert(data))
        or "task" in str(decode_revert(data)).lower()
    )


@pytest.mark.parametrize("data", [None, 7, {}, {"data": 7}, "0x", "0xzz00000000", "not hex at all", []])
def test_refusal__whatever_the_node_puts_into_data__is_a_refusal(data: Any) -> None:
    assert "reason" in str(refusal({"message": "the reason", "data": data}))
