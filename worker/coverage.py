"""Does a task's verification policy cover what this machine computes with? Honest work that nobody measured
may look forged, so a miner does not begin it."""

import platform
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from protocol.blobs import BlobStore
from protocol.chain.market import Market, OnchainTask, TaskStatus
from protocol.errors import PotError
from protocol.ids import TaskId
from protocol.policy import NotCalibrated, load_policy
from protocol.spec import MAX_SPEC_BYTES, TaskSpec
from worker.training.tolerance import limits_of

TASKS_LOOKED_AT: Final = 16
#: What the measurements behind CPU limits were made with: ``benchmarks/records/verification-cpu.json``.
MEASURED_MACHINES: Final = ("x86_64", "AMD64")
MEASURED_CAPABILITIES: Final = ("DEFAULT", "AVX2", "AVX512")


class NoWorkHere(PotError):
    """Open tasks there are, and this machine may honestly compute none of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Arithmetic:
    """What a miner computes with: a torch device such as ``cpu`` or ``cuda:0``, the kind of processor and the
    vector instructions that torch uses on it."""

    device: str
    machine: str
    capability: str

    @classmethod
    def here(cls, device: str) -> "Arithmetic":
        """This process; torch is imported."""
        import torch

        return cls(
            device=device,
            machine=platform.machine(),
            capability=torch.backends.cpu.get_cpu_capability(),
        )


def require_covered(spec: TaskSpec, blobs: BlobStore, arithmetic: Arithmetic) -> None:
    """Raises NotCalibrated where the spec's policy has no limits for this device, or they were not measured
    with these instructions; and what ``load_policy`` raises."""
    limits_of(spec, load_policy(spec.policy_sha256, blobs), arithmetic.device)
    if arithmetic.device.partition(":")[0] != "cpu":
        return
    if arithmetic.machine not in MEASURED_MACHINES or arithmetic.capability not in MEASURED_CAPABILITIES:
        raise NotCalibrated(f"an {arithmetic.machine} processor that computes with {arithmetic.capability}")


def covered_tasks(market: Market, blobs: BlobStore, arithmetic: Arithmetic) -> str:
    """Which of the newest open tasks this machine may compute, as a sentence. Raises NoWorkHere when there
    are some and it is none of them."""
    last = market.task_count()
    tasks = [market.task(TaskId(i)) for i in range(max(1, last - TASKS_LOOKED_AT + 1), last + 1)]
    return _sentence([task for task in tasks if task.status is TaskStatus.OPEN], blobs, arithmetic)


def _sentence(tasks: Sequence[OnchainTask], blobs: BlobStore, arithmetic: Arithmetic) -> str:
    refusals = []
    for task in tasks:
        try:
            require_covered(TaskSpec.parse(blobs.get(task.spec_hash, MAX_SPEC_BYTES)), blobs, arithmetic)
        except PotError as error:
            refusals.append(f"task {task.task_id}: {error}")
    if tasks and len(refusals) == len(tasks):
        raise NoWorkHere(" ".join(refusals[:3]))
    found = f"{len(tasks) - len(refusals)} of {len(tasks)} open tasks were measured for {arithmetic.device}"
    return " ".join([f"{found}, {arithmetic.capability};", *refusals[:3]]) if refusals else found
