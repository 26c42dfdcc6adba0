"""Whom the coordinator tells of which contest, when its views come from servers that are not equally far."""

from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, cast

import pytest

from coordinator import contests
from coordinator.contests import ContestsLoop
from coordinator.jobs.producer import JobProducer
from coordinator.jobs.queue_watch import LOOK_EVERY_S
from coordinator.services.context import Context
from protocol.chain.contest import ContestStatus
from protocol.chain.contracts import Contracts
from protocol.ids import Address
from protocol.job import ContestJob

MINER = Address("0x" + "11" * 20)


@dataclass
class World:
    """One live miner; contests by number."""

    status: dict[int, ContestStatus]
    run: str = "first"
    clock_s: float = 1_000.0
    told: list[tuple[Address, int]] = field(default_factory=list)

    def loop(self, monkeypatch: pytest.MonkeyPatch) -> ContestsLoop:
        monkeypatch.setattr(contests, "read_contest_specs", lambda ctx: None)
        context = SimpleNamespace(now_s=lambda: self.clock_s, store=self)
        return ContestsLoop(
            cast(Context, context),
            cast(Contracts, SimpleNamespace(contest=self)),
            cast(JobProducer, self),
        )

    # ------------------------------------------------------------ the store, the chain, the broker

    def read(self) -> Any:
        return self

    def __enter__(self) -> Any:
        return SimpleNamespace(miners=self)

    def __exit__(self, *_: object) -> None:
        pass

    def live(self, now_s: float) -> list[Any]:
        return [SimpleNamespace(address=MINER, stake=10)]

    def count(self) -> int:
        return len(self.status)

    def contest(self, contest_id: int) -> Any:
        return SimpleNamespace(status=self.status[contest_id])

    def params(self, contest_id: int) -> Any:
        return SimpleNamespace(commit_deadline=10_000, miner_stake=1)

    def entry_number(self, contest_id: int, miner: Address) -> int:
        return 0

    def broker_run(self) -> str:
        return self.run

    def enter_contest(self, miner: Address, job: ContestJob, expires_s: int) -> None:
        self.told.append((miner, job.contest_id))


def test_contest__counted_before_it_is_there__is_told_of_when_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    w = World({1: ContestStatus.NONE})
    loop = w.loop(monkeypatch)
    loop.turn()
    assert not w.told
    w.status[1] = ContestStatus.OPEN
    loop.turn()
    assert w.told == [(MINER, 1)]


def test_contest__undone_and_posted_again_under_its_number__is_told_of(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    w = World({1: ContestStatus.CLOSED})
    loop = w.loop(monkeypatch)
    loop.turn()
    w.status = {}
    loop.turn()
    w.status = {1: ContestStatus.OPEN}
    loop.turn()
    assert w.told == [(MINER, 1)]


def test_contest__told_to_a_broker_that_lost_it__is_told_again(monkeypatch: pytest.MonkeyPatch) -> None:
    w = World({1: ContestStatus.OPEN})
    loop = w.loop(monkeypatch)
    loop.turn()
    loop.turn()
    assert len(w.told) == 1
    w.run = "second"
    w.clock_s += LOOK_EVERY_S
    loop.turn()
    assert len(w.told) == 2
