"""A miner computes what was measured on machines like its own, and says what it leaves alone."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from protocol.chain.market import OnchainTask, TaskStatus
from protocol.ids import TaskId
from protocol.policy import NotCalibrated
from tests.unit.worker.parts import bench, onchain
from worker.coverage import (
    MEASURED_CAPABILITIES,
    MEASURED_MACHINES,
    Arithmetic,
    NoWorkHere,
    covered_tasks,
    require_covered,
)

HERE = Arithmetic(device="cpu", machine="x86_64", capability="AVX2")
RECORD = Path(__file__).parents[3] / "benchmarks" / "records" / "verification-cpu.json"


class FakeMarket:
    """Tasks 1.. in order."""

    def __init__(self, *tasks: OnchainTask) -> None:
        self._tasks = tasks

    def task_count(self) -> int:
        return len(self._tasks)

    def task(self, task_id: TaskId) -> OnchainTask:
        return replace(self._tasks[task_id - 1], task_id=task_id)


def said(tmp_path: Path, arithmetic: Arithmetic, *statuses: TaskStatus) -> str:
    parts = bench(tmp_path)
    market: Any = FakeMarket(*(replace(onchain(parts.spec), status=status) for status in statuses))
    return covered_tasks(market, parts.blobs, arithmetic)


def test_measured_instructions__of_the_record__are_those_a_miner_may_use() -> None:
    record = json.loads(RECORD.read_text())
    assert record["machine"]["machine"] in MEASURED_MACHINES
    names = {setting["aten"].upper() for setting in record["settings"] if setting["aten"]}
    assert names | {record["machine"]["capability"]} == set(MEASURED_CAPABILITIES)


@pytest.mark.parametrize("capability", MEASURED_CAPABILITIES)
def test_coverage__measured_instructions__are_covered(tmp_path: Path, capability: str) -> None:
    parts = bench(tmp_path)
    require_covered(parts.spec, parts.blobs, replace(HERE, capability=capability))


@pytest.mark.parametrize(
    ("arithmetic", "complaint"),
    [
        (replace(HERE, device="cuda:0"), "no limits for mlp in float64 as int16 on cuda"),
        (
            replace(HERE, machine="aarch64", capability="SVE256"),
            "an aarch64 processor that computes with SVE256",
        ),
        (replace(HERE, capability="AMX"), "x86_64 processor that computes with AMX"),
    ],
)
def test_miner__arithmetic_that_nobody_measured__signs_nothing(
    tmp_path: Path, arithmetic: Arithmetic, complaint: str
) -> None:
    parts = bench(tmp_path)
    with pytest.raises(NotCalibrated, match=complaint):
        replace(parts.miner, arithmetic=arithmetic).mine(parts.job(), None)
    assert (parts.trainer.calls, parts.coordinator.delivered) == (0, [])


def test_coverage__open_tasks_of_which_none_is_measured__is_a_refusal_with_reasons(tmp_path: Path) -> None:
    with pytest.raises(NoWorkHere, match=r"task 2: The verification policy has no limits for .* on cuda"):
        said(tmp_path, replace(HERE, device="cuda"), TaskStatus.CLOSED, TaskStatus.OPEN)


def test_coverage__no_open_task__has_nothing_to_refuse(tmp_path: Path) -> None:
    assert said(tmp_path, replace(HERE, device="cuda"), TaskStatus.CLOSED).startswith("0 of 0")


def test_coverage__some_tasks_measured__names_the_others(tmp_path: Path) -> None:
    parts = bench(tmp_path)
    known, strange = onchain(parts.spec), replace(onchain(parts.spec), spec_hash=parts.genesis)
    market: Any = FakeMarket(known, strange)
    found = covered_tasks(market, parts.blobs, HERE)
    assert found.startswith("1 of 2 open tasks were measured for cpu, AVX2; task 2: ")
