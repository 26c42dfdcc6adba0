"""The one owner of an account's nonces: signs, sends, waits, bumps both fees, and tells reverts as
sentences."""

import logging
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

from eth_account.datastructures import SignedTransaction
from eth_account.signers.local import LocalAccount

from protocol.chain.client import ChainClient
from protocol.chain.contract import Call
from protocol.errors import Refused, ServiceUnreachable
from protocol.ids import Address, parse_address

log = logging.getLogger(__name__)

GAS_CAP = 1 << 24  # EIP-7825: no transaction may use more
TIP_WEI = 1_000_000_000
BUMP_NUMERATOR, BUMP_DENOMINATOR = 9, 8  # +12.5 %: the least that every pool accepts as a replacement
MAX_BUMPS = 8
RECEIPT_LAG_S: Final = 2.0
"""How long after a nonce is used up the receipt of what used it may still be on its way."""


def estimate_gas(client: ChainClient, call: dict[str, Any]) -> int:
    """Gas of ``call`` in the block to come: on a quiet chain the newest one may be hours old, and what is due
    by the clock is not due in it. In the newest one where the node makes no block to come. Raises Refused,
    decoded, when the call would revert; ServiceUnreachable."""
    try:
        return client.quantity("eth_estimateGas", call, "pending")
    except Refused as error:
        if "pending" not in str(error):
            raise
        return client.quantity("eth_estimateGas", call)


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """A mined, successful transaction."""

    tx_hash: bytes
    block_number: int
    gas_used: int
    logs: list[dict[str, Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Fees:
    """Wei per gas: the tip, and the base fee that the offer is made for (twice it is offered)."""

    tip: int
    base: int

    def raised(self, base_now: int, *, pooled: bool) -> "_Fees":
        """Enough to replace a pooled transaction; doubled when the node did not even take it."""
        if not pooled:
            return _Fees(tip=self.tip, base=max(2 * self.base + 1, base_now))
        return _Fees(
            tip=self.tip * BUMP_NUMERATOR // BUMP_DENOMINATOR + 1,
            base=max(self.base * BUMP_NUMERATOR // BUMP_DENOMINATOR + 1, base_now),
        )


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
        self._stopped = threading.Event()
        self._chain_id: int | None = None

    @property
    def address(self) -> Address:
        return parse_address(self._account.address)

    def estimate(self, call: Call) -> int:
        """The gas ``call`` would use. Raises Refused, decoded, when it would revert."""
        request = {"from": self.address, "to": call.to, "data": "0x" + call.data.hex()}
        return estimate_gas(self._client, request)

    def send(self, call: Call) -> Receipt:
        """Send and wait until mined. Raises Refused when it reverts (before or after sending),
        ServiceUnreachable when it is not mined within the bounded number of fee bumps. The next send then
        takes the place of what was left behind, so nothing waits behind a transaction that nobody mines."""
        with self._lock:
            if self._stopped.is_set():
                raise self._given_up()
            gas = min(self.estimate(call) * 5 // 4 + 10_000, GAS_CAP)
            return self._checked(call, self._until_mined(call, gas))

    def stop(self) -> None:
        """Wait no longer: a send that waits, and every later one, raises ServiceUnreachable at once. What is
        out may still be mined. A process that is asked to end calls this."""
        self._stopped.set()

    def _until_mined(self, call: Call, gas: int) -> dict[str, Any]:
        nonce, fees = self._nonce(), _Fees(tip=TIP_WEI, base=self._client.block().base_fee)
        if self._chain_id is None:
            self._chain_id = self._client.chain_id()
        hashes: list[bytes] = []
        for _ in range(MAX_BUMPS + 1):
            signed = self._sign(call, gas, nonce, fees)
            pooled = self._submit(signed, first=not hashes)
            hashes.append(bytes(signed.hash))
            receipt = self._wait(hashes, self._bump_after_s) if pooled else None
            if receipt is not None:
                return receipt
            unused, base = nonce, 0
            with suppress(ServiceUnreachable):
                unused, base = self._nonce(), self._client.block().base_fee
            if unused > nonce:
                # Used up: perhaps by one of ours, whose receipt may come after the state that counts it. To
                # send again before that is known would do twice what was asked for once.
                receipt = self._wait(hashes, max(RECEIPT_LAG_S, self._bump_after_s))
                if receipt is not None:
                    return receipt
                nonce = unused  # by another program with this account, then
            fees = fees.raised(base, pooled=pooled)
        raise ServiceUnreachable("the chain", self._client.rpc_url, f"{call.label} was not mined in time")

    def _nonce(self) -> int:
        """The first nonce that no mined transaction has used; one that is only pooled is to be replaced."""
        return self._client.quantity("eth_getTransactionCount", self.address, "latest")

    def _sign(self, call: Call, gas: int, nonce: int, fees: "_Fees") -> SignedTransaction:
        fields: dict[str, Any] = {
            "chainId": self._chain_id,
            "to": call.to,
            "data": "0x" + call.data.hex(),
            "value": 0,
            "gas": gas,
            "nonce": nonce,
            "maxFeePerGas": 2 * fees.base + fees.tip,
            "maxPriorityFeePerGas": fees.tip,
            "type": 2,
        }
        return self._account.sign_transaction(fields)

    def _submit(self, signed: SignedTransaction, *, first: bool) -> bool:
        """Hand a transaction to the node; False when its fees are below what the next block costs. Whatever
        else happens to a repeated one, an earlier copy may be mined: the receipt decides."""
        try:
            self._client.rpc("eth_sendRawTransaction", "0x" + signed.raw_transaction.hex())
        except Refused as error:
            if error.reason == "FeeTooLow":
                return False
            if first and error.reason not in ("NonceTooLow", "AlreadyKnown", "Underpriced"):
                raise
        except ServiceUnreachable:
            if first:
                log.warning("the chain did not answer to a transaction; it may have arrived")
        return True

    def _wait(self, hashes: list[bytes], patience_s: float) -> dict[str, Any] | None:
        give_up = time.monotonic() + patience_s
        while True:
            for tx_hash in hashes:
                try:
                    receipt = self._client.receipt(tx_hash)
                except ServiceUnreachable:
                    receipt = None  # it is out: only its receipt tells, and that can still come
                if receipt is not None:
                    return receipt
            if time.monotonic() > give_up:
                return None
            if self._stopped.wait(self._poll_s):
                raise self._given_up()

    def _given_up(self) -> ServiceUnreachable:
        return ServiceUnreachable(
            "the chain", self._client.rpc_url, "this process is ending and does not wait"
        )

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
