"""The chain has spoken: our rounds follow its certificates, whoever proposed them."""

from coordinator.domain.lifecycle import RoundEvent, RoundStatus
from coordinator.services.context import Context
from coordinator.services.ledgers import read_record
from coordinator.services.prepare_task import chain_time_s
from coordinator.services.roll_back import discard_above, withdraw
from coordinator.store.chain_tables import CertificateRow, Task
from coordinator.store.committee_book import CERTIFIED, WITHDRAWN
from coordinator.store.unit_of_work import Transaction
from coordinator.store.work_tables import Round
from protocol.ids import TaskId
from protocol.segment import RoundRecord, SegmentRecord

MAX_AT_ONCE = 64


def adopt_certificates(ctx: Context, task_id: TaskId) -> bool:
    """Bring rounds, contributions and payouts of a task up to its last certificate; False when there is more.

    Rounds of ours that were certified as they are keep their times and losses; others are replaced from
    the segment record. After a reorganisation everything is compared again from the first round. Raises
    BlobMissing, ServiceUnreachable or VerificationFailed when a record cannot be had.
    """
    with ctx.store.read() as tx:
        task = tx.tasks.get(task_id)
        if task is None or is_adopted(task):
            return True
        rows = tx.chain.certificates_after(task_id, task.adopted_round, MAX_AT_ONCE)
        last = tx.rounds.get(task_id, task.adopted_round)
    follows = bool(rows) and rows[0].first_round == task.adopted_round + 1
    if not follows or (last is not None and not _continues(last, rows[0])):
        _disown(ctx, task_id)
        return task.certified_round == 0
    for row in rows:
        record = read_record(ctx.blobs, ctx.domain, row)
        with ctx.store.write() as tx:
            fresh = tx.tasks.get(task_id)
            if fresh is None or fresh.adopted_round != row.first_round - 1:
                return False
            _adopt(tx, fresh, row, record)
            _finish(ctx, tx, fresh, row, record)
    return rows[-1].last_round == task.certified_round


def is_adopted(task: Task) -> bool:
    """Whether rounds and payouts here are those of the task's last certificate."""
    # One transaction may bring several certificates of a task.
    return (task.adopted_tx, task.adopted_round) == (task.certified_tx, task.certified_round)


def _continues(last: Round, row: CertificateRow) -> bool:
    """Whether the certificate builds on the model that we hold for the round before it."""
    parent_model = row.encoded[5 * 32 : 6 * 32]
    return last.model == parent_model


def _disown(ctx: Context, task_id: TaskId) -> None:
    with ctx.store.write() as tx:
        task = tx.tasks.get(task_id)
        if task is None:
            return
        withdraw(tx, task_id, 1)  # what it builds on is not certified any more
        for row in tx.rounds.above(task_id, 0):
            if row.status == RoundStatus.CERTIFIED:
                tx.rounds.step(row, RoundEvent.UNCERTIFIED)
            elif row.status == RoundStatus.PROPOSED:
                tx.rounds.step(row, RoundEvent.WITHDRAWN)
        for item in tx.shards.counting(task_id, 1):
            item.verdict = "accepted"
        task.adopted_round, task.adopted_tx = 0, task.certified_tx if task.certified_round == 0 else None
        tx.tasks.set_earned(task_id, {})
        tx.tasks.forget_payouts(task_id)
        tx.feed.add("certificate.undone", ctx.now_s(), task_id, certified_round=task.certified_round)


def _adopt(tx: Transaction, task: Task, row: CertificateRow, record: SegmentRecord) -> None:
    if not all(_is_ours(tx, item, task.task_id) for item in record.rounds):
        discard_above(tx, task.task_id, task.adopted_round)
        for item in record.rounds:
            _insert(tx, task, item, row.timestamp)
    for certified in tx.rounds.between(task.task_id, row.first_round, row.last_round):
        tx.rounds.step(certified, RoundEvent.CERTIFIED)
    for contribution in tx.shards.counting(task.task_id, row.first_round, row.last_round):
        contribution.verdict = "certified"
    after = tx.rounds.get(task.task_id, row.last_round + 1)
    if after is not None and after.parent_model != record.model:
        discard_above(tx, task.task_id, row.last_round)


def _is_ours(tx: Transaction, item: RoundRecord, task_id: int) -> bool:
    row = tx.rounds.get(task_id, item.round)
    if row is None or row.model != item.model or row.status == RoundStatus.OPEN:
        return False
    ours = [(c.shard, c.miner, c.gradient) for c in tx.shards.counting(task_id, item.round, item.round)]
    theirs = [(c.shard, c.miner, c.gradient) for c in (s.contribution for s in item.contributions)]
    return ours == theirs


def _insert(tx: Transaction, task: Task, item: RoundRecord, timestamp: int) -> None:
    losses = [signed.contribution.loss_micros for signed in item.contributions]
    tx.rounds.add(
        Round(
            task_id=task.task_id,
            number=item.round,
            status=RoundStatus.COMPUTED.value,
            parent_model=item.parent_model,
            model=item.model,
            opened_s=float(timestamp),
            closed_s=float(timestamp),
            loss_micros=sum(losses) // len(losses),
        )
    )
    for signed in item.contributions:
        tx.shards.add(signed, "accepted", float(timestamp))
    tx.session.flush()


def _finish(ctx: Context, tx: Transaction, task: Task, row: CertificateRow, record: SegmentRecord) -> None:
    segment = tx.committee.in_flight(task.task_id)
    if segment is not None and segment.first_round <= row.last_round:
        segment.state = CERTIFIED if segment.value == row.encoded else WITHDRAWN
        for left in tx.rounds.between(task.task_id, row.last_round + 1, segment.last_round):
            tx.rounds.step(left, RoundEvent.WITHDRAWN)
    tx.tasks.set_earned(TaskId(task.task_id), record.payouts)
    if task.challenge_window:
        final = tx.chain.newest_final(task, chain_time_s(ctx, tx))
        since = final.number if final is not None else 0
        tx.tasks.keep_payouts(TaskId(task.task_id), row.number, record.payouts, since)
    for fault in record.faults:
        tx.shards.mark_faulty(task.task_id, fault)
    task.adopted_round, task.adopted_tx = row.last_round, row.tx_hash
    tx.feed.add(
        "certificate.accepted",
        ctx.now_s(),
        task.task_id,
        first_round=row.first_round,
        last_round=row.last_round,
        tx_hash="0x" + row.tx_hash.hex(),
        gas_used=row.gas_used,
    )
