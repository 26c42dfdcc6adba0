"""Read models of tasks: what people see, computed from one consistent snapshot."""

from collections.abc import Mapping

from sqlalchemy import select

from coordinator.domain.faults import proven
from coordinator.domain.lifecycle import TaskStatus
from coordinator.domain.money import Funds, sheet
from coordinator.store.chain_tables import CertificateRow, Task
from coordinator.store.tasks import committee_of
from coordinator.store.unit_of_work import Transaction
from coordinator.store.work_tables import Answer, ContributionRow, LeaseRow, Round
from coordinator.view_models import (
    AccountView,
    Certificate,
    ContributionView,
    Escrow,
    FaultView,
    LeaseView,
    Page,
    ProposalView,
    RoundView,
    TaskDetail,
    TaskSummary,
)
from protocol.certificate import RoundCertificate
from protocol.chain.history import signers_of
from protocol.evidence import Fault
from protocol.ids import Address, TaskId

MAX_PAGE = 500
NEWEST = 50


def page_limit(limit: int) -> int:
    return max(1, min(limit, MAX_PAGE))


def list_tasks(tx: Transaction, *, before: int | None, limit: int, poster: str | None) -> Page[TaskSummary]:
    """Tasks, newest first; ``before`` is the cursor."""
    query = select(Task).order_by(Task.task_id.desc()).limit(page_limit(limit) + 1)
    if before is not None:
        query = query.where(Task.task_id < before)
    if poster is not None:
        query = query.where(Task.poster == poster)
    rows = list(tx.session.scalars(query))
    shown = rows[: page_limit(limit)]
    more = len(rows) > len(shown)
    return Page(
        items=[summary(tx, row) for row in shown], next=str(shown[-1].task_id) if more and shown else None
    )


def escrow_of(tx: Transaction, task: Task) -> Escrow:
    """The balance sheet of a task."""
    last, final = tx.chain.last_certificate(TaskId(task.task_id)), newest_final(tx, task)
    funds = Funds(
        rounds=task.rounds,
        shards=task.shards,
        reward_per_shard=task.reward_per_shard,
        fee_per_round=task.fee_per_round,
        escrow=task.escrow,
        certified_round=task.certified_round,
        last_span=last.last_round - last.first_round + 1 if last else 0,
        last_signers=last.signers.bit_count() if last else 0,
        paid_total=task.paid_total,
        final_total=RoundCertificate.decode(final.encoded).paid_total if final else 0,
        claimed_total=task.claimed_total,
        fees_claimed=task.fees_claimed,
        refund=task.refund,
    )
    found = sheet(funds, TaskStatus(task.status))
    return Escrow(
        funded=str(found.funded),
        reserved=str(found.reserved),
        paid=str(found.paid),
        claimable=str(found.claimable),
        waiting=str(found.waiting),
        refundable=str(found.refundable),
        refunded=str(found.refunded),
    )


def newest_final(tx: Transaction, task: Task) -> CertificateRow | None:
    """The newest certificate that can be claimed from at the time of the newest block."""
    cursor = tx.chain.cursor()
    return tx.chain.newest_final(task, cursor.timestamp) if cursor is not None else None


def summary(tx: Transaction, task: Task) -> TaskSummary:
    """One task in a list."""
    computed = _newest(tx, task, evaluated=False)
    evaluated = _newest(tx, task, evaluated=True)
    spec = task.spec or {}
    return TaskSummary(
        task_id=str(task.task_id),
        title=str(spec.get("title", "")),
        status=task.status,
        note=task.note,
        poster=task.poster,
        arch=str(spec.get("model", {}).get("arch", "")),
        round=computed.number if computed else 0,
        certified_round=task.certified_round,
        rounds=task.rounds,
        shards=task.shards,
        loss=_nats(computed.loss_micros) if computed else None,
        accuracy=_accuracy(evaluated) if evaluated else None,
        starts_at=task.starts_at,
        deadline=task.deadline,
        escrow=escrow_of(tx, task),
    )


