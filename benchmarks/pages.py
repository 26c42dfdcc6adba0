"""How fast the pages answer when there is much to show: ``python -m benchmarks.pages [--miners 1000]``.

A database with that many miners and rounds of one task, filled through the coordinator's own tables; every
page asked several times at the server, medians and worst of them; then many event streams at once, each of
which has to hear one entry. Pages that ask the chain are measured without it. Exit status 1 when a page takes
more than 200 ms or a stream hears nothing.
"""

import argparse
import asyncio
import statistics
import sys
import tempfile
import threading
import time
from pathlib import Path

import httpx2
import uvicorn
from eth_utils.address import to_checksum_address
from fastapi import FastAPI
from sqlalchemy import insert

from anvil.network import free_ports
from coordinator.store.chain_tables import CertificateRow, ChainEvent, Stake
from coordinator.store.contest_tables import ContestRow, LearningBlockRow
from coordinator.store.unit_of_work import Transaction
from coordinator.store.work_tables import ContributionRow, MinerRow, Round, TaskAccount
from protocol.certificate import RoundCertificate
from protocol.ids import EpochNo, RoundNo, Sha256, TaskId, parse_address
from tests.integration.test_api import config
from tests.support.contest_rows import chain_of, named, won
from tests.support.coordinator_world import World, world
from tests.support.pages import served

LIMIT_MS = 200.0
REPEATS = 7
HEARD_WITHIN_S = 30.0
SIGNERS = 0b111


def address(number: int) -> str:
    return to_checksum_address(named("miner", number)[:20])


def fill(w: World, miners: int, rounds: int, contests: int) -> None:
    """One task with ``rounds`` certified rounds, to which all miners contributed in turn, and ``contests``
    that were won, each with its learning block."""
    w.post_task()
    with w.store.write() as tx:
        task = tx.tasks.get(1)
        assert task is not None
        task.rounds = task.certified_round = task.adopted_round = rounds
        task.certified_tx = task.adopted_tx = named("tx", rounds)
        task.escrow = rounds * (2 * task.reward_per_shard + task.fee_per_round)
        task.paid_total = rounds * 2 * task.reward_per_shard
        _miners(tx, miners, w.clock_s)
        _rounds(tx, miners, rounds)
        _certificates(tx, rounds)
        _contests(tx, miners, contests)


def _contests(tx: Transaction, miners: int, contests: int) -> None:
    people = [parse_address(address(number % miners)) for number in range(8)]
    separator = config().deployment.contest_domain.separator
    blocks = chain_of(separator, [people[2]] * contests, {})
    rows, events, headers = [], [], []
    for block in blocks:
        number = block.height
        state = won(number, people, named("contest spec", number))
        place = {"block_number": 100_000 + number, "tx_hash": named("contest tx", number)}
        rows.append(
            {
                "contest_id": number,
                "poster": people[0],
                "spec_hash": state.params.spec_hash,
                "status": "closed",
                "outcome": "won",
                "state": state.to_json(),
                "title": f"contest {number}",
                "note": "",
                **place,
            }
        )
        headers.append(
            {
                "height": number,
                "hash": block.hash,
                "header": block.header,
                "contest_id": number,
                "winner": people[2],
                **place,
            }
        )
        for index, (kind, account) in enumerate(
            (("ContestPosted", 0), ("EntryCommitted", 2), ("Collected", 2))
        ):
            events.append(
                {
                    "block_hash": named("b", number),
                    "log_index": index,
                    "kind": kind,
                    "contest_id": None if kind == "Collected" else number,
                    "account": people[account],
                    "amount": 10**18,
                    "data": {"entry": "1"},
                    **place,
                }
            )
    tx.session.execute(insert(ContestRow), rows)
    tx.session.execute(insert(LearningBlockRow), headers)
    tx.session.execute(insert(ChainEvent), events)


def _miners(tx: Transaction, miners: int, now_s: float) -> None:
    names = [address(number) for number in range(miners)]
    beats = [
        {"address": n, "device": "cpu", "beat_s": int(now_s), "seen_s": now_s, "silent_at_s": now_s + 3_600}
        for n in names
    ]
    stakes = [{"account": n, "stake": 10**21, "unbonding": 0, "unlocks_at": 0} for n in names]
    earned = [{"task_id": 1, "account": n, "earned": 20} for n in names]
    for table, rows in ((MinerRow, beats), (Stake, stakes), (TaskAccount, earned)):
        tx.session.execute(insert(table), rows)


def _rounds(tx: Transaction, miners: int, rounds: int) -> None:
    done = [
        {
            "task_id": 1,
            "number": n,
            "status": "certified",
            "parent_model": named("m", n - 1),
            "model": named("m", n),
            "opened_s": float(n),
            "closed_s": n + 0.5,
            "loss_micros": 10**6,
            "correct": 300,
            "total": 360,
            "test_loss_micros": 10**6,
        }
        for n in range(2, rounds + 1)
    ]
    given = [
        {
            "task_id": 1,
            "round": n,
            "shard": shard,
            "miner": address((2 * n + shard) % miners),
            "parent_model": named("m", n - 1),
            "gradient": named("g", 2 * n + shard),
            "batches": (Sha256(named("b", 2 * n + shard)),),
            "samples": 32,
            "loss_micros": 10**6,
            "signature": bytes(65),
            "received_s": float(n),
            "verdict": "certified",
            "reason": "",
        }
        for n in range(2, rounds + 1)
        for shard in (0, 1)
    ]
    tx.session.execute(insert(Round), done)
    tx.session.execute(insert(ContributionRow), given)


