"""What is due in the disputes of a task, done by whoever asks for it: nobody else need be there."""

from typing import Any

from pot.client import Client
from pot.output import Reply
from protocol.chain.docket import BEATEN, Docket, Step, call_of, read_dockets, step_text, steps
from protocol.errors import Refused
from protocol.ids import TaskId

PASSES = 3
"""One step can make the next one possible: a dispute that lapses has bonds to pay out."""


def settle_reply(client: Client, number: int) -> Reply:
    """Take every step that anybody may take now. Raises Refused, ServiceUnreachable."""
    task = client.task(TaskId(number))
    done: list[dict[str, Any]] = []
    for _ in range(PASSES):
        due = _due(client, task.task_id)
        if not due:
            break
        done += [entry for docket, step in due if (entry := _take(client, docket, step)) is not None]
    data = {"task_id": str(number), "steps": done}
    if not done:
        return Reply(data=data, text=[f"Nothing is due in task {number}; see `pot disputes {number}`."])
    return Reply(data=data, text=[f"dispute {entry['dispute']}: {entry['step']}" for entry in done])


def _due(client: Client, task_id: TaskId) -> list[tuple[Docket, Step]]:
    found = read_dockets(client.contracts, task_id)
    return [(docket, step) for docket in found for step in steps(docket, docket.block, docket.time_s)]


def _take(client: Client, docket: Docket, step: Step) -> dict[str, Any] | None:
    try:
        receipt = client.sender.send(call_of(client.contracts, client.blobs, docket, step))
    except Refused as error:
        if error.reason in BEATEN:
            return None
        raise
    return {
        "dispute": docket.number,
        "step": step_text(step),
        "tx_hash": "0x" + receipt.tx_hash.hex(),
        "gas_used": receipt.gas_used,
    }
