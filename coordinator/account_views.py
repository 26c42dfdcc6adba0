"""Read models of one account: its part in the network, in every task, and why it has earned nothing."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import func, select

from coordinator.contest_phases import contest_calls
from coordinator.contest_views import ContestSummary, contests_of
from coordinator.domain.lifecycle import TaskStatus
from coordinator.network_views import miner_of, validator_of
from coordinator.store.chain_tables import ChainEvent, Stake, Task
from coordinator.store.unit_of_work import Transaction
from coordinator.store.work_tables import ContributionRow, TaskAccount
from coordinator.view_models import AccountView, MinerView, Page, ValidatorView
from coordinator.views import account_of, page_limit
from protocol.amounts import format_amount
from protocol.ids import Address

_OPEN = (TaskStatus.WAITING.value, TaskStatus.RUNNING.value)


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskPart:
    """An account's money in one task."""

    task_id: int
    title: str
    status: str
    money: AccountView


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountDetail:
    """Amounts are decimal strings in smallest units; ``verdicts`` counts contributions by verdict."""

    address: Address
    miner: MinerView | None
    validator: ValidatorView | None
    stake: str
    unbonding: str
    unlocks_at: int
    verdicts: dict[str, int]
    posted: int
    slashed: str


def account_detail(tx: Transaction, address: Address, now_s: float) -> AccountDetail:
    """What the index knows about ``address``; zeros for a stranger."""
    stake = tx.session.get(Stake, address)
    verdicts = select(ContributionRow.verdict, func.count()).where(ContributionRow.miner == address)
    posted = select(func.count()).select_from(Task).where(Task.poster == address)
    slashes = select(ChainEvent.amount).where(
        ChainEvent.account == address, ChainEvent.kind == "StakeSlashed"
    )
    return AccountDetail(
        address=address,
        miner=miner_of(tx, address, now_s),
        validator=validator_of(tx, address),
        stake=str(stake.stake if stake else 0),
        unbonding=str(stake.unbonding if stake else 0),
        unlocks_at=stake.unlocks_at if stake else 0,
        verdicts=dict(tx.session.execute(verdicts.group_by(ContributionRow.verdict)).all()),
        posted=tx.session.scalar(posted) or 0,
        slashed=str(sum(amount or 0 for amount in tx.session.scalars(slashes))),
    )


def task_parts(tx: Transaction, address: Address, *, before: int | None, limit: int) -> Page[TaskPart]:
    """The tasks in which ``address`` has earned, newest first; ``before`` is a task number."""
    query = select(TaskAccount.task_id).where(TaskAccount.account == address)
    if before is not None:
        query = query.where(TaskAccount.task_id < before)
    newest = query.order_by(TaskAccount.task_id.desc()).limit(page_limit(limit) + 1)
    ids = list(tx.session.scalars(newest))
    shown = ids[: page_limit(limit)]
    items = [_part(task, account_of(tx, task, address)) for task in map(tx.tasks.get, shown) if task]
    return Page(items=items, next=str(shown[-1]) if len(ids) > len(shown) else None)


def _part(task: Task, money: AccountView) -> TaskPart:
    title = str((task.spec or {}).get("title", ""))
    return TaskPart(task_id=task.task_id, title=title, status=task.status, money=money)


@dataclass(frozen=True, slots=True, kw_only=True)
class ContestPart:
    """An account's part in contests: what it posted or entered, what it is owed and was paid in all, and what
    its wallet may sign now."""

    contests: Page[ContestSummary]
    owed: str
    collected: str
    calls: list[dict[str, Any]]


def contest_part(
    tx: Transaction, address: Address, now_s: float, *, before: int | None, limit: int
) -> ContestPart:
    """``before`` is a contest's number."""
    cursor, (owed, collected) = tx.chain.cursor(), tx.contests.money(address)
    found = contests_of(tx, address, before=before, limit=limit)
    rows = [tx.contests.get(item.contest_id) for item in found.items]
    at_s = max(now_s, cursor.timestamp if cursor else 0)
    calls = [call for row in rows if row is not None for call in contest_calls(row, at_s)]
    if owed:
        label = f"Collect {format_amount(owed)} from contests"
        collect = {"contract": "contest", "function": "collect", "arguments": [address], "label": label}
        calls.insert(0, collect)
    return ContestPart(contests=found, owed=str(owed), collected=str(collected), calls=calls)


def why_nothing(tx: Transaction, detail: AccountDetail, now_s: float) -> list[str]:
    """Why a miner has earned nothing, as sentences that end with what to do; empty when it has earned."""
    miner = detail.miner
    if miner is None:
        if detail.validator is not None or detail.posted:
            return []
        return [
            "No miner with this address was ever heard of. A miner begins with `pot miner stake` and "
            "`pot miner run`."
        ]
    if int(miner.earned) > 0:
        return []
    found = [*_silent(miner, now_s), *_too_little_stake(tx, detail)]
    if miner.strikes:
        found.append(f"{miner.strikes} shards that it was given did not come back in time.")
    refused = {
        verdict: count
        for verdict, count in detail.verdicts.items()
        if verdict not in ("accepted", "certified")
    }
    for verdict, number in sorted(refused.items()):
        found.append(f"{number} of its contributions are {verdict}; the list below says why.")
    if detail.verdicts.get("accepted"):
        found.append(
            f"{detail.verdicts['accepted']} contributions are accepted; they earn once their round is "
            "certified."
        )
    return found or ["It was given no shard yet: other miners are as free, or no task runs."]


def _silent(miner: MinerView, now_s: float) -> list[str]:
    if miner.live:
        return []
    age_s = int(now_s - miner.seen_s)
    return [
        f"Its last heartbeat came {age_s:,} s ago, and the next one is overdue: nothing is given to a silent "
        "miner. Look into its log, and run `pot miner doctor`."
    ]


def _too_little_stake(tx: Transaction, detail: AccountDetail) -> list[str]:
    needed = list(tx.session.scalars(select(Task.miner_stake).where(Task.status.in_(_OPEN)).limit(500)))
    if not needed:
        return ["No task is open."]
    least = min(needed)
    if int(detail.stake) >= least:
        return []
    return [
        f"Its stake is {format_amount(int(detail.stake))}; the open tasks ask for {format_amount(least)} or "
        "more. `pot miner stake` adds some."
    ]
