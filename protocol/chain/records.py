"""The segment record behind a certificate, and the leaves of it that can be challenged."""

from collections.abc import Iterable
from dataclasses import dataclass

from protocol import merkle
from protocol.blobs import BlobStore
from protocol.certificate import RoundCertificate
from protocol.chain.appeals import CaseKind
from protocol.chain.contracts import Contracts
from protocol.chain.event_base import Event
from protocol.chain.events import CertificateAccepted, CertificatesOverturned, EventReader, TaskCreated
from protocol.contribution import SignedContribution
from protocol.errors import PeerMisbehaved, Refused, VerificationFailed
from protocol.evidence import Fault, FaultReport
from protocol.ids import TaskId
from protocol.segment import MAX_RECORD_BYTES, SegmentRecord
from protocol.spec import TaskSpec
from protocol.typed_data import Domain


@dataclass(frozen=True, slots=True, kw_only=True)
class Certified:
    """A task's creation and every certificate that it ever had, by index; those from ``standing`` on were
    overturned."""

    created: TaskCreated
    certificates: tuple[CertificateAccepted, ...]
    standing: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Matter:
    """A leaf that can be challenged. ``signed`` is the contribution that was accepted, ``fault`` the fault
    that was declared; the other one is None."""

    kind: CaseKind
    leaf: merkle.Leaf
    leaf_hash: bytes
    signed: SignedContribution | None = None
    fault: Fault | None = None


def read_certified(contracts: Contracts, task_id: TaskId) -> Certified:
    """The certificates of a task up to the latest block. Raises as ``certified_of``."""
    latest = contracts.client.block().number
    return certified_of(EventReader(contracts).read(contracts.deployment.block, latest), task_id)


def certified_of(events: Iterable[Event], task_id: TaskId) -> Certified:
    """The certificates of a task among ``events`` in chain order. Raises Refused when there is no such task,
    or the endpoint left one out."""
    created: TaskCreated | None = None
    found: list[CertificateAccepted] = []
    standing: int | None = None
    for event in events:
        match event:
            case TaskCreated() if event.task_id == task_id:
                created = event
            case CertificateAccepted() if event.task_id == task_id:
                if event.index != len(found):
                    raise Refused(f"The endpoint withholds certificate {len(found)} of task {task_id}.")
                found.append(event)
            case CertificatesOverturned() if event.task_id == task_id:
                standing = event.first
    if created is None:
        raise Refused(f"There is no task {task_id} on this deployment.", "TaskUnknown")
    return Certified(
        created=created,
        certificates=tuple(found),
        standing=len(found) if standing is None else standing,
    )


def read_record(blobs: BlobStore, certificate: RoundCertificate, domain: Domain) -> SegmentRecord:
    """The segment record behind ``certificate``, believed only because all its roots come out again.

    Raises VerificationFailed when they do not, and what the blob store raises.
    """
    record = SegmentRecord.from_blob(blobs.get(certificate.segment, MAX_RECORD_BYTES))
    if record.certificate(domain, certificate.epoch) != certificate:
        raise VerificationFailed(
            f"segment record {certificate.segment.hex()}",
            f"its roots are not those of the certificate of round {certificate.last_round}",
        )
    return record


def matters_of(record: SegmentRecord, kind: CaseKind, domain: Domain) -> list[Matter]:
    """The leaves of one kind, in their order: the accepted contributions of the record's rounds, or the
    faults of the task so far."""
    if kind is CaseKind.FAULT:
        faults = zip(record.fault_leaves(), record.faults, strict=True)
        return [
            Matter(kind=kind, leaf=leaf, leaf_hash=merkle.leaf_hash(leaf, merkle.FAULT_LEAF), fault=fault)
            for leaf, fault in faults
        ]
    signed = [item for round_ in record.rounds for item in round_.contributions]
    return [
        Matter(kind=kind, leaf=leaf, leaf_hash=merkle.leaf_hash(leaf, merkle.CONTRIBUTION_LEAF), signed=item)
        for leaf, item in zip(record.contribution_leaves(domain), signed, strict=True)
    ]


def proof_of(record: SegmentRecord, matter: Matter, domain: Domain) -> list[bytes]:
    """The path from the matter's leaf to its root in the certificate of ``record``."""
    if matter.kind is CaseKind.FAULT:
        leaves, types = record.fault_leaves(), merkle.FAULT_LEAF
    else:
        leaves, types = record.contribution_leaves(domain), merkle.CONTRIBUTION_LEAF
    return merkle.proof(leaves, types, leaves.index(matter.leaf))


def check_place(spec: TaskSpec, record: SegmentRecord, signed: SignedContribution, domain: Domain) -> None:
    """Raises PeerMisbehaved unless the miner signed the contribution, and it is for the work of the round
    that the record lists it in."""
    c = signed.contribution
    place = next(item for item in record.rounds if signed in item.contributions)
    signed.verify(domain)
    stated = (c.task_id, c.round, c.spec_hash, c.parent_model, c.samples)
    asked = (record.task_id, place.round, spec.hash, place.parent_model, spec.recipe.samples_per_shard)
    parts = len(c.batches) == spec.recipe.micro_batches
    if stated != asked or c.shard >= spec.recipe.shards or not parts:
        raise PeerMisbehaved(
            f"contribution to round {c.round} shard {c.shard}",
            "it is for other work than it was accepted for",
        )


def report_of(
    blobs: BlobStore, certified: Certified, index: int, fault: Fault, domain: Domain
) -> FaultReport | None:
    """A report of ``fault``, which certificate number ``index`` declares, that carries the miner's own
    contribution; one that says where in the shard it shows, if there is one.

    It is in the record of the certificate that declared the fault first; None when it is not. Raises what an
    unreadable record raises.
    """
    found: FaultReport | None = None
    created = certified.created
    for number in range(index, -1, -1):
        record = read_record(blobs, certified.certificates[number].certificate, domain)
        if fault not in record.faults:
            break
        for report in record.fault_evidence:
            c = report.contribution.contribution
            of_task = (c.task_id, c.spec_hash) == (created.task_id, created.params.spec_hash)
            if report.fault == fault and of_task and _is_signed(report.contribution, domain):
                # Micro-batches have the lower numbers (``protocol.batches``).
                found = report if found is None or report.batch < found.batch else found
    return found


def _is_signed(signed: SignedContribution, domain: Domain) -> bool:
    try:
        signed.verify(domain)
    except PeerMisbehaved:
        return False
    return True