def _newest(tx: Transaction, task: Task, *, evaluated: bool) -> Round | None:
    query = select(Round).where(Round.task_id == task.task_id)
    query = query.where(Round.total > 0) if evaluated else query.where(Round.model.is_not(None))
    return tx.session.scalar(query.order_by(Round.number.desc()).limit(1))


def _nats(micros: int | None) -> float | None:
    return None if micros is None else micros / 1e6


def _accuracy(row: Round) -> float | None:
    return row.correct / row.total if row.total and row.correct is not None else None


def list_rounds(tx: Transaction, task_id: int, *, after: int, limit: int) -> Page[RoundView]:
    """Rounds above ``after``, ascending."""
    rows = tx.rounds.above(task_id, after, page_limit(limit) + 1)
    shown = rows[: page_limit(limit)]
    items = [
        RoundView(
            round=row.number,
            status=row.status,
            parent_model=row.parent_model.hex(),
            model=row.model.hex() if row.model else None,
            loss=_nats(row.loss_micros),
            accuracy=_accuracy(row),
            test_loss=_nats(row.test_loss_micros),
            opened_s=row.opened_s,
            closed_s=row.closed_s,
        )
        for row in shown
    ]
    return Page(items=items, next=str(shown[-1].number) if len(rows) > len(shown) else None)


def list_certificates(tx: Transaction, task: Task, *, before: int | None, limit: int) -> Page[Certificate]:
    """Certificates, newest first; ``before`` is a last round."""
    query = select(CertificateRow).where(CertificateRow.task_id == task.task_id)
    if before is not None:
        query = query.where(CertificateRow.last_round < before)
    newest = query.order_by(CertificateRow.last_round.desc()).limit(page_limit(limit) + 1)
    rows = list(tx.session.scalars(newest))
    shown = rows[: page_limit(limit)]
    items = [_certificate(row, task) for row in shown]
    return Page(items=items, next=str(shown[-1].last_round) if len(rows) > len(shown) else None)


def _final_at(row: CertificateRow, task: Task) -> int | None:
    frozen = task.disputed_from is not None and row.number >= task.disputed_from
    return None if frozen or row.void else row.matures_at


def _certificate(row: CertificateRow, task: Task) -> Certificate:
    value = RoundCertificate.decode(row.encoded)
    return Certificate(
        number=row.number,
        final_at=_final_at(row, task),
        void=row.void,
        first_round=row.first_round,
        last_round=row.last_round,
        model=value.model.hex(),
        segment=value.segment.hex(),
        paid_total=str(value.paid_total),
        signers=list(signers_of(committee_of(task), row.signers)),
        tx_hash="0x" + row.tx_hash.hex(),
        block_number=row.block_number,
        gas_used=row.gas_used,
        timestamp=row.timestamp,
    )


def list_contributions(
    tx: Transaction, *, task_id: int, before: int | None, limit: int, miner: str | None, verdict: str | None
) -> Page[ContributionView]:
    """Contributions of a task, newest first; ``before`` is an id."""
    query = select(ContributionRow).where(ContributionRow.task_id == task_id)
    if before is not None:
        query = query.where(ContributionRow.id < before)
    if miner is not None:
        query = query.where(ContributionRow.miner == miner)
    if verdict is not None:
        query = query.where(ContributionRow.verdict == verdict)
    newest = query.order_by(ContributionRow.id.desc()).limit(page_limit(limit) + 1)
    rows = list(tx.session.scalars(newest))
    shown = rows[: page_limit(limit)]
    items = [
        ContributionView(
            id=row.id,
            round=row.round,
            shard=row.shard,
            miner=row.miner,
            gradient=row.gradient.hex(),
            loss=row.loss_micros / 1e6,
            verdict=row.verdict,
            reason=row.reason,
            received_s=row.received_s,
        )
        for row in shown
    ]
    return Page(items=items, next=str(shown[-1].id) if len(rows) > len(shown) else None)


