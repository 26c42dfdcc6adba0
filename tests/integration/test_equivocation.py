"""Three honest validator processes and one liar on a real chain: two certificates cost it its stake, and
nobody else anything; and whoever waits for the chain ends when it is asked to."""

import json
import os
import signal
import time
from collections.abc import Iterator
from dataclasses import replace

import psutil
import pytest

from protocol.certificate import RoundCertificate
from protocol.chain.events import EquivocationProven, EventReader
from protocol.ids import Address, TaskId, parse_address, sha256
from protocol.segment import SegmentRecord
from tests.integration.test_validators import Stage, staged
from tests.support.twin import Twin

HONEST = ("validator-1", "validator-2", "validator-3")
LIAR = "validator-4"
SLASHED_S = 60.0
ENDS_S = 15.0
"""For the interpreter on a busy machine. A transaction that nobody mines is waited for ten times longer."""


@pytest.fixture(scope="module")
def trio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """Three of four validators run; nobody listens at the fourth one's endpoint."""
    with staged(tmp_path_factory.mktemp("net"), names=HONEST) as running:
        yield running


def liar(stage: Stage) -> Twin:
    """Linked to the honest ones with the fourth validator's key."""
    committee = stage.contracts.committee
    endpoints = [committee.endpoint_of(address(stage, name)) for name in HONEST]
    return Twin(stage.accounts[LIAR], stage.contracts.deployment.domain, endpoints)


def stakes(stage: Stage) -> dict[str, int]:
    return {name: stage.contracts.vault.stake_of(address(stage, name)) for name in (*HONEST, LIAR)}


def address(stage: Stage, name: str) -> Address:
    return parse_address(stage.accounts[name].address)


def proven(stage: Stage, task: TaskId) -> list[EquivocationProven]:
    latest = stage.contracts.client.block().number
    events = EventReader(stage.contracts).read(stage.contracts.deployment.block, latest)
    return [event for event in events if isinstance(event, EquivocationProven) and event.task_id == task]


def exported(stage: Stage, kind: str) -> dict[str, set[str]]:
    """Who is named in the evidence of each honest validator."""
    found = {}
    for name in HONEST:
        path = stage.network.layout.state(name) / "evidence.jsonl"
        lines = path.read_text().splitlines() if path.exists() else []
        found[name] = {line["member"] for line in map(json.loads, lines) if line["kind"] == kind}
    return found


def next_round(stage: Stage, task: TaskId) -> tuple[SegmentRecord, RoundCertificate]:
    ledger = stage.ledger(task)
    record = ledger.extend((stage.train(ledger),))
    return record, record.certificate(stage.contracts.deployment.domain, ledger.epoch)


def test_equivocation__two_replies_for_one_number__cost_the_stake_once_and_the_work_goes_on(
    trio: Stage,
) -> None:
    task = trio.post()
    time.sleep(1.0)  # a word about a task that a validator has not heard of yet is dropped
    ledger, before = trio.ledger(task), stakes(trio)
    record, true = next_round(trio, task)
    false = replace(true, model=sha256(b"another model"))
    twin = liar(trio)
    words = [twin.reply(ledger.members, task, 1, certificate) for certificate in (true, false)]

    def slashed() -> bool:
        twin.say(*words, twin.request(task, 1, false))
        return bool(proven(trio, task))

    trio.propose(ledger, record)
    assert trio.client.read_until(slashed, SLASHED_S), trio.network.supervisor.log_tail(HONEST[0])
    trio.certified(task, 1)
    trio.propose(trio.ledger(task), next_round(trio, task)[0])
    trio.certified(task, 2)
    after, (event,) = stakes(trio), proven(trio, task)
    lost = trio.contracts.committee.validator_stake()
    assert after == {**before, LIAR: before[LIAR] - lost}
    assert (event.signer, event.amount) == (address(trio, LIAR), lost)
    assert event.reporter in {address(trio, name) for name in HONEST}
    assert address(trio, LIAR) not in trio.contracts.committee.pool()
    for kind in ("contradiction", "proof"):
        assert set.union(*exported(trio, kind).values()) == {address(trio, LIAR)}
    twin.close()


def test_equivocation__certificate_never_shown__is_exported_and_costs_nothing(trio: Stage) -> None:
    trio.contracts.client.rpc("anvil_mine", "0x1")
    task = trio.post()
    time.sleep(1.0)
    ledger, before = trio.ledger(task), stakes(trio)
    _, true = next_round(trio, task)
    secret = [replace(true, model=sha256(b"secret %d" % number)) for number in (1, 2)]
    twin = liar(trio)
    words = [twin.reply(ledger.members, task, 1, certificate) for certificate in secret]

    def kept() -> bool:
        twin.say(*words)  # again and again: who has not heard of the task drops them
        return all(
            any(json.loads(line)["task"] == str(task) for line in path.read_text().splitlines())
            for name in HONEST
            if (path := trio.network.layout.state(name) / "evidence.jsonl").exists()
        )

    assert trio.client.read_until(kept, SLASHED_S)
    assert not proven(trio, task)
    assert stakes(trio) == before
    twin.close()


def test_validator__asked_to_end_while_a_transaction_waits__ends_at_once(trio: Stage) -> None:
    task = trio.post()
    time.sleep(1.0)
    client = trio.contracts.client
    # The network's clock would mine what waits, between two looks at it.
    trio.network.supervisor.kill("clock")
    client.rpc("evm_setAutomine", False)
    trio.propose(trio.ledger(task), next_round(trio, task)[0])

    def waits() -> bool:
        return int(client.rpc("txpool_status")["pending"], 16) > 0

    assert trio.client.read_until(waits, SLASHED_S), "\n".join(
        [*trio.client.statuses, *(trio.network.supervisor.log_tail(name) for name in HONEST)]
    )
    processes = [psutil.Process(entry.pid) for entry in trio.network.supervisor.table if entry.name in HONEST]
    assert len(processes) == len(HONEST)
    for process in processes:
        os.kill(process.pid, signal.SIGTERM)
    _, alive = psutil.wait_procs(processes, timeout=ENDS_S)
    assert not alive
