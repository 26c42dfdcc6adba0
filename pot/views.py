"""Tasks as answers: the list, and one task with its certificates, payouts and money."""

from typing import Any, Final

from pot.amounts import format_amount, format_duration, format_moment
from pot.client import Client
from pot.output import Reply, Table, facts
from pot.task_events import TaskEvents
from protocol.chain.events import Claimed, SigningFeeClaimed, TaskCancelled, TaskClosed
from protocol.chain.finality import final_at, now_s
from protocol.chain.history import signers_of
from protocol.chain.market import OnchainTask, TaskStatus
from protocol.chain.records import read_record
from protocol.draw import needs_draw
from protocol.errors import PotError
from protocol.ids import Address, TaskId

VOID: Final = "void: overturned by an appeal"


def task_json(task: OnchainTask) -> dict[str, Any]:
    """The chain's state of a task: hashes in hex, money as decimal strings, times in Unix seconds."""
    return {
        "task_id": str(task.task_id),
        "status": task.status.name.lower(),
        "poster": task.poster,
        "spec_hash": task.spec_hash.hex(),
        "model": task.model.hex(),
        "last_round": task.last_round,
        "rounds": task.rounds,
        "shards": task.shards,
        "epoch": task.epoch,
        "starts_at": task.starts_at,
        "deadline": task.deadline,
        "escrow": str(task.escrow),
        "paid_total": str(task.paid_total),
        "claimed_total": str(task.claimed_total),
        "challenge_window": task.challenge_window_s,
        "disputed_from": task.disputed_from if task.status is TaskStatus.DISPUTED else None,
    }


def list_tasks(client: Client) -> Reply:
    """Every task of the deployment."""
    tasks = client.tasks()
    rows = [
        (
            str(task.task_id),
            task.status.name.lower(),
            f"{task.last_round}/{task.rounds}",
            format_amount(task.escrow),
            format_amount(task.paid_total),
            task.poster,
        )
        for task in tasks
    ]
    columns = ("task", "status", "rounds", "escrow", "earned", "poster")
    text: list[str | Table] = (
        [Table(columns=columns, rows=rows)] if rows else ["No task has been posted yet."]
    )
    return Reply(data=[task_json(task) for task in tasks], text=text)


def show_task(client: Client, number: int) -> Reply:
    """One task: state, certificates with signers, payouts, and the escrow's balance sheet."""
    task = client.task(TaskId(number))
    history = client.events(task.task_id)
    sheet = balance_sheet(client, task, history)
    members = committee(client, history)
    certificates = _certificates(client, task, history, members)
    payouts, problem = _payouts(client, history)
    data = {
        **task_json(task),
        "committee": {
            "size": history.created.params.committee_size or len(members),
            "members": list(members),
            "drawn_in": None if history.drawn is None else "0x" + history.drawn.where.tx_hash.hex(),
        },
        "claimable_at": _all_claimable_at(certificates),
        "certificates": certificates,
        "payouts": {account: str(amount) for account, amount in payouts.items()},
        "balance": {name: str(amount) for name, amount in sheet.items()},
        "problem": problem,
    }
    text: list[str | Table] = [
        *facts(
            [
                ("task", f"{task.task_id}, {task.status.name.lower()}"),
                ("poster", task.poster),
                ("rounds", f"{task.last_round} of {task.rounds} certified"),
                ("model", task.model.hex()),
                ("spec", task.spec_hash.hex()),
                ("committee", _committee_line(history, members)),
                ("challenge window", _window_line(task)),
                ("payouts", _finality_line(task, certificates)),
                *[(name.replace("_", " "), format_amount(amount)) for name, amount in sheet.items()],
            ]
        ),
        Table(
            title="certificates",
            columns=("rounds", "signers", "state", "transaction"),
            rows=[
                (_span(c["first_round"], c["last_round"]), str(len(c["signers"])), c["state"], c["tx_hash"])
                for c in certificates
            ],
        ),
        Table(
            title="payouts (cumulative)",
            columns=("account", "earned"),
            rows=[(account, format_amount(amount)) for account, amount in payouts.items()],
        ),
    ]
    return Reply(data=data, text=[*text, problem] if problem else text, ok=problem is None)


