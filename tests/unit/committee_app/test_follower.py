"""What a validator reads at a new block, whom it tells, and what it does when reading fails."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, cast

import pytest

from committee import follower
from committee.follower import ChainFollower, Hearers, Watches
from protocol.errors import ServiceUnreachable

NOBODY = "http://127.0.0.1:9"
SOON_S = 5.0


class Chain:
    """All four watches: ``head`` moves with each reading where ``moves``."""

    def __init__(self) -> None:
        self.head, self.stirs, self.waiting, self.moves = b"0", 0, False, True
        self.running: frozenset[int] = frozenset()
        self.reads: list[str] = []
        self.fails: dict[str, int] = {}
        self.doubts: list[str] = []

    def watches(self) -> Watches:
        parts = {name: Watch(self, name) for name in ("tasks", "courts", "contests", "learning")}
        return Watches(**cast(Any, parts))


class Watch:
    def __init__(self, chain: Chain, name: str) -> None:
        self.__dict__.update(chain=chain, name=name)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.chain, name)

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(self.chain, name, value)

    def poll(self) -> Any:
        self.chain.reads.append(self.name)
        if self.chain.fails.get(self.name, 0):
            self.chain.fails[self.name] -= 1
            raise ServiceUnreachable("the chain", NOBODY, "cut")
        if self.name == "tasks" and self.chain.moves:
            self.chain.head += b"+"
        return {} if self.name == "learning" else [f"{self.name} news"]

    def undrawn(self) -> list[Any]:
        return []

    def doubt(self, reason: str) -> None:
        self.chain.doubts.append(reason)


class Hearer:
    """Every part that is told something."""

    members: frozenset[str] = frozenset()
    numbers: Any = None

    def __init__(self) -> None:
        self.heard: list[Any] = []

    def seen(self, news: Any) -> None:
        self.heard.append(news)

    def meet(self, members: Any) -> None: ...

    def retain(self, running: Any) -> None: ...

    def moved(self, numbers: Any) -> None: ...

    async def refresh_when_due(self, head: bytes) -> None: ...


async def follow(chain: Chain, until: Callable[[], bool], hearer: Hearer) -> None:
    """Follow ``chain`` until the condition holds; fails when it does not soon."""
    hearers = Hearers(**cast(Any, dict.fromkeys(Hearers.__dataclass_fields__, hearer)))
    with ThreadPoolExecutor(1) as reader:
        following = asyncio.create_task(
            ChainFollower(
                rpc_url=NOBODY, poll_s=0.001, reader=reader, watches=chain.watches(), hearers=hearers
            ).run()
        )
        async with asyncio.timeout(SOON_S):
            while not until():
                await asyncio.sleep(0.001)
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)


def test_run__blocks_that_hold_nothing_of_the_courts__are_read_for_tasks_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(follower, "COURTS_EVERY_S", 0.0)
    chain = Chain()
    asyncio.run(follow(chain, lambda: chain.reads.count("tasks") >= 5, Hearer()))
    assert (
        chain.reads.count("courts") == chain.reads.count("contests") == 1
    )  # the first one, whatever it holds


@pytest.mark.parametrize("why", ["stirs", "running", "long ago"])
def test_run__block_that_may_concern_courts__is_read_for_them(
    why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(follower, "COURTS_EVERY_S", 0.0)
    chain = Chain()
    match why:
        case "stirs":
            chain.stirs = 3
        case "running":
            chain.running = frozenset({1})
        case _:
            monkeypatch.setattr(follower, "COURTS_ANYWAY_S", 0.0)
    hearer = Hearer()
    asyncio.run(follow(chain, lambda: chain.reads.count("contests") >= 3, hearer))
    assert {"tasks news", "courts news", "contests news"} <= set(hearer.heard)
    assert chain.stirs == 0


@pytest.mark.parametrize("what", ["tasks", "courts", "learning", "contests"])
def test_run__reading_fails__is_read_again_until_it_is_told(
    what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(follower, "COURTS_EVERY_S", 0.0)
    monkeypatch.setattr(follower, "READ_AGAIN_S", 0.0)
    chain, hearer = Chain(), Hearer()
    chain.stirs, chain.moves, chain.fails[what] = 1, False, 2
    asyncio.run(follow(chain, lambda: "contests news" in hearer.heard and chain.stirs == 0, hearer))
    assert chain.reads.count(what) == 3


def test_doubt__asked_often__reads_the_whole_chain_once() -> None:
    chain = Chain()

    async def doubts() -> None:
        with ThreadPoolExecutor(1) as reader:
            hearers = Hearers(**cast(Any, dict.fromkeys(Hearers.__dataclass_fields__, Hearer())))
            following = ChainFollower(
                rpc_url=NOBODY, poll_s=1.0, reader=reader, watches=chain.watches(), hearers=hearers
            )
            following.doubt("first")
            following.doubt("second")

    asyncio.run(doubts())
    assert chain.doubts == ["first"]
