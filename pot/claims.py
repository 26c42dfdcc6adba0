"""What an account can take out of a task, proven from the chain and the blob store alone."""

from dataclasses import dataclass
from typing import Any, Final

from pot.task_events import TaskEvents
from protocol import merkle
from protocol.blobs import BlobStore
from protocol.chain.contracts import Contracts
from protocol.chain.events import CertificateAccepted, SigningFeeClaimed
from protocol.chain.history import signers_of
from protocol.chain.market import OnchainTask, TaskStatus
from protocol.chain.records import read_record
from protocol.chain.sender import Sender
from protocol.ids import Address, TaskId
from protocol.record import CertificateRecord

MAX_RECORDS: Final = 64
"""Certificates of one task whose records the market keeps."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Claimable:
    """Cumulative final payouts of ``account``, what it has taken of them, and its share of the last
    certificate's fee. All in smallest units. ``record`` is the certificate that pays, None when none is
    final; ``last_record`` is the last one."""

    task_id: TaskId
    account: Address
    cumulative: int
    claimed: int
    proof: tuple[bytes, ...]
    signing_fee: int
    record: CertificateRecord | None = None
    last_record: CertificateRecord | None = None

    @property
    def due(self) -> int:
        """What the certified payouts exceed earlier claims by."""
        return max(0, self.cumulative - self.claimed)

    def to_json(self) -> dict[str, Any]:
        return {
            "task_id": str(self.task_id),
            "account": self.account,
            "earned": str(self.cumulative),
            "claimed": str(self.claimed),
            "due": str(self.due),
            "signing_fee_due": str(self.signing_fee),
        }


def claimable(contracts: Contracts, blobs: BlobStore, history: TaskEvents, account: Address) -> Claimable:
    """What ``account`` can claim of one task. The payouts are read from the segment record of the newest
    final certificate, whose roots are recomputed; VerificationFailed when the store serves another record."""
    task_id = history.task_id
    claimed = contracts.market.claimed(task_id, account)
    task = contracts.market.task(task_id)
    standing = history.certificates[: task.certificates]
    last = standing[-1].record if standing else None
    fee = _signing_fee(contracts, history, task, standing, account)
    final = newest_final(contracts, task, standing)
    if final is None:
        return Claimable(
            task_id=task_id,
            account=account,
            cumulative=0,
            claimed=claimed,
            proof=(),
            signing_fee=fee,
            last_record=last,
        )
    record = read_record(blobs, final.certificate, contracts.deployment.domain)
    accounts = list(record.payouts)
    proof: tuple[bytes, ...] = ()
    if account in record.payouts:
        proof = tuple(merkle.proof(record.payout_leaves(), merkle.PAYOUT_LEAF, accounts.index(account)))
    return Claimable(
        task_id=task_id,
        account=account,
        cumulative=record.payouts.get(account, 0),
        claimed=claimed,
        proof=proof,
        signing_fee=fee,
        record=final.record,
        last_record=last,
    )


def newest_final(
    contracts: Contracts, task: OnchainTask, standing: list[CertificateAccepted]
) -> CertificateAccepted | None:
    """The newest of the ``standing`` certificates whose challenge window has closed, and which no dispute
    freezes; None if none is. Looks at no more than the market keeps."""
    frozen = task.disputed_from if task.status is TaskStatus.DISPUTED else task.certificates
    now = contracts.client.block().timestamp
    for event in reversed(standing[-MAX_RECORDS:]):
        if event.index < frozen and contracts.market.matures_at(task.task_id, event.record) <= now:
            return event
    return None


def _signing_fee(
    contracts: Contracts,
    history: TaskEvents,
    task: OnchainTask,
    standing: list[CertificateAccepted],
    account: Address,
) -> int:
    """The share of the last certificate's fee, which the contract pays once the task is closed."""
    if task.status is not TaskStatus.CLOSED or not standing:
        return 0
    signers = signers_of(contracts.committee.members_of_task(history.task_id), standing[-1].signers)
    taken = any(isinstance(event, SigningFeeClaimed) and event.account == account for event in history.events)
    if account not in signers or taken:
        return 0
    return contracts.market.signing_fee(history.task_id)


def claim(contracts: Contracts, sender: Sender, what: Claimable) -> list[bytes]:
    """Send the claims that pay something; their transactions' hashes. Raises Refused, ServiceUnreachable."""
    hashes = []
    if what.due and what.record is not None:
        call = contracts.market.claim(
            what.task_id, what.record, what.account, what.cumulative, list(what.proof)
        )
        hashes.append(sender.send(call).tx_hash)
    if what.signing_fee and what.last_record is not None:
        call = contracts.market.claim_signing_fee(what.task_id, what.last_record, what.account)
        hashes.append(sender.send(call).tx_hash)
    return hashes
