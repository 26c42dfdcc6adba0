"""The other half of the test wallet: a real key that signs and sends, and an owner who may say no."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from eth_account.signers.local import LocalAccount

from protocol.chain.client import ChainClient
from protocol.errors import Refused

SCRIPT: Final = (Path(__file__).parent / "wallet.js").read_text()
REJECTED: Final = {"code": 4001, "message": "User rejected the request."}
ASKS_ITS_OWNER: Final = ("eth_requestAccounts", "eth_sendTransaction", "eth_signTypedData_v4")


@dataclass(slots=True, kw_only=True)
class Wallet:
    """Behaves as wallets do: tells no account before consent, can be on another chain, is rejected by its
    owner, or waits for them. ``asked`` lists the methods that it was asked for."""

    account: LocalAccount
    chain: ChainClient
    chain_id: int
    known_chains: set[int] = field(default_factory=set)
    consented: bool = False
    rejects: int = 0
    holding: bool = False
    signs_typed_data: bool = True
    held: dict[int, tuple[str, list[Any]]] = field(default_factory=dict)
    answers: dict[int, dict[str, Any]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    last: dict[str, Any] = field(default_factory=dict)

    def __call__(self, method: str, params: list[Any]) -> dict[str, Any]:
        """One request of the page."""
        if method == "test_poll":
            return self.answers.pop(params[0], {"held": params[0]})
        self.asked.append(method)
        if method == "eth_sendTransaction" and self.holding:
            number = len(self.held) + 1
            self.held[number] = (method, params)
            return {"held": number}
        return self._answer(method, params)

    def release(self) -> None:
        """The owner confirms everything that waits."""
        self.holding = False
        for number, (method, params) in self.held.items():
            self.answers[number] = self._answer(method, params)
        self.held.clear()

    def _answer(self, method: str, params: list[Any]) -> dict[str, Any]:
        if method in ASKS_ITS_OWNER and self.rejects > 0:
            self.rejects -= 1
            return {"error": REJECTED}
        try:
            return self._do(method, params)
        except Refused as refused:
            return {"error": {"code": -32603, "message": str(refused)}}

    def _do(self, method: str, params: list[Any]) -> dict[str, Any]:
        match method:
            case "eth_accounts":
                return {"result": [self.account.address] if self.consented else []}
            case "eth_requestAccounts":
                self.consented = True
                return {"result": [self.account.address]}
            case "eth_chainId":
                return {"result": hex(self.chain_id)}
            case "wallet_switchEthereumChain" | "wallet_addEthereumChain":
                return self._switch(method, int(params[0]["chainId"], 16))
            case "eth_signTypedData_v4" if self.signs_typed_data:
                return {"result": self._sign(params)}
            case "eth_sendTransaction":
                return {"result": self._send(params[0])}
            case "eth_getTransactionReceipt" | "eth_call":
                return {"result": self.chain.rpc(method, *params)}
            case _:
                return {"error": {"code": -32601, "message": f"{method} is not supported"}}

    def send_again(self, **changes: Any) -> str:
        """The owner replaces what was sent last: the same nonce at a higher fee, with ``changes``."""
        price = self.chain.quantity("eth_gasPrice")
        fees = {"maxFeePerGas": 9 * price, "maxPriorityFeePerGas": 9 * price}
        return self._submit({**self.last, **fees, **changes})

    def _switch(self, method: str, wanted: int) -> dict[str, Any]:
        if method == "wallet_addEthereumChain":
            self.known_chains.add(wanted)
        if wanted not in self.known_chains:
            return {"error": {"code": 4902, "message": f"Unrecognized chain ID {wanted:#x}."}}
        self.chain_id = wanted
        return {"result": None, "emit": [["chainChanged", hex(wanted)]]}

    def _sign(self, params: list[Any]) -> str:
        assert params[0].lower() == self.account.address.lower()
        signed = self.account.sign_typed_data(full_message=json.loads(params[1]))
        return "0x" + signed.signature.hex().removeprefix("0x")

    def _send(self, request: dict[str, str]) -> str:
        chain, sender = self.chain, self.account.address
        price = chain.quantity("eth_gasPrice")
        transaction: dict[str, Any] = {
            "type": 2,
            "chainId": self.chain_id,
            "nonce": chain.quantity("eth_getTransactionCount", sender, "pending"),
            "to": request["to"],
            "data": request["data"],
            "value": int(request.get("value", "0x0"), 16),
            "gas": int(request["gas"], 16),
            "maxFeePerGas": 3 * price,
            "maxPriorityFeePerGas": price,
        }
        return self._submit(transaction)

    def _submit(self, transaction: dict[str, Any]) -> str:
        self.last = transaction
        chain, signed = self.chain, self.account.sign_transaction(transaction)
        raw = "0x" + bytes(signed.raw_transaction).hex()
        return str(chain.rpc("eth_sendRawTransaction", raw))
