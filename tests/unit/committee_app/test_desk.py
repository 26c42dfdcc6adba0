"""Who waits for whom at a validator's desk."""

import asyncio
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

from eth_account import Account

from committee.desk import MAX_CHECKS_QUEUED, Desk
from committee.evidence_keeper import EvidenceKeeper
from committee.verify import Finding, Judgement
from protocol.blobs import open_blob_store

VALID = Judgement(finding=Finding.VALID)
WAIT_S = 20.0


def made(folder: Path) -> Desk:
    """A desk whose connection nothing is sent through."""
    sending: Any = SimpleNamespace(client=None, deployment=SimpleNamespace(domain=None))
    return Desk(
        account=Account.from_key(bytes(31) + b"\1"),
        sending=sending,
        watch=cast(Any, SimpleNamespace(timestamp_s=0)),
        aggregate_from=4,
        keeper=EvidenceKeeper(folder, open_blob_store((folder / "blobs").as_uri())),
    )


def test_desk__contest_that_takes_long__keeps_no_check_waiting(tmp_path: Path) -> None:
    release = threading.Event()

    def count() -> Judgement:
        release.wait(WAIT_S)
        return VALID

    async def scene() -> None:
        desk = made(tmp_path)
        loop = asyncio.get_running_loop()
        counted, checked = loop.create_future(), loop.create_future()
        assert desk.count(count, counted.set_result)
        assert desk.check(lambda: VALID, checked.set_result)
        await asyncio.wait_for(checked, WAIT_S)
        assert not counted.done()
        release.set()
        await asyncio.wait_for(counted, WAIT_S)
        desk.close()

    asyncio.run(scene())


def test_desk__too_many_contests_wait__further_ones_come_again_and_checks_do_not(tmp_path: Path) -> None:
    release = threading.Event()

    def count() -> Judgement:
        release.wait(WAIT_S)
        return VALID

    async def scene() -> None:
        desk = made(tmp_path)
        taken = [desk.count(count, lambda _: None) for _ in range(MAX_CHECKS_QUEUED + 1)]
        assert taken == [True] * MAX_CHECKS_QUEUED + [False]
        assert desk.check(lambda: VALID, lambda _: None)
        await asyncio.sleep(0)  # all are handed to their threads
        release.set()
        desk.close()

    asyncio.run(scene())


def test_desk__closed__begins_no_contest(tmp_path: Path) -> None:
    begun = threading.Event()

    async def scene() -> None:
        desk = made(tmp_path)
        desk.close()

        def count() -> Judgement:
            begun.set()
            return VALID

        found = asyncio.get_running_loop().create_future()
        desk.count(count, found.set_result)
        judgement = await asyncio.wait_for(found, WAIT_S)
        assert judgement.finding is Finding.UNKNOWN

    asyncio.run(scene())
    assert not begun.is_set()
