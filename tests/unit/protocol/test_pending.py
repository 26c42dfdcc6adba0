"""The block to come, as nodes tell of it: honestly, of an old one, not at all, or with an error."""

from typing import Any

import pytest

from protocol.chain.client import ChainClient
from protocol.chain.sender import estimate_gas
from protocol.errors import Refused

NEWEST_S = 1_000


class Node(ChainClient):
    """Answers with ``pending``: a time, None, or an error."""

    def __init__(self, pending: int | Refused | None) -> None:
        super().__init__("http://127.0.0.1:1")
        self.pending = pending

    def rpc(self, method: str, *params: Any) -> Any:
        if method == "eth_estimateGas":
            if isinstance(self.pending, Refused) and "pending" in params:
                raise self.pending
            return "0x5208" if len(params) == 1 else "0x5209"
        if params[0] == "latest":
            return _block(NEWEST_S)
        if isinstance(self.pending, Refused):
            raise self.pending
        return None if self.pending is None else _block(self.pending)


def _block(timestamp: int) -> dict[str, str]:
    return {
        "number": "0x1",
        "hash": "0x" + "11" * 32,
        "parentHash": "0x" + "22" * 32,
        "timestamp": hex(timestamp),
        "gasUsed": "0x0",
        "baseFeePerGas": "0x1",
        "logsBloom": "0x" + "00" * 256,
    }


REFUSED = Refused("The chain refused: pending block is not available.", "Refused")


@pytest.mark.parametrize(
    ("pending", "expected"),
    [(NEWEST_S + 7, NEWEST_S + 7), (NEWEST_S - 7, NEWEST_S), (None, NEWEST_S), (REFUSED, NEWEST_S)],
)
def test_pending_time__is_never_before_the_newest_block(pending: int | Refused | None, expected: int) -> None:
    assert Node(pending).pending_time() == expected


def test_estimate__is_of_the_block_to_come__or_of_the_newest_where_there_is_none() -> None:
    assert estimate_gas(Node(NEWEST_S), {}) == 0x5209
    assert estimate_gas(Node(REFUSED), {}) == 0x5208


def test_estimate__call_that_would_revert__is_refused_as_it_is() -> None:
    with pytest.raises(Refused, match="no money"):
        estimate_gas(Node(Refused("There is no money.", "NoMoney")), {})
