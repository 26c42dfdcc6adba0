"""A miner's watch for faults goes on, whatever happened at one look."""

from typing import cast

import pytest

from pot.client import Client
from pot.disputes.appealing import FaultWatch
from protocol.errors import ServiceUnreachable
from tests.support.miner_network import eventually


@pytest.mark.parametrize(
    "error", [RuntimeError("a defect"), ServiceUnreachable("the chain", "http://x", "gone")]
)
def test_watch__a_look_fails__looks_again(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    looks: list[None] = []

    def check(self: FaultWatch) -> None:
        looks.append(None)
        if len(looks) < 3:
            raise error

    monkeypatch.setattr(FaultWatch, "check", check)
    with FaultWatch(cast(Client, None), appeal=True, poll_s=0.01):
        eventually(lambda: len(looks) >= 4, "another look", 5)
