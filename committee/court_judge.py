"""Is a challenged leaf as its certificate says? Read from events and blobs alone, by re-execution.

As everywhere, *valid* and *invalid* are statements about the miner's work, and *unknown* (a blob withheld,
the chain out of reach) is an abstention.
"""

from dataclasses import dataclass

from committee.verify import Checker, Finding, Judgement
from protocol.blobs import BlobStore
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
    reported_contribution,
)
from protocol.errors import PeerMisbehaved, PotError
from protocol.ids import TaskId
from protocol.segment import SegmentRecord
from protocol.spec import TaskSpec
from protocol.typed_data import Domain


@dataclass(frozen=True, slots=True, kw_only=True)
class CourtJudge:
    """Judges cases of any task, also of those whose committee it is not on; used by one thread."""

    contracts: Contracts
    blobs: BlobStore
    checker: Checker

    def judge(self, task_id: TaskId, case: OnchainCase) -> Judgement:
        """What re-execution says of the work behind a case.

        A contribution is invalid when: its miner did not sign it, it is for other work than its place in
        the record, or it fails re-execution. A fault is valid work when: no report in the records carries
        the miner's signed contribution, or that one passes re-execution.
        """
        try:
            certified = read_certified(self.contracts, task_id)
            spec = read_spec(certified.created, self.blobs)
            record = self._record(certified, case.index)
            matter = matter_of(record, case, self._domain)
            if case.kind is CaseKind.CONTRIBUTION:
                return self._contribution(spec, record, matter)
            return self._fault(spec, certified, case.index, matter)
        except PotError as error:
            return Judgement(finding=Finding.UNKNOWN, reason=str(error))

    @property
    def _domain(self) -> Domain:
        return self.contracts.deployment.domain

    def _record(self, certified: Certified, index: int) -> SegmentRecord:
        return read_record(self.blobs, certified.certificates[index].certificate, self._domain)

    def _contribution(self, spec: TaskSpec, record: SegmentRecord, matter: Matter) -> Judgement:
        assert matter.signed is not None
        try:
            check_place(spec, record, matter.signed, self._domain)
        except PeerMisbehaved as error:
            return Judgement(finding=Finding.INVALID, reason=str(error), faults=(matter.signed,))
        return self.checker.reexecute(spec, matter.signed)

    def _fault(self, spec: TaskSpec, certified: Certified, index: int, matter: Matter) -> Judgement:
        assert matter.fault is not None
        signed = reported_contribution(self.blobs, certified, index, matter.fault, self._domain)
        if signed is None:
            return Judgement(finding=Finding.VALID, reason="no report carries work that the miner signed")
        return self.checker.reexecute(spec, signed)
