"""The end of a task: proven faults slashed, the task closed, everybody's claims paid."""

import time
from collections.abc import Callable, Iterable
from typing import Final

from pot.client import Client
from protocol import merkle
from protocol.chain.finality import slashable_segment
from protocol.chain.history import TaskHistory, read_task
from protocol.chain.market import TaskStatus
from protocol.ids import TaskId

SLASH_WAIT_S: Final = 15.0
SLASH_POLL_S: Final = 0.3


def slash_faults(poster: Client, task_id: TaskId, say: Callable[[str], None]) -> None:
    """Give the validators time to have certified faults slashed, which pays them a bounty; what they
    leave, the poster slashes, as anybody may. Raises Refused, ServiceUnreachable.
    """
    deadline = time.monotonic() + SLASH_WAIT_S
    history = read_task(poster.contracts, poster.blobs, task_id)
    while _open_faults(history) and time.monotonic() < deadline:
        time.sleep(SLASH_POLL_S)
        history = read_task(poster.contracts, poster.blobs, task_id)
    for index in _open_faults(history):
        fault = history.ledger.faults[index]
        segment = slashable_segment(poster.contracts, history, fault)
        if segment is None:
            continue  # its certificate can still be challenged
        place = segment.record.faults.index(fault)
        proof = merkle.proof(segment.record.fault_leaves(), merkle.FAULT_LEAF, place)
        signed = history.signed_by_miner(fault)
        poster.sender.send(poster.contracts.market.slash(segment.event.record, signed, proof))
        say(f"the poster had {fault.miner} slashed for round {fault.round}, shard {fault.shard}")


def _open_faults(history: TaskHistory) -> list[int]:
    """Places, in the list of certified faults, of those that nobody had slashed."""
    done = {(event.round, event.shard, event.miner, event.gradient) for event in history.slashes}
    faults = history.ledger.faults
    return [index for index, f in enumerate(faults) if (f.round, f.shard, f.miner, f.gradient) not in done]


def close(poster: Client, task_id: TaskId) -> bool:
    """End the task and return the rest of the escrow. One that is not finished can only be closed after its
    deadline, so the local chain's clock is moved there; returns whether it was."""
    task = poster.task(task_id)
    late = task.status is TaskStatus.OPEN
    if late:
        client = poster.contracts.client
        client.rpc("evm_increaseTime", max(0, task.deadline - client.block().timestamp) + 1)
        client.rpc("evm_mine")
    poster.close(task_id)
    return late


def claim_everything(earners: Iterable[Client], task_id: TaskId) -> None:
    """Every earner claims its certified payouts and, as a signer of the last certificate, its fee."""
    for earner in earners:
        earner.claim(*earner.claimable(earner.address, task_id))
