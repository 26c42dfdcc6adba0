"""Blocks and transactions as the chain tells them, decoded for people."""

from dataclasses import dataclass
from typing import Any, Final

from protocol.chain.contracts import Contracts
from protocol.chain.decoding import Decoded, contract_name, decode_call, decode_log
from protocol.chain.sender import estimate_gas
from protocol.errors import Refused, ServiceUnreachable
from protocol.ids import Address, parse_address

MAX_SHOWN: Final = 200
SCANNED_BLOCKS: Final = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class TxView:
    """One transaction. ``status``: pending, mined or reverted; ``reason`` is the decoded revert."""

    hash: str
    status: str
    reason: str
    sender: str
    to: str | None
    contract: str
    nonce: int
    value: int
    block_number: int | None
    gas_used: int | None
    fee: int | None
    call: Decoded | None
    events: tuple[Decoded | None, ...] = ()
    data: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockView:
    """One block; ``gas_used`` of ``gas_limit``, ``base_fee`` in wei."""

    number: int
    hash: str
    parent_hash: str
    timestamp: int
    gas_used: int
    gas_limit: int
    base_fee: int
    transactions: tuple[TxView, ...]
    count: int


class Explorer:
    """Reads from the node, each call bounded by its client's timeout."""

    def __init__(self, contracts: Contracts) -> None:
        self._contracts = contracts
        self._client = contracts.client

    def head(self) -> int:
        return self._client.block().number

    def blocks(self, last: int, count: int) -> list[BlockView]:
        """``count`` blocks down from ``last``."""
        return [self._block(number, full=False) for number in range(last, max(-1, last - count), -1)]

    def block(self, number: int) -> BlockView:
        """Raises Refused when there is none."""
        return self._block(number, full=True)

    def _block(self, number: int, *, full: bool) -> BlockView:
        raw = self._client.rpc("eth_getBlockByNumber", hex(number), full)
        if raw is None:
            raise Refused(f"Block {number} does not exist.", "NoBlock")
        shown = tuple(self._pending(item) for item in raw["transactions"][:MAX_SHOWN]) if full else ()
        return BlockView(
            number=int(raw["number"], 16),
            hash=str(raw["hash"]),
            parent_hash=str(raw["parentHash"]),
            timestamp=int(raw["timestamp"], 16),
            gas_used=int(raw["gasUsed"], 16),
            gas_limit=int(raw["gasLimit"], 16),
            base_fee=int(raw.get("baseFeePerGas") or "0x0", 16),
            transactions=shown,
            count=len(raw["transactions"]),
        )

    def transaction(self, tx_hash: bytes) -> TxView:
        """Raises Refused when the node does not know it."""
        raw = self._client.rpc("eth_getTransactionByHash", "0x" + tx_hash.hex())
        if raw is None:
            raise Refused(f"Transaction 0x{tx_hash.hex()} does not exist.", "NoTransaction")
        view = self._pending(raw)
        receipt = self._client.receipt(tx_hash)
        return view if receipt is None else self._mined(view, raw, receipt)

    def replaced_by(self, sender: Address, nonce: int) -> str | None:
        """The transaction that took ``nonce`` of ``sender``: its hash, "" when it is too old to be found
        here, None while the nonce is free."""
        used = self._client.quantity("eth_getTransactionCount", sender, "latest")
        if used <= nonce:
            return None
        head = self.head()
        for number in range(head, max(-1, head - SCANNED_BLOCKS), -1):
            for item in self._client.rpc("eth_getBlockByNumber", hex(number), True)["transactions"]:
                if item["from"].lower() == sender.lower() and int(item["nonce"], 16) == nonce:
                    return str(item["hash"])
        return ""

    def _pending(self, raw: dict[str, Any]) -> TxView:
        try:
            data, to = bytes.fromhex(raw["input"][2:]), raw.get("to")
            deployment = self._contracts.deployment
            return TxView(
                hash=str(raw["hash"]),
                status="pending",
                reason="",
                sender=parse_address(raw["from"]),
                to=parse_address(to) if to else None,
                contract=contract_name(deployment, to) if to else "",
                nonce=int(raw["nonce"], 16),
                value=int(raw["value"], 16),
                block_number=int(raw["blockNumber"], 16) if raw.get("blockNumber") else None,
                gas_used=None,
                fee=None,
                call=decode_call(deployment, to, data),
                data="0x" + data.hex(),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise ServiceUnreachable(
                "the chain", self._client.rpc_url, f"it answers oddly: {error!r}"
            ) from error

    def _mined(self, view: TxView, raw: dict[str, Any], receipt: dict[str, Any]) -> TxView:
        failed = int(receipt["status"], 16) != 1
        gas = int(receipt["gasUsed"], 16)
        events = tuple(
            decode_log(
                self._contracts.deployment,
                log["address"],
                [bytes.fromhex(topic[2:]) for topic in log["topics"]],
                bytes.fromhex(log["data"][2:]),
            )
            for log in receipt["logs"][:MAX_SHOWN]
        )
        return TxView(
            hash=view.hash,
            status="reverted" if failed else "mined",
            reason=self._reason(raw) if failed else "",
            sender=view.sender,
            to=view.to,
            contract=view.contract,
            nonce=view.nonce,
            value=view.value,
            block_number=int(receipt["blockNumber"], 16),
            gas_used=gas,
            fee=gas * int(receipt["effectiveGasPrice"], 16),
            call=view.call,
            events=events,
            data=view.data,
        )

    def _reason(self, raw: dict[str, Any]) -> str:
        """Why it reverted: the same call once more, on the state before its block."""
        before = hex(max(0, int(raw["blockNumber"], 16) - 1))
        call = {"from": raw["from"], "to": raw.get("to"), "data": raw["input"], "value": raw["value"]}
        try:
            self._client.rpc("eth_call", call, before)
        except Refused as error:
            return str(error)
        return "It reverted, though the same call would have worked a block before."

    def simulate(self, sender: Address, to: Address, data: bytes, value: int) -> int:
        """Gas the call would take now. Raises Refused, decoded, when it would revert."""
        call = {"from": sender, "to": to, "data": "0x" + data.hex(), "value": hex(value)}
        return estimate_gas(self._client, call)
