"""Tasks: lists, one task, its rounds, certificates and contributions."""

from fastapi import APIRouter

from coordinator import views
from coordinator.api.deps import After, ApiDep, Before, Limit, TaskPath, Text
from coordinator.store.chain_tables import Task
from coordinator.store.unit_of_work import Transaction
from coordinator.view_models import (
    Certificate,
    ContributionView,
    Page,
    RoundView,
    TaskDetail,
    TaskSummary,
)
from protocol.errors import PotError
from protocol.ids import parse_address

router = APIRouter(prefix="/tasks", tags=["tasks"])


class NoSuchTask(PotError):
    """The index has no such task: it may not be mined yet, or never was."""

    def __init__(self, task_id: int) -> None:
        super().__init__(f"There is no task {task_id}.")


def _task(tx: Transaction, task_id: int) -> Task:
    task = tx.tasks.get(task_id)
    if task is None:
        raise NoSuchTask(task_id)
    return task


@router.get("")
def get_tasks(
    api: ApiDep, limit: Limit = 50, before: Before = None, poster: Text = None
) -> Page[TaskSummary]:
    """Tasks, newest first."""
    who = parse_address(poster) if poster is not None else None
    with api.ctx.store.read() as tx:
        return views.list_tasks(tx, before=before, limit=limit, poster=who)


@router.get("/{task_id}")
def get_task(api: ApiDep, task_id: TaskPath) -> TaskDetail:
    """Everything about one task."""
    with api.ctx.store.read() as tx:
        return views.task_detail(tx, _task(tx, task_id))


@router.get("/{task_id}/rounds")
def get_rounds(api: ApiDep, task_id: TaskPath, limit: Limit = 500, after: After = 0) -> Page[RoundView]:
    """Rounds, ascending."""
    with api.ctx.store.read() as tx:
        return views.list_rounds(tx, _task(tx, task_id).task_id, after=after, limit=limit)


@router.get("/{task_id}/certificates")
def get_certificates(
    api: ApiDep, task_id: TaskPath, limit: Limit = 100, before: Before = None
) -> Page[Certificate]:
    """Certificates, newest first."""
    with api.ctx.store.read() as tx:
        return views.list_certificates(tx, _task(tx, task_id), before=before, limit=limit)


@router.get("/{task_id}/contributions")
def get_contributions(
    api: ApiDep,
    task_id: TaskPath,
    limit: Limit = 100,
    before: Before = None,
    miner: Text = None,
    verdict: Text = None,
) -> Page[ContributionView]:
    """Contributions with their verdicts, newest first."""
    who = parse_address(miner) if miner is not None else None
    with api.ctx.store.read() as tx:
        found = _task(tx, task_id).task_id
        return views.list_contributions(
            tx, task_id=found, before=before, limit=limit, miner=who, verdict=verdict
        )
