"""What was asked of the committee and what its members said: segments, answers, fault reports,
attestations."""

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from coordinator.store.work_tables import Answer, AttestationRow, FaultReportRow, Segment
from protocol.attestation import Attestation
from protocol.evidence import FaultReport
from protocol.ids import Address, Sha256, TaskId

IN_FLIGHT, CERTIFIED, WITHDRAWN = "in flight", "certified", "withdrawn"


class CommitteeBook:
    """Rows of ``segments``, ``answers``, ``fault_reports`` and ``attestations``."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def in_flight(self, task_id: TaskId | int) -> Segment | None:
        query = select(Segment).where(Segment.task_id == task_id, Segment.state == IN_FLIGHT)
        return self._session.scalar(query)

    def all_in_flight(self) -> list[Segment]:
        return list(self._session.scalars(select(Segment).where(Segment.state == IN_FLIGHT)))

    def values(self, task_id: TaskId, last_round: int) -> list[bytes]:
        """The encoded certificates that were asked for up to ``last_round``."""
        query = select(Segment.value).where(Segment.task_id == task_id, Segment.last_round == last_round)
        return list(self._session.scalars(query))

    def add_segment(self, row: Segment) -> None:
        self._session.add(row)
        self._session.flush()

    def refusals(self, segment_id: int) -> int:
        """How many members rejected the segment."""
        query = select(func.count()).select_from(Answer)
        found = self._session.scalar(
            query.where(Answer.segment_id == segment_id, Answer.answer == "rejected")
        )
        return found or 0

    def answer(self, segment: Segment, member: Address, answer: str, reason: str, now_s: float) -> bool:
        """Keep a member's last word; whether it is another one than before."""
        known = self._session.get(Answer, (segment.id, member))
        if known is not None and (known.answer, known.reason) == (answer, reason):
            return False
        self._session.merge(
            Answer(segment_id=segment.id, member=member, answer=answer, reason=reason, at_s=now_s)
        )
        return True

    def add_report(self, report: FaultReport, reporter: Address, now_s: float) -> bool:
        """Keep a report; whether it is one more."""
        fault = report.fault
        query = select(FaultReportRow.id).where(
            FaultReportRow.task_id == report.task_id,
            FaultReportRow.round == fault.round,
            FaultReportRow.shard == fault.shard,
            FaultReportRow.miner == fault.miner,
            FaultReportRow.gradient == fault.gradient,
            FaultReportRow.parent_model == fault.parent_model,
            FaultReportRow.reporter == reporter,
        )
        if self._session.scalar(query) is not None:
            return False
        self._session.add(
            FaultReportRow(
                task_id=report.task_id,
                round=fault.round,
                shard=fault.shard,
                miner=fault.miner,
                gradient=fault.gradient,
                parent_model=fault.parent_model,
                reporter=reporter,
                document=report.to_json(),
                at_s=now_s,
            )
        )
        self._session.flush()
        return True

    def reports(self, task_id: TaskId | int) -> list[tuple[Address, FaultReport]]:
        """(reporter, report), in the order of arrival."""
        query = select(FaultReportRow).where(FaultReportRow.task_id == task_id).order_by(FaultReportRow.id)
        return [
            (Address(row.reporter), FaultReport.from_json(row.document))
            for row in self._session.scalars(query)
        ]

    def add_attestation(self, item: Attestation, validator: Address) -> bool:
        """Keep a validator's word on a segment; whether it is its first."""
        if self._session.get(AttestationRow, (item.task_id, item.segment, validator)) is not None:
            return False
        self._session.add(
            AttestationRow(
                task_id=item.task_id, segment=item.segment, validator=validator, document=item.to_json()
            )
        )
        self._session.flush()
        return True

    def attestations(self, task_id: TaskId | int, segment: Sha256) -> dict[Address, Attestation]:
        """Who has said what about a segment."""
        query = select(AttestationRow).where(
            AttestationRow.task_id == task_id, AttestationRow.segment == segment
        )
        return {
            Address(row.validator): Attestation.from_json(row.document)
            for row in self._session.scalars(query)
        }
