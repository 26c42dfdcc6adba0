"""What committee members say: answers to a segment, fault reports, and what they executed."""

from typing import Final, Literal

from coordinator.domain.faults import proven
from coordinator.services.context import Context
from coordinator.store.tasks import committee_of
from protocol.attestation import Attestation
from protocol.certificate import RoundCertificate
from protocol.errors import PeerMisbehaved
from protocol.evidence import FaultReport
from protocol.ids import Address, TaskId, sha256

Answer = Literal["accepted", "rejected", "decided"]
MAX_REASON: Final = 500
MAX_FAULTS: Final = 256  # distinct faults per task; more is a flood


def handle_answer(
    ctx: Context, task_id: TaskId, member: Address, digest: bytes, answer: Answer, reason: str
) -> None:
    """Note a member's word on the segment in flight; words about anything else are ignored.

    ``digest`` is the sha256 of the value spoken of. The caller has made sure that ``member`` says so.
    """
    now_s = ctx.now_s()
    with ctx.store.write() as tx:
        segment, task = tx.committee.in_flight(task_id), tx.tasks.get(task_id)
        if segment is None or task is None or sha256(segment.value) != digest:
            return
        if member not in committee_of(task):
            raise PeerMisbehaved(f"answer about task {task_id}", f"{member} is not on its committee")
        if tx.committee.answer(segment, member, answer, reason[:MAX_REASON], now_s):
            tx.feed.add(
                "segment.answer",
                now_s,
                task_id,
                last_round=segment.last_round,
                member=member,
                answer=answer,
                reason=reason[:MAX_REASON],
            )


def handle_fault_report(ctx: Context, report: FaultReport) -> bool:
    """Keep a signed fault report; whether it is one more.

    Accepted when: it is for a task we know and its spec, a member of the task's committee signed it, and the
    book is not full. Raises PeerMisbehaved otherwise.
    """
    reporter, c = report.reporter(ctx.domain), report.contribution.contribution
    subject = f"fault report of {reporter}"
    now_s = ctx.now_s()
    with ctx.store.write() as tx:
        task = tx.tasks.get(c.task_id)
        if task is None or c.spec_hash != task.spec_hash:
            raise PeerMisbehaved(subject, "it is for a task or spec that is not known here")
        members = committee_of(task)
        if reporter not in members:
            raise PeerMisbehaved(subject, "it is not by a member of the task's committee")
        known = tx.committee.reports(task.task_id)
        faults = {item.fault for _, item in known}
        if report.fault not in faults and len(faults) >= MAX_FAULTS:
            raise PeerMisbehaved(subject, f"more than {MAX_FAULTS} faults are reported")
        before = proven(known, members)
        if not tx.committee.add_report(report, reporter, now_s):
            return False
        said = {"round": c.round, "shard": c.shard, "miner": c.miner}
        tx.feed.add("fault.reported", now_s, c.task_id, reporter=reporter, **said)
        if report.fault not in before and report.fault in proven([*known, (reporter, report)], members):
            tx.feed.add("fault.proven", now_s, c.task_id, **said)
    return True


def handle_attestation(ctx: Context, item: Attestation) -> bool:
    """Keep a member's attestation for the record that follows; whether it is its first on that certificate.

    Accepted when: a member of the task's committee signed it, and it is about a segment that was asked for
    here, or the last one that was certified. Raises PeerMisbehaved otherwise.
    """
    validator = item.validator(ctx.domain)
    subject = f"attestation of {validator}"
    with ctx.store.write() as tx:
        task = tx.tasks.get(item.task_id)
        if task is None or validator not in committee_of(task):
            raise PeerMisbehaved(subject, "it is not by a member of a committee that is known here")
        values = tx.committee.values(item.task_id, item.last_round)
        last = tx.chain.last_certificate(item.task_id)
        if last is not None:
            values.append(last.encoded)
        if not any(_is_about(item, RoundCertificate.decode(value)) for value in values):
            raise PeerMisbehaved(subject, "it is about a segment that is not known here")
        return tx.committee.add_attestation(item, validator)


def _is_about(item: Attestation, certificate: RoundCertificate) -> bool:
    said = (item.first_round, item.last_round, item.segment)
    return said == (certificate.first_round, certificate.last_round, certificate.segment)
