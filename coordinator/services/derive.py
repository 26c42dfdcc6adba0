"""What follows from the chain's log: task states, money, validators. The same code goes forward and, after a
reorganisation, back: each row is computed from the log as it stands."""

from coordinator.domain.lifecycle import FINAL_TASK_STATUSES, TaskEvent, TaskStatus
from coordinator.store.chain_log import VALIDATOR_EVENTS, Touched
from coordinator.store.chain_tables import ChainEvent, Task
from coordinator.store.unit_of_work import Transaction
from protocol.certificate import RoundCertificate
from protocol.draw import needs_draw
from protocol.ids import TaskId

DISPUTE_EVENTS = ("TaskDisputed", "DisputeEnded", "CertificatesOverturned")
"""The last of these is where a task's disputes have led."""


def derive(tx: Transaction, added: Touched, undone: Touched, now_s: float) -> None:
    """Compute anew whatever ``added`` events concern and whatever ``undone`` ones concerned."""
    for task_id in sorted(undone.tasks):
        task = tx.tasks.get(task_id)
        if task is not None:
            tx.tasks.step(task, TaskEvent.REWOUND)
            tx.chain.mark_void(task_id, None)
    for task_id in sorted(added.tasks | undone.tasks):
        task = tx.tasks.get(task_id)
        if task is not None:
            _derive_task(tx, task, now_s)
    for account in sorted(added.validators | undone.validators):
        _derive_validator(tx, account)


def _derive_task(tx: Transaction, task: Task, now_s: float) -> None:
    turns = tx.chain.of_task(task.task_id, *DISPUTE_EVENTS)
    _derive_terms(tx, task, turns)
    row = tx.chain.last_certificate(TaskId(task.task_id))
    if row is None:
        task.certified_round, task.certified_model, task.certified_tx = 0, task.genesis_model, None
        task.paid_total = 0
    else:
        certificate = RoundCertificate.decode(row.encoded)
        task.certified_round, task.certified_model = row.last_round, certificate.model
        task.certified_tx, task.paid_total = row.tx_hash, certificate.paid_total
    task.claimed_total = sum(e.amount or 0 for e in tx.chain.of_task(task.task_id, "Claimed"))
    task.fees_claimed = sum(e.amount or 0 for e in tx.chain.of_task(task.task_id, "SigningFeeClaimed"))
    ends = tx.chain.of_task(task.task_id, "TaskClosed", "TaskCancelled")
    task.refund = ends[-1].amount if ends else None
    event = _event(task, ends[-1].kind if ends else "", turns[-1].kind if turns else "")
    if event is not None and tx.tasks.step(task, event):
        tx.shards.drop_leases(task.task_id, 1)
        tx.feed.add("task.status", now_s, task.task_id, status=task.status, note=task.note)


def _derive_terms(tx: Transaction, task: Task, turns: list[ChainEvent]) -> None:
    """Who certifies, and what disputes left standing."""
    snapshot = tx.chain.members(task.epoch)
    drawn = tx.chain.of_task(task.task_id, "CommitteeDrawn")
    if drawn:
        task.members = list(drawn[-1].data["members"])
    elif snapshot and not needs_draw(task.committee_size, len(snapshot)):
        task.members = list(snapshot)
    else:
        task.members = None
    last = turns[-1] if turns else None
    overturned = last is not None and last.kind == "CertificatesOverturned"
    if turns:
        tx.chain.mark_void(task.task_id, int(turns[-1].data["first"]) if overturned else None)
    task.disputed_from = int(last.data["first"]) if last is not None and last.kind == "TaskDisputed" else None


def _event(task: Task, end: str, turn: str) -> TaskEvent | None:
    """The step that the chain's last word on the task asks for, if it was not taken."""
    status = TaskStatus(task.status)
    if status in FINAL_TASK_STATUSES:
        return None
    if end == "TaskCancelled":
        return TaskEvent.CANCELLED
    if end == "TaskClosed":
        return TaskEvent.CLOSED
    if turn == "CertificatesOverturned":
        return None if status is TaskStatus.OVERTURNED else TaskEvent.OVERTURNED
    if task.certified_round == task.rounds and task.status != TaskStatus.COMPLETED:
        return TaskEvent.LAST_ROUND_CERTIFIED
    return None


def _derive_validator(tx: Transaction, account: str) -> None:
    last = tx.chain.last_of_account(account, *VALIDATOR_EVENTS)
    if last is None:
        tx.chain.drop_validator(account)
        return
    told = tx.chain.last_of_account(account, "ValidatorJoined", "EndpointChanged")
    endpoint = told.data["endpoint"] if told is not None else ""
    tx.chain.set_validator(account, endpoint, last.kind != "ValidatorLeft")
