"""Which contests a validator follows, also on a chain that goes back."""

from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, cast

import pytest

from committee import contest_watch
from committee.contest_watch import SETTLED_AFTER_BLOCKS, ContestWatch
from protocol.chain.contest import ContestStatus
from protocol.chain.contracts import Contracts


@dataclass
class Chain:
    """Contests by number: whether each is over."""

    number: int = 1
    over: dict[int, bool] = field(default_factory=dict)

    def watch(self, monkeypatch: pytest.MonkeyPatch) -> ContestWatch:
        def read(contracts: object, contest_id: int, released: object) -> Any:
            return SimpleNamespace(
                contest_id=contest_id,
                over=self.over.get(contest_id, True),
                block=self.number,
                state=SimpleNamespace(status=ContestStatus.OPEN),
            )

        monkeypatch.setattr(contest_watch, "read_contest", read)
        return ContestWatch(cast(Contracts, SimpleNamespace(client=self, contest=self)))

    def block(self) -> Any:
        return SimpleNamespace(number=self.number, hash=f"{self.number} {sorted(self.over)}".encode())

    def count(self, block: int) -> int:
        return len(self.over)


def test_watch__contest_that_is_over__is_dropped_after_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    chain = Chain(over={1: True, 2: False})
    watch = chain.watch(monkeypatch)
    watch.poll()
    assert watch.running == {1, 2}
    chain.number += SETTLED_AFTER_BLOCKS
    watch.poll()
    assert watch.running == {2}


def test_watch__chain_goes_back__the_number_is_followed_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """The contest that was undone reads as over; another one is posted under its number."""
    chain = Chain(number=100, over={1: False, 2: False})
    watch = chain.watch(monkeypatch)
    watch.poll()
    chain.number, chain.over = 99, {1: False}
    watch.poll()
    assert watch.running == {1}
    chain.number, chain.over = 100 + SETTLED_AFTER_BLOCKS, {1: False, 2: False}
    assert [view.contest_id for view in watch.poll()] == [1, 2]
