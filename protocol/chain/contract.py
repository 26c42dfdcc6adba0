"""The base of the contract classes: views at an explicit block, writes as ``Call`` values, calldata
decoded."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from eth_abi.exceptions import DecodingError
from eth_utils.address import to_checksum_address
from web3.types import LogReceipt

from protocol.chain.abi import load_abi
from protocol.chain.client import ChainClient
from protocol.chain.codec import OFFLINE, function_codec
from protocol.errors import Refused
from protocol.ids import Address

Block = int | str


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A write that somebody may send: ``data`` is the calldata for contract ``to``; ``label`` is for
    people."""

    to: Address
    data: bytes
    label: str


class ContractClient:
    """One deployed contract. Subclasses have one method per function; tuples come back as named tuples."""

    NAME = ""

    def __init__(self, client: ChainClient, address: Address) -> None:
        self.client = client
        self.address = address
        self._events = OFFLINE.eth.contract(address=to_checksum_address(address), abi=load_abi(self.NAME))

    def view(self, function: str, *args: Any, block: Block = "latest") -> Any:
        """Call a view at ``block``. Raises Refused (decoded), ServiceUnreachable, or
        InvalidInput for arguments out of range."""
        codec = function_codec(self.NAME, function)
        answer = self.client.call(self.address, codec.calldata(args), block)
        try:
            return codec.result(answer)
        except ValueError as error:
            raise Refused(
                f"What is deployed on {self.client.rpc_url} is not this version of our contracts.",
                "NoContract",
            ) from error

    def write(self, function: str, *args: Any) -> Call:
        data = function_codec(self.NAME, function).calldata(args)
        return Call(to=self.address, data=data, label=f"{self.NAME}.{function}")

    def event(self, name: str) -> tuple[bytes, Callable[[LogReceipt], dict[str, Any]]]:
        """(topic 0, decoder of a raw log into arguments by name) of one of the contract's events."""
        event = self._events.get_event_by_name(name)()

        def decode(log: LogReceipt) -> dict[str, Any]:
            return dict(event.process_log(log)["args"])

        return bytes.fromhex(event.topic[2:]), decode

    def selector(self, function: str) -> bytes:
        """The four bytes that a call of ``function`` begins with."""
        return function_codec(self.NAME, function).selector

    def arguments(self, function: str, data: bytes) -> dict[str, Any]:
        """Decode calldata of ``function`` by argument name; bytes after the arguments do not matter. Raises
        ValueError when it calls another function or is malformed."""
        try:
            found, values = self._events.decode_function_input(data)
        except DecodingError as error:
            raise ValueError(f"the calldata is malformed: {error}") from error
        if found.fn_name != function:
            raise ValueError(f"the calldata calls {found.fn_name}, not {self.NAME}.{function}")
        return dict(values)
