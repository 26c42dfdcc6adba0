"""The committee is asked to certify rounds."""

from coordinator.domain.actions import ProposeSegment, ResendSegment
from coordinator.domain.faults import proven
from coordinator.domain.lifecycle import RoundEvent
from coordinator.services.context import Context
from coordinator.services.segments import round_record
from coordinator.store.chain_tables import Task
from coordinator.store.committee_book import IN_FLIGHT
from coordinator.store.tasks import committee_of
from coordinator.store.unit_of_work import Transaction
from coordinator.store.work_tables import Segment
from protocol.evidence import FaultReport
from protocol.ids import EpochNo, Sha256, TaskId
from protocol.ledger import TaskLedger
from protocol.segment import SegmentRecord


def propose_segment(ctx: Context, task_id: TaskId, action: ProposeSegment) -> None:
    """Publish the segment record, note the segment as in flight, then send the request.

    Proven faults that no certificate names yet travel as evidence, and what the signers of the last
    certificate say that they executed. Raises ServiceUnreachable.
    """
    with ctx.store.read() as tx:
        task = tx.tasks.get(task_id)
        if task is None:
            return
        ledger = ctx.ledgers.of(tx, task)
        record = _record(tx, task, ledger, action)
    ctx.blobs.put(record.blob)
    value = record.certificate(ctx.domain, EpochNo(task.epoch)).encode()
    now_s = ctx.now_s()
    with ctx.store.write() as tx:
        fresh = tx.tasks.get(task_id)
        if fresh is None or fresh.certified_tx != task.certified_tx or tx.committee.in_flight(task_id):
            return
        for row in tx.rounds.between(task_id, action.first_round, action.last_round):
            tx.rounds.step(row, RoundEvent.PROPOSED)
        tx.committee.add_segment(
            Segment(
                task_id=task_id,
                first_round=action.first_round,
                last_round=action.last_round,
                value=value,
                state=IN_FLIGHT,
                sent_s=now_s,
                sends=1,
            )
        )
        seq = tx.chain.certificate_count(task_id) + 1
        tx.feed.add(
            "segment.proposed",
            now_s,
            task_id,
            first_round=action.first_round,
            last_round=action.last_round,
            faults=len(record.fault_evidence),
        )
    ctx.committee.request(task_id, ledger.members, seq, value)


def resend_segment(ctx: Context, task_id: TaskId, _action: ResendSegment) -> None:
    """Send the request for the segment in flight again."""
    with ctx.store.write() as tx:
        task, segment = tx.tasks.get(task_id), tx.committee.in_flight(task_id)
        if task is None or segment is None or task.certified_tx != task.adopted_tx:
            return
        segment.sends += 1
        segment.sent_s = ctx.now_s()
        members = committee_of(task)
        seq, value = tx.chain.certificate_count(task_id) + 1, segment.value
    ctx.committee.request(task_id, members, seq, value)


def _record(tx: Transaction, task: Task, ledger: TaskLedger, action: ProposeSegment) -> SegmentRecord:
    counting = tx.shards.counting(task.task_id, action.first_round, action.last_round)
    rows = tx.rounds.between(task.task_id, action.first_round, action.last_round)
    records = tuple(round_record(row, counting, Sha256(task.spec_hash)) for row in rows)
    last = ledger.last_segment
    said = {} if last is None else tx.committee.attestations(task.task_id, last)
    attestations = tuple(said[signer] for signer in ledger.last_signers if signer in said)
    return ledger.extend(records, _evidence(tx, task, ledger), attestations)


def _evidence(tx: Transaction, task: Task, ledger: TaskLedger) -> tuple[FaultReport, ...]:
    known = set(ledger.faults)
    found = proven(tx.committee.reports(task.task_id), ledger.members)
    return tuple(report for fault, reports in found.items() if fault not in known for report in reports)
