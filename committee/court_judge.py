"""Is a challenged leaf as its certificate says? Read from events and blobs alone, by re-execution.

As everywhere, *valid* and *invalid* are statements about the miner's work, and *unknown* (a blob withheld,
the chain out of reach) is an abstention.
"""

from dataclasses import dataclass, field
from typing import TypeVar

from committee.verify import Checker, Finding, Judgement
from protocol.blobs import BlobStore
from protocol.certificate import RoundCertificate
from protocol.chain.appeals import CaseKind, OnchainCase
from protocol.chain.contracts import Contracts
from protocol.chain.docket import matter_of
from protocol.chain.history import read_spec
from protocol.chain.records import (
    Certified,
    Matter,
    check_place,
    read_certified,
    read_record,
    report_of,
)
from protocol.errors import PeerMisbehaved, PotError
from protocol.ids import TaskId
from protocol.segment import SegmentRecord
from protocol.spec import TaskSpec
from protocol.typed_data import Domain

_K = TypeVar("_K")
_V = TypeVar("_V")
KEPT_TASKS = 16
KEPT_RECORDS = 4
"""What is kept from one case to the next."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CourtJudge:
    """Judges cases of any task, also of those whose committee it is not on; used by one thread."""

    contracts: Contracts
    blobs: BlobStore
    checker: Checker
    _certified: dict[TaskId, Certified] = field(default_factory=dict)
    _records: dict[RoundCertificate, SegmentRecord] = field(default_factory=dict)

    def judge(self, task_id: TaskId, case: OnchainCase) -> Judgement:
        """What re-execution says of the work behind a case.

        A contribution is invalid when: its miner did not sign it, it is for other work than its place in
        the record, or it fails re-execution. A fault is valid work when: no report in the records carries
        the miner's signed contribution, or that one passes re-execution. Where the challenger, or a report,
        says which micro-batch fails, executing that one is enough to find that it does.
        """
        try:
            certified = self._read_certified(task_id, case.index)
            spec = read_spec(certified.created, self.blobs)
            record = self._record(certified, case.index)
            matter = matter_of(record, case, self._domain)
            if case.kind is CaseKind.CONTRIBUTION:
                return self._contribution(spec, record, matter, case.batch)
            return self._fault(spec, certified, case.index, matter)
        except PotError as error:
            # What was read may be of another branch of the chain: the next try reads it again.
            self._certified.pop(task_id, None)
            return Judgement(finding=Finding.UNKNOWN, reason=str(error))

    @property
    def _domain(self) -> Domain:
        return self.contracts.deployment.domain

    def _read_certified(self, task_id: TaskId, index: int) -> Certified:
        """The task's certificates; those of an earlier case will do if the one at ``index`` is among them."""
        known = self._certified.get(task_id)
        if known is None or index >= len(known.certificates):
            known = read_certified(self.contracts, task_id)
            _keep(self._certified, task_id, known, KEPT_TASKS)
        return known

    def _record(self, certified: Certified, index: int) -> SegmentRecord:
        """The record of a certificate; the cases of a dispute are mostly about the same few."""
        certificate = certified.certificates[index].certificate
        record = self._records.get(certificate)
        if record is None:
            record = read_record(self.blobs, certificate, self._domain)
            _keep(self._records, certificate, record, KEPT_RECORDS)
        return record

    def _contribution(self, spec: TaskSpec, record: SegmentRecord, matter: Matter, batch: int) -> Judgement:
        assert matter.signed is not None
        try:
            check_place(spec, record, matter.signed, self._domain)
        except PeerMisbehaved as error:
            return Judgement(finding=Finding.INVALID, reason=str(error), faults=(matter.signed,))
        return self.checker.reexecute(spec, matter.signed, batch)

    def _fault(self, spec: TaskSpec, certified: Certified, index: int, matter: Matter) -> Judgement:
        assert matter.fault is not None
        report = report_of(self.blobs, certified, index, matter.fault, self._domain)
        if report is None:
            return Judgement(finding=Finding.VALID, reason="no report carries work that the miner signed")
        return self.checker.reexecute(spec, report.contribution, report.batch)


def _keep(kept: dict[_K, _V], key: _K, value: _V, most: int) -> None:
    """Remember ``value``, and forget the oldest ones beyond ``most``."""
    kept[key] = value
    while len(kept) > most:
        del kept[next(iter(kept))]
