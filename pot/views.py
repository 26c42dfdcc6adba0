"""Tasks as answers: the list, and one task with its certificates, payouts and money."""

from typing import Any

from pot.amounts import format_amount
from pot.client import Client
from pot.output import Reply, Table, facts
from pot.task_events import TaskEvents
from protocol.chain.events import Claimed, SigningFeeClaimed, TaskCancelled, TaskClosed
from protocol.chain.history import signers_of
from protocol.chain.market import OnchainTask
from protocol.chain.records import read_record
from protocol.errors import PotError
from protocol.ids import TaskId


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
    certificates = _certificates(client, task, history)
    payouts, problem = _payouts(client, history)
    data = {
        **task_json(task),
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
                *[(name.replace("_", " "), format_amount(amount)) for name, amount in sheet.items()],
            ]
        ),
        Table(
            title="certificates",
            columns=("rounds", "signers", "transaction"),
            rows=[
                (_span(c["first_round"], c["last_round"]), str(len(c["signers"])), c["tx_hash"])
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


def _certificates(client: Client, task: OnchainTask, history: TaskEvents) -> list[dict[str, Any]]:
    members = client.contracts.committee.members_of_task(task.task_id)
    return [
        {
            "first_round": event.certificate.first_round,
            "last_round": event.certificate.last_round,
            "model": event.certificate.model.hex(),
            "paid_total": str(event.certificate.paid_total),
            "signers": list(signers_of(members, event.signers)),
            "tx_hash": "0x" + event.where.tx_hash.hex(),
        }
        for event in history.certificates
    ]


def _payouts(client: Client, history: TaskEvents) -> tuple[dict[str, int], str | None]:
    """Cumulative payouts of the last certificate, and why they cannot be shown."""
    if not history.certificates:
        return {}, None
    try:
        record = read_record(client.blobs, history.certificates[-1].certificate, client.deployment.domain)
    except PotError as error:
        return {}, f"The payouts cannot be shown: {error}"
    return {str(account): int(amount) for account, amount in record.payouts.items()}, None
