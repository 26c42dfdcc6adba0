"""What all events have in common, and how raw arguments become them."""

from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class EventRef:
    """Where an event stands on the chain."""

    block_number: int
    block_hash: bytes
    tx_hash: bytes
    log_index: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Base of all events."""

    where: EventRef


Args = dict[str, Any]
Builder = Callable[[EventRef, Args], Event]


def event(kind: type[Event], /, **convert: Callable[[Any], Any]) -> Builder:
    """The builder of a kind whose fields are the arguments under their Solidity names: ``task_id`` is
    ``taskId``. ``convert`` makes what is neither a number, a text, bytes nor a list of the first two."""
    named = {field.name: _solidity_name(field.name) for field in fields(kind) if field.name != "where"}

    def build(where: EventRef, args: Args) -> Event:
        values = {name: convert.get(name, _plain)(args[said]) for name, said in named.items()}
        return kind(where=where, **values)

    return build


def events(*kinds: type[Event]) -> dict[str, Builder]:
    """The builders of kinds that are called as the contract calls them."""
    return {kind.__name__: event(kind) for kind in kinds}


def _solidity_name(name: str) -> str:
    first, *others = name.split("_")
    return first + "".join(word.capitalize() for word in others)


def _plain(value: Any) -> Any:
    if isinstance(value, bytes):
        return bytes(value)
    return tuple(value) if isinstance(value, list) else value
