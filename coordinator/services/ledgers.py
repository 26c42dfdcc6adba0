"""The certified state of a task, from its last certificate and the record behind it."""

import threading
from collections import OrderedDict
from typing import Final

from coordinator.store.chain_tables import CertificateRow, Task
from coordinator.store.tasks import committee_of
from coordinator.store.unit_of_work import Transaction
from protocol.blobs import BlobStore
from protocol.certificate import RoundCertificate
from protocol.chain.history import signers_of
from protocol.errors import VerificationFailed
from protocol.ids import EpochNo, RoundNo, Sha256, TaskId
from protocol.ledger import TaskLedger
from protocol.segment import MAX_RECORD_BYTES, SegmentRecord
from protocol.spec import TaskSpec
from protocol.typed_data import Domain

MAX_KEPT: Final = 256


def spec_of(task: Task) -> TaskSpec:
    """The spec that was read for ``task``; it must have been."""
    if task.spec is None:
        raise VerificationFailed(f"task {task.task_id}", "its spec has not been read")
    return TaskSpec.from_value(task.spec)


def read_record(blobs: BlobStore, domain: Domain, row: CertificateRow) -> SegmentRecord:
    """The record behind an accepted certificate, checked root by root.

    Raises BlobMissing, ServiceUnreachable, or VerificationFailed when it does not lead to the certificate.
    """
    certificate = RoundCertificate.decode(row.encoded)
    record = SegmentRecord.from_blob(blobs.get(certificate.segment, MAX_RECORD_BYTES))
    if record.certificate(domain, certificate.epoch) != certificate:
        raise VerificationFailed(
            f"segment record {certificate.segment.hex()}",
            f"it does not lead to the certificate of round {row.last_round} of task {row.task_id}",
        )
    return record


def _is_of(ledger: TaskLedger, task: Task) -> bool:
    return (ledger.spec_hash, ledger.members) == (task.spec_hash, committee_of(task))


class Ledgers:
    """Ledgers by task, remembered as long as the task's last certificate is the same one. Thread-safe."""

    def __init__(self, blobs: BlobStore, domain: Domain) -> None:
        self._blobs = blobs
        self._domain = domain
        self._kept: OrderedDict[int, tuple[bytes | None, TaskLedger]] = OrderedDict()
        self._lock = threading.Lock()

    def of(self, tx: Transaction, task: Task) -> TaskLedger:
        """The certified state of ``task``. Cumulative faults and payouts stand in the last record, so one
        blob is enough. Raises what ``read_record`` raises, and VerificationFailed while the spec is
        unread.
        """
        with self._lock:
            kept = self._kept.get(task.task_id)
            if kept is not None and kept[0] == task.certified_tx and _is_of(kept[1], task):
                self._kept.move_to_end(task.task_id)
                return kept[1]
        ledger = self._genesis(tx, task)
        row = tx.chain.last_certificate(TaskId(task.task_id))
        if row is not None:
            record = read_record(self._blobs, self._domain, row)
            ledger = ledger.certified(record, signers_of(ledger.members, row.signers))
        with self._lock:
            self._kept[task.task_id] = (task.certified_tx, ledger)
            self._kept.move_to_end(task.task_id)
            if len(self._kept) > MAX_KEPT:
                self._kept.popitem(last=False)
        return ledger

    def _genesis(self, tx: Transaction, task: Task) -> TaskLedger:
        return TaskLedger(
            task_id=TaskId(task.task_id),
            spec_hash=Sha256(task.spec_hash),
            spec=spec_of(task),
            epoch=EpochNo(task.epoch),
            members=committee_of(task),
            last_round=RoundNo(0),
            model=Sha256(task.genesis_model),
            payouts={},
        )
