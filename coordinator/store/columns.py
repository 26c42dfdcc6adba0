"""Column types that SQLite and PostgreSQL both keep without loss."""

from typing import Any

from sqlalchemy import BigInteger, Integer, LargeBinary, String
from sqlalchemy.engine.interfaces import Dialect
from sqlalchemy.types import TypeDecorator, TypeEngine

from protocol.ids import Sha256

ADDRESS = String(42)
HASH = LargeBinary(32)
# SQLite numbers rows by itself only in a column that is exactly INTEGER.
ROW_ID = BigInteger().with_variant(Integer, "sqlite")


class HashesColumn(TypeDecorator[tuple[Sha256, ...]]):
    """Hashes of 32 bytes, one after the other."""

    impl = LargeBinary
    cache_ok = True

    def process_bind_param(self, value: tuple[Sha256, ...] | None, dialect: Dialect) -> bytes | None:
        return None if value is None else b"".join(value)

    def process_result_value(self, value: Any, dialect: Dialect) -> tuple[Sha256, ...] | None:
        if value is None:
            return None
        return tuple(Sha256(bytes(value[at : at + 32])) for at in range(0, len(value), 32))


class WeiColumn(TypeDecorator[int]):
    """An integer of up to 78 digits (uint256) as decimal text: no database of ours has so wide an integer."""

    impl = String(78)
    cache_ok = True

    def process_bind_param(self, value: int | None, dialect: Dialect) -> str | None:
        return None if value is None else str(int(value))

    def process_result_value(self, value: Any, dialect: Dialect) -> int | None:
        return None if value is None else int(value)

    def coerce_compared_value(self, op: Any, value: Any) -> TypeEngine[Any]:
        return self
