"""What disputes there are, how far they are, and what can be done about them now."""

from collections.abc import Sequence
from typing import Any

from pot.amounts import format_duration
from pot.client import Client
from pot.disputes.challenge import moment
from pot.output import Reply, Table
from protocol.chain.appeals import CaseKind, OnchainCase
from protocol.chain.docket import Docket, find_matter, read_dockets, step_text, steps
from protocol.errors import PotError
from protocol.ids import TaskId


def list_disputes(client: Client, number: int | None) -> Reply:
    """Every dispute of a task, or of all tasks."""
    tasks = [client.task(TaskId(number))] if number is not None else client.tasks()
    dockets = [docket for task in tasks for docket in read_dockets(client.contracts, task.task_id)]
    now = client.contracts.client.pending_time()
    data = {"disputes": [docket_json(client, docket, now) for docket in dockets]}
    if not dockets:
        where = "There is no dispute" if number is None else f"Task {number} has no dispute"
        return Reply(data=data, text=[f"{where}. `pot challenge` and `pot miner appeal` bring one."])
    rows = [_row(docket, now) for docket in dockets]
    columns = ("task", "dispute", "state", "cases", "upheld", "until", "next")
    text: list[str | Table] = [Table(title="disputes", columns=columns, rows=rows)]
    if number is not None:
        text += [_case_line(client, docket, case) for docket in dockets for case in docket.cases]
    return Reply(data=data, text=text)


def docket_json(client: Client, docket: Docket, now_s: int) -> dict[str, Any]:
    """One dispute as data. Times are Unix seconds, bonds decimal strings in smallest units."""
    dispute = docket.dispute
    return {
        "task_id": str(docket.task_id),
        "dispute": docket.number,
        "status": dispute.status.name.lower(),
        "state": state_of(docket, now_s),
        "join_ends": dispute.join_ends,
        "verdict_ends": dispute.verdict_ends,
        "court": list(docket.court),
        "upheld": [case.number for case in docket.cases if docket.is_upheld(case)],
        "falls_from": docket.falls_from,
        "cases": [_case_json(client, docket, case) for case in docket.cases],
        "next": [step_text(step) for step in steps(docket, docket.block, now_s)],
    }


def state_of(docket: Docket, now_s: int) -> str:
    """Where a dispute is, in a word or two."""
    if not docket.open:
        return docket.dispute.status.name.lower()
    if now_s < docket.dispute.join_ends:
        return "joining"
    if now_s >= docket.dispute.verdict_ends:
        return "overdue"
    return "in court" if docket.court else "awaiting its court"


def _row(docket: Docket, now_s: int) -> Sequence[str]:
    dispute = docket.dispute
    upheld = [str(case.number) for case in docket.cases if docket.is_upheld(case)]
    due = steps(docket, docket.block, now_s)
    until = dispute.join_ends if now_s < dispute.join_ends else dispute.verdict_ends
    left = f" ({format_duration(until - now_s)})" if docket.open and until > now_s else ""
    return (
        str(docket.task_id),
        str(docket.number),
        state_of(docket, now_s),
        str(len(docket.cases)),
        ", ".join(upheld) or "-",
        f"{moment(until)}{left}" if docket.open else "-",
        f"`pot settle {docket.task_id}`: {step_text(due[0])}" if due else "wait" if docket.open else "done",
    )


def _case_line(client: Client, docket: Docket, case: OnchainCase) -> str:
    said = "accepted wrongly" if case.kind is CaseKind.CONTRIBUTION else "declared wrongly"
    outcome = "open"
    if not docket.open:
        outcome = "upheld" if docket.is_upheld(case) else "rejected"
        outcome = "not decided" if docket.dispute.status.name == "LAPSED" else outcome
    kind = case.kind.name.lower()
    return (
        f"dispute {docket.number} case {case.number}: {case.challenger} says that the {kind} of {case.miner}"
        f"{_place_text(client, docket, case)} (certificate {case.index}) was {said}: {outcome}"
        f"{', bond paid out' if case.settled else ''}."
    )


def _place_text(client: Client, docket: Docket, case: OnchainCase) -> str:
    place = _place(client, docket, case)
    return "" if place is None else f" to round {place[0]} shard {place[1]}"


def _place(client: Client, docket: Docket, case: OnchainCase) -> tuple[int, int] | None:
    """(round, shard) of a case; None where the blob store does not tell."""
    if client.settings.blob_url is None:
        return None
    try:
        leaf = find_matter(client.contracts, client.blobs, docket.task_id, case).leaf
    except PotError:
        return None
    return leaf[0], leaf[1]


def _case_json(client: Client, docket: Docket, case: OnchainCase) -> dict[str, Any]:
    place = _place(client, docket, case)
    return {
        "case": case.number,
        "kind": case.kind.name.lower(),
        "certificate": case.index,
        "round": None if place is None else place[0],
        "shard": None if place is None else place[1],
        "miner": case.miner,
        "challenger": case.challenger,
        "leaf": "0x" + case.leaf.hex(),
        "batch": case.batch,
        "bond": str(client.contracts.appeals.bond_of(case.number)),
        "upheld": docket.is_upheld(case),
        "settled": case.settled,
    }
