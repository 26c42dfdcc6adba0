"""One JSON-RPC endpoint of a chain: every failure is ServiceUnreachable or a decoded Refused, every wait
bounded."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from eth_typing import BlockNumber
from hexbytes import HexBytes
from web3.types import LogReceipt

from protocol.chain.bloom import may_hold
from protocol.chain.reverts import refusal
from protocol.chain.rpc import RpcEndpoint
from protocol.errors import Refused
from protocol.ids import Address

DEFAULT_TIMEOUT_S = 10.0
MAX_LOG_BLOCKS = 2_000


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockRef:
    """A block by number and hash; ``timestamp`` is Unix seconds, ``base_fee`` wei per gas, ``bloom`` tells
    whose logs it may hold."""

    number: int
    hash: bytes
    parent_hash: bytes
    timestamp: int
    base_fee: int
    bloom: bytes = b""

    def follows(self, other: "BlockRef") -> bool:
        return self.parent_hash == other.hash and self.number == other.number + 1

    def may_concern(self, addresses: Iterable[Address]) -> bool:
        """Whether it may hold logs of ``addresses``; False is certain."""
        return may_hold(self.bloom, addresses)


class ChainClient:
    """A synchronous client; one per thread of work. ``timeout_s`` bounds each request."""

    def __init__(self, rpc_url: str, timeout_s: float = DEFAULT_TIMEOUT_S) -> None:
        self.rpc_url = rpc_url
        self._endpoint = RpcEndpoint(rpc_url, timeout_s)

    def rpc(self, method: str, *params: Any) -> Any:
        """One raw call. Raises ServiceUnreachable when nobody answers, Refused when the node says no."""
        answer = self._endpoint.call(method, list(params))
        with self._sense():
            if "error" in answer:
                raise refusal(dict(answer["error"]))
            return answer["result"]

    @contextmanager
    def _sense(self) -> Iterator[None]:
        """Whatever answers in another form than a chain is not the chain we need."""
        try:
            yield
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise self._endpoint.unreachable(
                f"what listens there does not answer like one ({error!r})"
            ) from error

    def quantity(self, method: str, *params: Any) -> int:
        """One raw call whose result is a number. Raises as ``rpc``."""
        raw = self.rpc(method, *params)
        with self._sense():
            return int(raw, 16)

    def chain_id(self) -> int:
        return self.quantity("eth_chainId")

    def pending_time(self) -> int:
        """The time of the block that the node would make now, Unix seconds: none that is still to come lies
        before it. The newest block's where the node does not tell, or tells of an older one."""
        newest = self.block().timestamp
        try:
            raw = self.rpc("eth_getBlockByNumber", "pending", False)
        except Refused:
            return newest
        with self._sense():
            return newest if raw is None else max(newest, int(raw["timestamp"], 16))

    def block(self, number: int | str = "latest") -> BlockRef:
        """The block's reference. Raises Refused when there is no such block."""
        tag = hex(number) if isinstance(number, int) else number
        raw = self.rpc("eth_getBlockByNumber", tag, False)
        if raw is None:
            raise Refused(f"Block {number} does not exist.", "NoBlock")
        with self._sense():
            return BlockRef(
                number=int(raw["number"], 16),
                hash=bytes.fromhex(raw["hash"][2:]),
                parent_hash=bytes.fromhex(raw["parentHash"][2:]),
                timestamp=int(raw["timestamp"], 16),
                base_fee=int(raw.get("baseFeePerGas") or "0x0", 16),
                bloom=_bloom(raw),
            )

    def logs(self, addresses: list[Address], first_block: int, last_block: int) -> list[LogReceipt]:
        """Logs of ``addresses`` in ``first_block..last_block``, in chain order, fetched in bounded pages."""
        found: list[LogReceipt] = []
        for start in range(first_block, last_block + 1, MAX_LOG_BLOCKS):
            end = min(start + MAX_LOG_BLOCKS - 1, last_block)
            query = {"address": addresses, "fromBlock": hex(start), "toBlock": hex(end)}
            raw = self.rpc("eth_getLogs", query)
            with self._sense():
                found.extend(_log(item) for item in raw)
        return found

    def call(self, to: Address, data: bytes, block: int | str = "latest") -> bytes:
        """What a view answers to calldata ``data`` at ``block``. Raises as ``rpc``."""
        tag = hex(block) if isinstance(block, int) else block
        raw = self.rpc("eth_call", {"to": to, "data": "0x" + data.hex()}, tag)
        with self._sense():
            return bytes.fromhex(raw[2:])

    def balance(self, account: Address) -> int:
        """The account's native coin in wei."""
        return self.quantity("eth_getBalance", account, "latest")

    def transaction_input(self, tx_hash: bytes) -> bytes:
        """The calldata of a mined transaction. Raises Refused when it is unknown."""
        raw = self.rpc("eth_getTransactionByHash", "0x" + tx_hash.hex())
        if raw is None:
            raise Refused(f"Transaction 0x{tx_hash.hex()} does not exist.", "NoTransaction")
        with self._sense():
            return bytes.fromhex(raw["input"][2:])

    def calls_to(self, contract: Address, tx_hash: bytes) -> list[bytes]:
        """The calldata of every call to ``contract`` that a mined transaction made, from its trace. Raises
        Refused when the endpoint gives none."""
        try:
            top = self.rpc("debug_traceTransaction", "0x" + tx_hash.hex(), {"tracer": "callTracer"})
        except Refused as error:
            raise Refused(
                f"Transaction 0x{tx_hash.hex()} was sent through another contract, and {self.rpc_url} gives "
                "no traces. Use an endpoint with debug_traceTransaction.",
                "NoTrace",
            ) from error
        found: list[bytes] = []
        waiting = [top]
        with self._sense():
            while waiting:
                call = waiting.pop()
                waiting.extend(call.get("calls") or ())
                if str(call.get("to")).lower() == contract.lower():
                    found.append(bytes.fromhex(call["input"][2:]))
        return found

    def receipt(self, tx_hash: bytes) -> dict[str, Any] | None:
        """The raw receipt, or None while the transaction is not mined."""
        raw: dict[str, Any] | None = self.rpc("eth_getTransactionReceipt", "0x" + tx_hash.hex())
        return raw


def _bloom(raw: dict[str, Any]) -> bytes:
    """None where it tells of no log although something happened: some chains leave it at zero."""
    bloom = bytes.fromhex((raw.get("logsBloom") or "0x")[2:])
    return bloom if any(bloom) or int(raw["gasUsed"], 16) == 0 else b""


def _log(raw: dict[str, Any]) -> LogReceipt:
    """A log as web3's decoders take it."""
    return LogReceipt(
        address=raw["address"],
        topics=[HexBytes(topic) for topic in raw["topics"]],
        data=HexBytes(raw["data"]),
        blockNumber=BlockNumber(int(raw["blockNumber"], 16)),
        blockHash=HexBytes(raw["blockHash"]),
        transactionHash=HexBytes(raw["transactionHash"]),
        transactionIndex=int(raw["transactionIndex"], 16),
        logIndex=int(raw["logIndex"], 16),
        removed=bool(raw.get("removed", False)),
    )
