"""What a contract said no with: custom errors decoded from the ABIs into sentences, never shown as hex."""

from functools import cache
from typing import Any

from eth_abi.abi import decode
from eth_abi.exceptions import DecodingError
from eth_hash.auto import keccak

from protocol.chain.abi import CONTRACTS, load_abi
from protocol.errors import Refused

_ERROR_STRING = bytes.fromhex("08c379a0")
_PANIC = bytes.fromhex("4e487b71")


@cache
def _custom_errors() -> dict[bytes, tuple[str, list[tuple[str, str]]]]:
    """selector -> (name, [(argument, type)])."""
    table: dict[bytes, tuple[str, list[tuple[str, str]]]] = {}
    for contract in CONTRACTS:
        for item in load_abi(contract):
            if item["type"] == "error":
                arguments = [(argument["name"], argument["type"]) for argument in item["inputs"]]
                signature = f"{item['name']}({','.join(kind for _, kind in arguments)})"
                table[keccak(signature.encode())[:4]] = (item["name"], arguments)
    return table


def refusal(error: dict[str, Any]) -> Refused:
    """The typed error for a JSON-RPC error object; revert data is decoded when there is any."""
    message = str(error.get("message", "no reason given"))
    data = _revert_data(error.get("data"))
    if data is None:
        return Refused(f"The chain refused: {message}.", _node_reason(message))
    return decode_revert(data)


def decode_revert(data: bytes) -> Refused:
    """``data`` as returned by a reverted call: a custom error, ``Error(string)``, a panic, or nothing."""
    selector, body = data[:4], data[4:]
    try:
        if selector == _ERROR_STRING:
            return Refused(f"The contract refused: {decode(['string'], body)[0]}.", "Error")
        if selector == _PANIC:
            return Refused(f"The contract panicked with code {decode(['uint256'], body)[0]:#x}.", "Panic")
        if selector in _custom_errors():
            name, arguments = _custom_errors()[selector]
            values = decode([kind for _, kind in arguments], body)
            named = {key: value for (key, _), value in zip(arguments, values, strict=True)}
            return Refused(_sentence(name, named), name)
    except DecodingError:
        return Refused(f"The contract refused with malformed revert data 0x{data.hex()[:80]}.")
    return Refused(f"The contract refused without a known reason (0x{data.hex()[:80]}).")


def _revert_data(data: Any) -> bytes | None:
    if isinstance(data, dict):
        data = data.get("data")
    if isinstance(data, str) and data.startswith("0x") and len(data) >= 10:
        return bytes.fromhex(data[2:])
    return None


def _node_reason(message: str) -> str:
    lowered = message.lower()
    for fragment, reason in (
        ("nonce too low", "NonceTooLow"),
        ("already known", "AlreadyKnown"),
        ("already imported", "AlreadyKnown"),
        ("underpriced", "Underpriced"),
        ("insufficient funds", "InsufficientFunds"),
    ):
        if fragment in lowered:
            return reason
    return "Node"


def _show(value: Any) -> str:
    return "0x" + value.hex() if isinstance(value, bytes) else str(value)


def _sentence(name: str, values: dict[str, Any]) -> str:
    shown = {key: _show(value) for key, value in values.items()}
    template = SENTENCES.get(name)
    if template is not None:
        try:
            return template.format(**shown)
        except (KeyError, IndexError):
            pass
    detail = ", ".join(f"{key} = {value}" for key, value in shown.items())
    words = "".join(f" {letter.lower()}" if letter.isupper() else letter for letter in name).strip()
    return f"The contract refused: {words}" + (f" ({detail})." if detail else ".")


SENTENCES = {
    "ERC20InsufficientBalance": "{sender} holds {balance} token units, {needed} are needed.",
    "ERC20InsufficientAllowance": "{spender} may move {allowance} token units, {needed} are needed: "
    "approve or permit first.",
    "ERC2612ExpiredSignature": "The permit expired at {deadline}: sign a new one.",
    "ERC2612InvalidSigner": "The permit was signed by {signer}, not by the owner {owner}.",
}
