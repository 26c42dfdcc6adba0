"""What all events have in common, and how raw arguments become them."""

from collections.abc import Callable
from dataclasses import dataclass
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