def task_detail(tx: Transaction, task: Task) -> TaskDetail:
    """Everything about one task."""
    newest = list_contributions(tx, task_id=task.task_id, before=None, limit=NEWEST, miner=None, verdict=None)
    return TaskDetail(
        summary=summary(tx, task),
        spec_hash=task.spec_hash.hex(),
        spec=task.spec,
        genesis_model=task.genesis_model.hex(),
        model=task.certified_model.hex(),
        epoch=task.epoch,
        challenge_window=task.challenge_window,
        committee_size=task.committee_size,
        members=list(committee_of(task)),
        disputed_from=task.disputed_from,
        tx_hash="0x" + task.tx_hash.hex(),
        certificates=list_certificates(tx, task, before=None, limit=NEWEST).items,
        contributions=newest.items,
        leases=_leases(tx, task),
        proposal=_proposal(tx, task),
        accounts=accounts_of(tx, task),
        faults=_faults(tx, task),
    )


def _leases(tx: Transaction, task: Task) -> list[LeaseView]:
    query = select(LeaseRow).where(LeaseRow.task_id == task.task_id)
    rows = tx.session.scalars(query.order_by(LeaseRow.round, LeaseRow.shard).limit(MAX_PAGE))
    return [
        LeaseView(
            round=row.round,
            shard=row.shard,
            miner=row.miner,
            attempt=row.attempt,
            granted_s=row.granted_s,
            sent_s=row.sent_s,
            lease_s=row.lease_s,
        )
        for row in rows
    ]


def _proposal(tx: Transaction, task: Task) -> ProposalView | None:
    row = tx.committee.in_flight(task.task_id)
    if row is None:
        return None
    answers = tx.session.scalars(select(Answer).where(Answer.segment_id == row.id))
    return ProposalView(
        first_round=row.first_round,
        last_round=row.last_round,
        sends=row.sends,
        sent_s=row.sent_s,
        answers={a.member: f"{a.answer}: {a.reason}" if a.reason else a.answer for a in answers},
    )


def accounts_of(tx: Transaction, task: Task) -> list[AccountView]:
    """Earned, claimed and claimable per account; the fee of the last certificate counts once it is
    claimed.
    """
    money = _Money(tx, task)
    return [money.of(account) for account in sorted({*money.earned, *money.claimed}, key=str.lower)]


def account_of(tx: Transaction, task: Task, account: str) -> AccountView:
    """The same for one account."""
    return _Money(tx, task).of(account)


class _Money:
    """What the accounts of one task have earned and taken."""

    def __init__(self, tx: Transaction, task: Task) -> None:
        task_id = TaskId(task.task_id)
        self.earned = tx.tasks.earned(task_id)
        self.claimed: dict[str, int] = {}
        for event in tx.chain.of_task(task.task_id, "Claimed"):
            self.claimed[event.account or ""] = self.claimed.get(event.account or "", 0) + (event.amount or 0)
        final, last = newest_final(tx, task), tx.chain.last_certificate(task_id)
        self._settled = self.earned
        if final is None or (last is not None and final.number != last.number):
            self._settled = tx.tasks.payouts_of(task_id, final.number) if final is not None else {}
        self._final_at = _final_at(last, task) if last else None

    def of(self, account: str) -> AccountView:
        claimed = self.claimed.get(account, 0)
        return _account(Address(account), self.earned, self._settled, claimed, self._final_at)


def _account(
    account: Address,
    earned: Mapping[Address, int],
    settled: Mapping[Address, int],
    claimed: int,
    claimable_at: int | None,
) -> AccountView:
    due = max(0, settled.get(account, 0) - claimed)
    waiting = earned.get(account, 0) - max(settled.get(account, 0), claimed)
    return AccountView(
        account=account,
        earned=str(earned.get(account, 0)),
        claimed=str(claimed),
        claimable=str(due),
        waiting=str(max(0, waiting)),
        claimable_at=claimable_at if waiting > 0 else None,
    )


def _faults(tx: Transaction, task: Task) -> list[FaultView]:
    reports = tx.committee.reports(task.task_id)
    sure = proven(reports, committee_of(task))
    reporters: dict[Fault, list[str]] = {}
    for reporter, report in reports:
        reporters.setdefault(report.fault, []).append(reporter)
    return [
        FaultView(
            round=fault.round,
            shard=fault.shard,
            miner=fault.miner,
            gradient=fault.gradient.hex(),
            reporters=sorted(names),
            proven=fault in sure,
        )
        for fault, names in sorted(reporters.items())
    ]
