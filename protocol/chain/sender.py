"""The one owner of an account's nonces: signs, sends, waits, bumps both fees, and tells reverts as
sentences."""

import threading
import time
from dataclasses import dataclass
from typing import Any

from eth_account.signers.local import LocalAccount

from protocol.chain.client import ChainClient
from protocol.chain.contract import Call
from protocol.errors import Refused, ServiceUnreachable
from protocol.ids import Address, parse_address

GAS_CAP = 1 << 24  # EIP-7825: no transaction may use more
TIP_WEI = 1_000_000_000
BUMP_NUMERATOR, BUMP_DENOMINATOR = 9, 8  # +12.5 %: the least that every pool accepts as a replacement
MAX_BUMPS = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """A mined, successful transaction."""

    tx_hash: bytes
    block_number: int
    gas_used: int
    logs: list[dict[str, Any]]


class Sender:
    """Sends ``Call`` values from one account. Thread-safe; no other sender may use the account at the same
    time.

    ``bump_after_s`` is how long a transaction may stay unmined before it is replaced at higher fees,
    ``poll_s`` how often the receipt is asked for.
    """

    def __init__(
        self, client: ChainClient, account: LocalAccount, *, bump_after_s: float = 15.0, poll_s: float = 0.02
    ) -> None:
        self._client = client
        self._account = account
        self._bump_after_s = bump_after_s
        self._poll_s = poll_s
        self._lock = threading.Lock()
        self._chain_id: int | None = None

    @property
    def address(self) -> Address:
        return parse_address(self._account.address)

    def estimate(self, call: Call) -> int:
        """The gas ``call`` would use. Raises Refused, decoded, when it would revert."""
        request = {"from": self.address, "to": call.to, "data": "0x" + call.data.hex()}
        return int(self._client.rpc("eth_estimateGas", request), 16)

    def send(self, call: Call) -> Receipt:
        """Send and wait until mined. Raises Refused when it reverts (before or after sending),
        ServiceUnreachable when it is not mined within the bounded number of fee bumps."""
        with self._lock:
            gas = min(self.estimate(call) * 5 // 4 + 10_000, GAS_CAP)
            nonce = int(self._client.rpc("eth_getTransactionCount", self.address, "pending"), 16)
            tip, base = TIP_WEI, self._client.block().base_fee
            hashes: list[bytes] = []
            for _ in range(MAX_BUMPS + 1):
                tx_hash = self._submit(call, gas, nonce, 2 * base + tip, tip)
                if tx_hash is not None:
                    hashes.append(tx_hash)
                receipt = self._wait(hashes)
                if receipt is not None:
                    return self._checked(call, receipt)
                tip = tip * BUMP_NUMERATOR // BUMP_DENOMINATOR + 1
                base = max(base * BUMP_NUMERATOR // BUMP_DENOMINATOR + 1, self._client.block().base_fee)
        raise ServiceUnreachable("the chain", self._client.rpc_url, f"{call.label} was not mined in time")

    def _submit(self, call: Call, gas: int, nonce: int, max_fee: int, tip: int) -> bytes | None:
        if self._chain_id is None:
            self._chain_id = self._client.chain_id()
        fields: dict[str, Any] = {
            "chainId": self._chain_id,
            "to": call.to,
            "data": "0x" + call.data.hex(),
            "value": 0,
            "gas": gas,
            "nonce": nonce,
            "maxFeePerGas": max_fee,
            "maxPriorityFeePerGas": tip,
            "type": 2,
        }
        signed = self._account.sign_transaction(fields)
        try:
            return bytes.fromhex(
                self._client.rpc("eth_sendRawTransaction", "0x" + signed.raw_transaction.hex())[2:]
            )
        except Refused as error:
            # An earlier, cheaper copy may have been mined or still be pooled: its receipt decides.
            if error.reason in ("NonceTooLow", "AlreadyKnown", "Underpriced"):
                return bytes(signed.hash)
            raise

    def _wait(self, hashes: list[bytes]) -> dict[str, Any] | None:
        give_up = time.monotonic() + self._bump_after_s
        while True:
            for tx_hash in hashes:
                receipt = self._client.receipt(tx_hash)
                if receipt is not None:
                    return receipt
            if time.monotonic() > give_up:
                return None
            time.sleep(self._poll_s)

    def _checked(self, call: Call, raw: dict[str, Any]) -> Receipt:
        block = int(raw["blockNumber"], 16)
        if int(raw["status"], 16) != 1:
            # The estimate passed, so the state changed in between; the call at that block names the reason.
            request = {"from": self.address, "to": call.to, "data": "0x" + call.data.hex()}
            self._client.rpc("eth_call", request, hex(block))
            raise Refused(f"{call.label} was mined in block {block} but reverted.", "Reverted")
        return Receipt(
            tx_hash=bytes.fromhex(raw["transactionHash"][2:]),
            block_number=block,
            gas_used=int(raw["gasUsed"], 16),
            logs=raw["logs"],
        )