def _certificates(tx: Transaction, rounds: int) -> None:
    rows, events = [], []
    for n in range(1, rounds + 1):
        value = RoundCertificate(
            task_id=TaskId(1),
            first_round=RoundNo(n),
            last_round=RoundNo(n),
            epoch=EpochNo(1),
            spec_hash=Sha256(named("spec", 1)),
            parent_model=Sha256(named("m", n - 1)),
            model=Sha256(named("m", n)),
            contributions_root=named("c", n),
            faults_root=bytes(32),
            payouts_root=named("p", n),
            paid_total=20 * n,
            segment=Sha256(named("s", n)),
        )
        place = {"block_number": n + 10, "tx_hash": named("tx", n)}
        rows.append(
            {
                "task_id": 1,
                "first_round": n,
                "last_round": n,
                "number": n - 1,
                "void": False,
                "matures_at": 0,
                "encoded": value.encode(),
                "signers": SIGNERS,
                "gas_used": 80_000,
                "timestamp": n,
                **place,
            }
        )
        events.append(
            {
                "block_hash": named("b", n),
                "log_index": 0,
                "kind": "CertificateAccepted",
                **place,
                "task_id": 1,
                "account": None,
                "amount": None,
                "data": {"index": str(n - 1)},
            }
        )
    tx.session.execute(insert(CertificateRow), rows)
    tx.session.execute(insert(ChainEvent), events)


def measure(app: FastAPI, url: str, paths: list[str]) -> float:
    """Print each page's times; the worst median in ms."""
    worst = 0.0
    with httpx2.Client(base_url=url, headers={"Accept": "text/html"}, timeout=60.0) as client:
        for path in paths:
            times = []
            for _ in range(REPEATS):
                started = time.perf_counter()
                answer = client.get(path)
                times.append((time.perf_counter() - started) * 1e3)
                assert answer.status_code == 200, f"{path}: {answer.status_code}"
            median = statistics.median(times)
            worst = max(worst, median)
            size = len(answer.content)
            print(f"{path[:44]:<46}{median:8.1f} ms  worst {max(times):7.1f} ms  {size:>9,} bytes")
    return worst


async def listen(url: str, clients: int, tell: threading.Event) -> int:
    """How many of ``clients`` streams heard the entry that is added once all are open."""
    opened = 0

    async def one(client: httpx2.AsyncClient) -> bool:
        nonlocal opened
        async with client.stream("GET", "/events") as answer:
            async for line in answer.aiter_lines():
                if line.startswith("retry:"):
                    opened += 1
                    if opened == clients:
                        tell.set()
                if line.startswith("event: benchmark"):
                    return True
        return False

    limits = httpx2.Limits(max_connections=clients + 1)
    async with httpx2.AsyncClient(base_url=url, timeout=HEARD_WITHIN_S, limits=limits) as client:
        heard = await asyncio.gather(*(one(client) for _ in range(clients)), return_exceptions=True)
    return sum(item is True for item in heard)


def streams(w: World, url: str, clients: int) -> int:
    """As ``listen``; the entry is written from here."""
    tell = threading.Event()

    def add() -> None:
        if tell.wait(HEARD_WITHIN_S):
            with w.store.write() as tx:
                tx.feed.add("benchmark", w.clock_s, None)

    writer = threading.Thread(target=add)
    writer.start()
    started = time.perf_counter()
    heard = asyncio.run(listen(url, clients, tell))
    writer.join()
    print(f"{heard} of {clients} event streams heard it, {time.perf_counter() - started:.1f} s in all")
    return heard


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--miners", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=10_000)
    parser.add_argument("--contests", type=int, default=2_000)
    parser.add_argument("--streams", type=int, default=200)
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, world(Path(folder)) as w:
        fill(w, wanted.miners, wanted.rounds, wanted.contests)
        (port,) = free_ports(1)
        app = served(w.ctx, config(max_streams=wanted.streams + 10))
        server = uvicorn.Server(uvicorn.Config(app, port=port, log_config=None, access_log=False))
        thread = threading.Thread(target=server.run, daemon=True)
        thread.start()
        while not server.started:
            time.sleep(0.05)
        miner, url = address(1), f"http://127.0.0.1:{port}"
        pages = ["/", "/task", "/task/1", "/task/1?upto=5000", f"/task/1?miner={miner}", "/miner"]
        pages += ["/task/1?account=0x8", "/validator", f"/account/{miner}", "/account", "/audit", "/post"]
        pages += ["/audit?task=1&kind=CertificateAccepted", "/tasks/1/rounds?limit=500", "/miners?limit=500"]
        pages += ["/contest", f"/contest?before={wanted.contests // 2}", "/contest/1", "/learning"]
        pages += [f"/learning?upto={wanted.contests // 2}", "/learning/1", f"/account/{address(2)}"]
        worst = measure(app, url, pages)
        heard = streams(w, url, wanted.streams)
        server.should_exit = True
        thread.join(10)
    print(f"slowest page {worst:.1f} ms, at most {LIMIT_MS:.0f} are allowed")
    return 0 if worst <= LIMIT_MS and heard == wanted.streams else 1


if __name__ == "__main__":
    sys.exit(main())
