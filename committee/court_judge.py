"""Is a challenged leaf as its certificate says? Read from events and blobs alone, by re-execution.

As everywhere, *valid* and *invalid* are statements about the miner's work, and *unknown* (a blob withheld,
the chain out of reach) is an abstention.
"""

from dataclasses import dataclass

from committee.verify import Checker, Finding, Judgement
from protocol.blobs import BlobStore
from protocol.chain.appeals import CaseKind, OnchainCase
from protocol.chain.contracts import Contracts
from protocol.chain.history import read_spec
from protocol.chain.records import Certified, Matter, matters_of, read_certified, read_record
from protocol.contribution import SignedContribution
from protocol.errors import PeerMisbehaved, PotError, VerificationFailed
from protocol.evidence import Fault
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
            matter = find_matter(record, case, self._domain)
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
        signed = self._evidence(certified, index, matter.fault)
        if signed is None:
            return Judgement(finding=Finding.VALID, reason="no report carries work that the miner signed")
        return self.checker.reexecute(spec, signed)

    def _evidence(self, certified: Certified, index: int, fault: Fault) -> SignedContribution | None:
        """The miner's own contribution in a report of this fault, from the certificate that declared it
        first. Raises what an unreadable record raises."""
        found: SignedContribution | None = None
        for number in range(index, -1, -1):
            record = self._record(certified, number)
            if fault not in record.faults:
                break
            for report in record.fault_evidence:
                if report.fault == fault and self._is_of_task(certified, report.contribution):
                    found = report.contribution
        return found

    def _is_of_task(self, certified: Certified, signed: SignedContribution) -> bool:
        c, created = signed.contribution, certified.created
        try:
            signed.verify(self._domain)
        except PeerMisbehaved:
            return False
        return (c.task_id, c.spec_hash) == (created.task_id, created.params.spec_hash)


def find_matter(record: SegmentRecord, case: OnchainCase, domain: Domain) -> Matter:
    """The leaf that a case challenges. Raises VerificationFailed when it is not in the record."""
    for matter in matters_of(record, case.kind, domain):
        if matter.leaf_hash == case.leaf:
            return matter
    raise VerificationFailed(f"case {case.number}", "its leaf is not in the record of its certificate")


def check_place(spec: TaskSpec, record: SegmentRecord, signed: SignedContribution, domain: Domain) -> None:
    """Raises PeerMisbehaved unless the miner signed the contribution, and it is for the work of the round
    that the record lists it in."""
    c = signed.contribution
    place = next(item for item in record.rounds if signed in item.contributions)
    signed.verify(domain)
    stated = (c.task_id, c.round, c.spec_hash, c.parent_model, c.samples)
    asked = (record.task_id, place.round, spec.hash, place.parent_model, spec.recipe.samples_per_shard)
    if stated != asked or c.shard >= spec.recipe.shards:
        raise PeerMisbehaved(
            f"contribution to round {c.round} shard {c.shard}",
            "it is for other work than it was accepted for",
        )