def _span(first: int, last: int) -> str:
    return str(first) if first == last else f"{first}..{last}"


def balance_sheet(client: Client, task: OnchainTask, history: TaskEvents) -> dict[str, int]:
    """Where the escrow is: funded = claimed + refunded + held, to the last unit."""
    claimed = sum(event.amount for event in history.events if isinstance(event, Claimed | SigningFeeClaimed))
    refunded = sum(event.refund for event in history.events if isinstance(event, TaskClosed | TaskCancelled))
    return {
        "funded": task.escrow,
        "claimed": claimed,
        "refunded": refunded,
        "held": client.contracts.market.held(task.task_id),
    }


def committee(client: Client, history: TaskEvents) -> tuple[Address, ...]:
    """The members of the task's committee; nobody while it is to be drawn."""
    if history.drawn is not None:
        return history.drawn.members
    snapshot = client.contracts.committee.members_of(history.created.epoch)
    return () if needs_draw(history.created.params.committee_size, len(snapshot)) else snapshot


def _committee_line(history: TaskEvents, members: tuple[Address, ...]) -> str:
    size = history.created.params.committee_size
    if not members:
        task_id = history.task_id
        return f"{size} members, still to be drawn: validators do that, or `pot task draw {task_id}`"
    how = "the whole snapshot" if history.drawn is None else "drawn by stake from the snapshot"
    return f"{len(members)} members, {how} of epoch {history.created.epoch}"


def _window_line(task: OnchainTask) -> str:
    if task.challenge_window_s == 0:
        return "none: a certificate is final at once"
    return format_duration(task.challenge_window_s)


def _finality_line(task: OnchainTask, certificates: list[dict[str, Any]]) -> str:
    if task.status is TaskStatus.DISPUTED:
        return f"certificates from number {task.disputed_from} on are in dispute; their payouts wait"
    at = _all_claimable_at(certificates)
    if not certificates:
        return "nothing is certified yet"
    open_ = any(c["state"].startswith("open") for c in certificates)
    return f"all claimable from {format_moment(at)} on" if open_ and at is not None else "all claimable"


def _all_claimable_at(certificates: list[dict[str, Any]]) -> int | None:
    """When everything that is certified can be claimed; None while that is not known."""
    standing = [c for c in certificates if c["state"] != VOID]
    at: int | None = standing[-1]["claimable_at"] if standing else None
    return at


def _certificates(
    client: Client, task: OnchainTask, history: TaskEvents, members: tuple[Address, ...]
) -> list[dict[str, Any]]:
    standing, now = len(history.standing), now_s(client.contracts)
    found = []
    for event in history.certificates:
        at = final_at(client.contracts, task, event) if event.index < standing else None
        found.append(
            {
                "first_round": event.certificate.first_round,
                "last_round": event.certificate.last_round,
                "model": event.certificate.model.hex(),
                "paid_total": str(event.certificate.paid_total),
                "signers": list(signers_of(members, event.signers)),
                "tx_hash": "0x" + event.where.tx_hash.hex(),
                "claimable_at": at,
                "state": VOID if event.index >= standing else _state(at, now),
            }
        )
    return found


def _state(claimable_at: int | None, now: int) -> str:
    if claimable_at is None:
        return "disputed"
    return "final" if claimable_at <= now else f"open until {format_moment(claimable_at)}"


def _payouts(client: Client, history: TaskEvents) -> tuple[dict[str, int], str | None]:
    """Cumulative payouts of the last certificate that stands, and why they cannot be shown."""
    if not history.standing:
        return {}, None
    try:
        record = read_record(client.blobs, history.standing[-1].certificate, client.deployment.domain)
    except PotError as error:
        return {}, f"The payouts cannot be shown: {error}"
    return {str(account): int(amount) for account, amount in record.payouts.items()}, None
