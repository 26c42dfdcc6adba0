"""EIP-712 hashing of flat structs: every field one 32-byte word (dynamic ``string`` and ``bytes`` as their
keccak).

The domain separator and the type hashes are computed once; what remains per message is two keccaks.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from eth_hash.auto import keccak

from protocol.ids import Address, Digest

DOMAIN_NAME = "ProofOfTraining"
DOMAIN_VERSION = "1"
_DOMAIN_TYPE = "EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"


def _word(kind: str, value: Any) -> bytes:
    if kind.startswith("uint"):
        bits = int(kind[4:])
        if not isinstance(value, int) or not 0 <= value < 1 << bits:
            raise ValueError(f"{value!r} does not fit {kind}")
        return value.to_bytes(32, "big")
    match kind:
        case "address":
            return bytes.fromhex(value[2:]).rjust(32, b"\0")
        case "bytes32":
            if not isinstance(value, bytes) or len(value) != 32:
                raise ValueError(f"{value!r} is not 32 bytes")
            return value
        case "bool":
            return int(bool(value)).to_bytes(32, "big")
        case "string":
            return keccak(value.encode())
        case "bytes":
            return keccak(value)
        case _:
            raise ValueError(f"{kind} is not supported in typed data")


@dataclass(frozen=True, slots=True, kw_only=True)
class StructType:
    """A flat EIP-712 struct type: ``fields`` are (name, Solidity type) in declaration order."""

    name: str
    fields: tuple[tuple[str, str], ...]

    @property
    def encoded(self) -> str:
        return f"{self.name}({','.join(f'{kind} {name}' for name, kind in self.fields)})"

    def words(self, values: Mapping[str, Any]) -> bytes:
        """The ABI encoding of the fields alone. Raises ValueError when a value does not fit its type."""
        return b"".join(_word(kind, values[name]) for name, kind in self.fields)

    def hash_struct(self, values: Mapping[str, Any]) -> bytes:
        """EIP-712 ``hashStruct``."""
        return keccak(_type_hash(self.encoded) + self.words(values))


@lru_cache(maxsize=64)
def _type_hash(encoded: str) -> bytes:
    return keccak(encoded.encode())


@dataclass(frozen=True, slots=True, kw_only=True)
class Domain:
    """The EIP-712 domain of one deployment: a signature made for it is worthless on any other chain or
    market."""

    chain_id: int
    market: Address
    separator: bytes = field(init=False, repr=False)

    def __post_init__(self) -> None:
        words = b"".join(
            (
                keccak(_DOMAIN_TYPE.encode()),
                keccak(DOMAIN_NAME.encode()),
                keccak(DOMAIN_VERSION.encode()),
                _word("uint256", self.chain_id),
                _word("address", self.market),
            )
        )
        object.__setattr__(self, "separator", keccak(words))

    def digest(self, kind: StructType, values: Mapping[str, Any]) -> Digest:
        """The 32-byte digest that a wallet signs for ``values`` of struct ``kind``."""
        return Digest(keccak(b"\x19\x01" + self.separator + kind.hash_struct(values)))
