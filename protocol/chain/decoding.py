"""Calldata and logs of any transaction in words, by the committed ABIs. What they do not know stays hex."""

from dataclasses import dataclass
from functools import cache
from typing import Any

from eth_abi.abi import decode
from eth_abi.exceptions import DecodingError
from eth_hash.auto import keccak
from eth_utils.address import to_checksum_address

from protocol.chain.abi import CONTRACTS, load_abi
from protocol.chain.deployment import Deployment

MAX_SHOWN_ITEMS = 64
MAX_SHOWN_CHARS = 512


@dataclass(frozen=True, slots=True, kw_only=True)
class Argument:
    """One named value as text; a tuple or list shows its parts."""

    name: str
    kind: str
    value: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Decoded:
    """A call or an event: of which contract (empty: not ours), which, with what."""

    contract: str
    name: str
    arguments: tuple[Argument, ...]


def contract_name(deployment: Deployment, address: str) -> str:
    """Which of the deployment's contracts is at ``address``; empty for none of them."""
    known = {
        deployment.market: "TrainingMarket",
        deployment.vault: "StakeVault",
        deployment.committee: "Committee",
        deployment.appeals: "Appeals",
        deployment.contest: "LearningContest",
        deployment.canaries: "Canaries",
        deployment.token: "DevToken",
    }
    return next((name for at, name in known.items() if at.lower() == address.lower()), "")


def decode_call(deployment: Deployment, to: str | None, data: bytes) -> Decoded | None:
    """The function that a transaction calls; None when no ABI of ours has it or it is malformed."""
    item = _functions().get(data[:4])
    if to is None or item is None:
        return None
    values = _values(item["inputs"], data[4:])
    if values is None:
        return None
    return Decoded(contract=contract_name(deployment, to), name=item["name"], arguments=values)


def decode_log(deployment: Deployment, address: str, topics: list[bytes], data: bytes) -> Decoded | None:
    """An event; None when no ABI of ours has it or it is malformed."""
    item = _events().get(topics[0]) if topics else None
    if item is None:
        return None
    indexed = [entry for entry in item["inputs"] if entry["indexed"]]
    plain = _values([entry for entry in item["inputs"] if not entry["indexed"]], data)
    if plain is None or len(indexed) != len(topics) - 1:
        return None
    named = {argument.name: argument for argument in plain}
    for entry, topic in zip(indexed, topics[1:], strict=True):
        found = _values([entry], topic)
        if found is None:
            return None
        named[entry["name"]] = found[0]
    ordered = tuple(named[entry["name"]] for entry in item["inputs"])
    return Decoded(contract=contract_name(deployment, address), name=item["name"], arguments=ordered)


def _values(inputs: list[dict[str, Any]], data: bytes) -> tuple[Argument, ...] | None:
    try:
        values = decode([_kind(entry) for entry in inputs], data, strict=False)
    except (DecodingError, OverflowError, ValueError):
        return None
    return tuple(
        Argument(name=entry["name"], kind=_kind(entry), value=_shown(entry, value)[:MAX_SHOWN_CHARS])
        for entry, value in zip(inputs, values, strict=True)
    )


def _shown(entry: dict[str, Any], value: Any) -> str:
    if isinstance(value, bytes):
        return "0x" + value.hex()
    if entry["type"] == "address":
        return to_checksum_address(value)
    if isinstance(value, tuple) and entry["type"] == "tuple":
        parts = zip(entry["components"], value, strict=True)
        return ", ".join(f"{part['name']} = {_shown(part, item)}" for part, item in parts)
    if isinstance(value, list | tuple):
        inner = {**entry, "type": entry["type"].rpartition("[")[0]}
        shown = [_shown(inner, item) for item in value[:MAX_SHOWN_ITEMS]]
        more = [f"and {len(value) - MAX_SHOWN_ITEMS} more"] if len(value) > MAX_SHOWN_ITEMS else []
        return "[" + ", ".join([*shown, *more]) + "]"
    return str(value)


def _kind(entry: dict[str, Any]) -> str:
    """The canonical type; a tuple's is its parts'."""
    kind = str(entry["type"])
    if not kind.startswith("tuple"):
        return kind
    return f"({','.join(map(_kind, entry['components']))}){kind.removeprefix('tuple')}"


def _digest(item: dict[str, Any]) -> bytes:
    return bytes(keccak(f"{item['name']}({','.join(map(_kind, item['inputs']))})".encode()))


@cache
def _functions() -> dict[bytes, dict[str, Any]]:
    every = [item for name in CONTRACTS for item in load_abi(name) if item["type"] == "function"]
    return {_digest(item)[:4]: item for item in every}


@cache
def _events() -> dict[bytes, dict[str, Any]]:
    every = [item for name in CONTRACTS for item in load_abi(name) if item["type"] == "event"]
    return {_digest(item): item for item in every}
