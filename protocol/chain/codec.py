"""A contract's functions between Python and calldata: each one's codec is built once, since web3 looks types
up and makes a class of its results anew for every call."""

from collections import namedtuple
from collections.abc import Callable
from functools import cache
from typing import Any, Final

from eth_abi.exceptions import DecodingError, EncodingError
from eth_utils.abi import function_abi_to_4byte_selector, get_abi_input_types, get_abi_output_types
from eth_utils.address import to_checksum_address
from web3 import Web3
from web3.providers import BaseProvider

from protocol.chain.abi import load_abi
from protocol.errors import InvalidInput

OFFLINE: Final = Web3(BaseProvider())
"""For its strict codec and its decoders; it asks nobody."""

_Shape = Callable[[Any], Any]


class FunctionCodec:
    """One function by its ABI item."""

    def __init__(self, item: Any) -> None:
        self._name: str = item["name"]
        self.selector = bytes(function_abi_to_4byte_selector(item))
        self._inputs = get_abi_input_types(item)
        self._outputs = get_abi_output_types(item)
        self._shapes = [_shape(output) for output in item["outputs"]]

    def calldata(self, arguments: tuple[Any, ...]) -> bytes:
        """What calls the function. Raises InvalidInput for arguments of other types, lengths or ranges."""
        try:
            return self.selector + OFFLINE.codec.encode(self._inputs, arguments)
        except EncodingError as error:
            raise InvalidInput(f"No contract takes {self._name} with these arguments: {error}.") from error

    def result(self, data: bytes) -> Any:
        """The value that the function returned, or the tuple of several: structs as named tuples, arrays as
        lists, addresses with their checksum. Raises ValueError when ``data`` is no such thing."""
        try:
            values = OFFLINE.codec.decode(self._outputs, data)
        except DecodingError as error:
            raise ValueError(f"{len(data)} bytes are no result of this function: {error}") from error
        shaped = tuple(shape(value) for shape, value in zip(self._shapes, values, strict=True))
        return shaped[0] if len(shaped) == 1 else shaped


@cache
def function_codec(contract: str, function: str) -> FunctionCodec:
    """The codec of a function of one of ``protocol.chain.abi.CONTRACTS``; none of them is overloaded. Raises
    KeyError when there is no such function."""
    for item in load_abi(contract):
        if item["type"] == "function" and item["name"] == function:
            return FunctionCodec(item)
    raise KeyError(f"{contract}.{function}")


def _shape(output: Any) -> _Shape:
    kind: str = output["type"]
    if kind.endswith("]"):
        inner = _shape({**output, "type": kind[: kind.rindex("[")]})
        return lambda values: [inner(value) for value in values]
    if kind == "tuple":
        fields = output["components"]
        record = namedtuple("Struct", [field["name"] for field in fields], rename=True)  # type: ignore[misc]
        shapes = [_shape(field) for field in fields]
        return lambda values: record(*(shape(value) for shape, value in zip(shapes, values, strict=True)))
    return to_checksum_address if kind == "address" else lambda value: value
