"""Read models of the network: miners, validators, totals, the event list."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping

from sqlalchemy import func, select

from coordinator.store.chain_tables import ChainEvent, Epoch, Stake, Task, Validator
from coordinator.store.unit_of_work import Transaction
from coordinator.store.work_tables import MinerRow, TaskAccount
from coordinator.view_models import ChainEventView, MinerView, NetworkView, Page, ValidatorView
from coordinator.views import page_limit
from protocol.chain.deployment import Deployment


def list_miners(tx: Transaction, *, after: str, limit: int, now_s: float) -> Page[MinerView]:
    """Miners that were heard of, by address; ``after`` is the cursor."""
    query = (
        select(MinerRow, Stake)
        .join(Stake, Stake.account == MinerRow.address, isouter=True)
        .where(MinerRow.address > after)
        .order_by(MinerRow.address)
        .limit(page_limit(limit) + 1)
    )
    rows = list(tx.session.execute(query))
    shown = rows[: page_limit(limit)]
    accounts = [miner.address for miner, _ in shown]
    earned, claimed, loads = _earned(tx, accounts), _claimed(tx, accounts), tx.shards.loads()
    items = [_miner(*row, earned, claimed, loads, now_s) for row in shown]
    return Page(items=items, next=accounts[-1] if len(rows) > len(shown) else None)


def _miner(
    miner: MinerRow,
    stake: Stake | None,
    earned: Mapping[str, int],
    claimed: Mapping[str, int],
    loads: Mapping[str, int],
    now_s: float,
) -> MinerView:
    return MinerView(
        address=miner.address,
        live=now_s <= miner.silent_at_s,
        device=miner.device,
        seen_s=miner.seen_s,
        stake=str(stake.stake if stake else 0),
        unbonding=str(stake.unbonding if stake else 0),
        unlocks_at=stake.unlocks_at if stake else 0,
        strikes=miner.strikes,
        leases=loads.get(miner.address, 0),
        earned=str(earned[miner.address]),
        claimed=str(claimed[miner.address]),
    )


def miner_of(tx: Transaction, address: str, now_s: float) -> MinerView | None:
    """One miner; None when it was never heard of."""
    row = tx.session.get(MinerRow, address)
    if row is None:
        return None
    earned, claimed = _earned(tx, [address]), _claimed(tx, [address])
    return _miner(row, tx.session.get(Stake, address), earned, claimed, tx.shards.loads(), now_s)


def _earned(tx: Transaction, accounts: Iterable[str]) -> dict[str, int]:
    totals: dict[str, int] = defaultdict(int)
    query = select(TaskAccount.account, TaskAccount.earned).where(TaskAccount.account.in_(list(accounts)))
    for account, wei in tx.session.execute(query):
        totals[account] += wei
    return totals


def _claimed(tx: Transaction, accounts: Iterable[str]) -> dict[str, int]:
    totals: dict[str, int] = defaultdict(int)
    query = select(ChainEvent.account, ChainEvent.amount).where(
        ChainEvent.account.in_(list(accounts)), ChainEvent.kind.in_(("Claimed", "SigningFeeClaimed"))
    )
    for account, wei in tx.session.execute(query):
        totals[account or ""] += wei or 0
    return totals


def list_validators(tx: Transaction, *, after: str, limit: int) -> Page[ValidatorView]:
    """Validators that ever joined, by address; ``after`` is the cursor."""
    query = (
        select(Validator, Stake)
        .join(Stake, Stake.account == Validator.account, isouter=True)
        .where(Validator.account > after)
        .order_by(Validator.account)
        .limit(page_limit(limit) + 1)
    )
    rows = list(tx.session.execute(query))
    shown = rows[: page_limit(limit)]
    members = set(tx.chain.members(newest_epoch(tx)))
    items = [_validator(row, stake, members) for row, stake in shown]
    return Page(items=items, next=shown[-1][0].account if len(rows) > len(shown) else None)


def _validator(row: Validator, stake: Stake | None, members: Collection[str]) -> ValidatorView:
    return ValidatorView(
        account=row.account,
        endpoint=row.endpoint,
        active=row.active,
        member=row.account in members,
        stake=str(stake.stake if stake else 0),
        unbonding=str(stake.unbonding if stake else 0),
        unlocks_at=stake.unlocks_at if stake else 0,
    )


def validator_of(tx: Transaction, account: str) -> ValidatorView | None:
    """One validator; None when it never joined."""
    row = tx.session.get(Validator, account)
    members = tx.chain.members(newest_epoch(tx))
    return None if row is None else _validator(row, tx.session.get(Stake, account), members)


def newest_epoch(tx: Transaction) -> int:
    """The newest epoch; 0 while there is none."""
    return tx.session.scalar(select(func.max(Epoch.epoch))) or 0


def network(tx: Transaction, deployment: Deployment, now_s: float) -> NetworkView:
    """The network at a glance."""
    cursor = tx.chain.cursor()
    counts = tx.session.execute(select(Task.status, func.count()).group_by(Task.status))
    money = tx.session.execute(select(Task.escrow, Task.claimed_total, Task.fees_claimed)).all()
    live = select(func.count()).select_from(MinerRow).where(MinerRow.silent_at_s >= now_s)
    active = select(func.count()).select_from(Validator).where(Validator.active)
    return NetworkView(
        chain_id=deployment.chain_id,
        contracts={
            "market": deployment.market,
            "vault": deployment.vault,
            "committee": deployment.committee,
            "appeals": deployment.appeals,
            "contest": deployment.contest,
            "canaries": deployment.canaries,
            "token": deployment.token,
        },
        block=cursor.number if cursor else -1,
        block_time=cursor.timestamp if cursor else 0,
        epoch=newest_epoch(tx),
        tasks=dict(counts.all()),
        miners_live=tx.session.scalar(live) or 0,
        validators=tx.session.scalar(active) or 0,
        funded=str(sum(escrow for escrow, _, _ in money)),
        paid=str(sum(claimed + fees for _, claimed, fees in money)),
    )


def list_chain_events(
    tx: Transaction,
    *,
    before: int | None,
    limit: int,
    task_id: int | None,
    account: str | None,
    kind: str | None,
    contest_id: int | None = None,
) -> Page[ChainEventView]:
    """Contract events, newest first; ``before`` is an id."""
    query = select(ChainEvent)
    if before is not None:
        query = query.where(ChainEvent.id < before)
    if task_id is not None:
        query = query.where(ChainEvent.task_id == task_id)
    if contest_id is not None:
        query = query.where(ChainEvent.contest_id == contest_id)
    if account is not None:
        query = query.where(ChainEvent.account == account)
    if kind is not None:
        query = query.where(ChainEvent.kind == kind)
    rows = list(tx.session.scalars(query.order_by(ChainEvent.id.desc()).limit(page_limit(limit) + 1)))
    shown = rows[: page_limit(limit)]
    items = [
        ChainEventView(
            id=row.id,
            block_number=row.block_number,
            tx_hash="0x" + row.tx_hash.hex(),
            log_index=row.log_index,
            kind=row.kind,
            task_id=str(row.task_id) if row.task_id is not None else None,
            contest_id=str(row.contest_id) if row.contest_id is not None else None,
            account=row.account,
            amount=str(row.amount) if row.amount is not None else None,
            data=row.data,
        )
        for row in shown
    ]
    return Page(items=items, next=str(shown[-1].id) if len(rows) > len(shown) else None)
