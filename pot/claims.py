"""What an account can take out of a task, proven from the chain and the blob store alone."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from pot.task_events import TaskEvents
from protocol import merkle
from protocol.blobs import BlobStore
from protocol.chain.contracts import Contracts
from protocol.chain.events import CertificateAccepted, SigningFeeClaimed
from protocol.chain.finality import final_at, newest_final
from protocol.chain.history import signers_of
from protocol.chain.market import OnchainTask, PayoutClaim, TaskStatus
from protocol.chain.records import read_record
from protocol.chain.sender import Sender
from protocol.errors import Refused
from protocol.ids import Address, TaskId
from protocol.record import CertificateRecord

log = logging.getLogger(__name__)

MAX_CLAIMS: Final = 64
"""Claims of one transaction."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Claimable:
    """Cumulative final payouts of ``account``, what it has taken of them, and its share of the last
    certificate's fee. All in smallest units. ``waiting`` more is certified, and becomes claimable at
    ``claimable_at`` (Unix seconds; None while a dispute runs). ``record`` is the certificate that pays, None
    when none is final; ``last_record`` is the last one."""

    task_id: TaskId
    account: Address
    cumulative: int
    claimed: int
    proof: tuple[bytes, ...]
    signing_fee: int
    waiting: int = 0
    claimable_at: int | None = None
    record: CertificateRecord | None = None
    last_record: CertificateRecord | None = None

    @property
    def earned(self) -> int:
        """Everything certified, final or not."""
        return self.cumulative + self.waiting

    @property
    def due(self) -> int:
        """What the final payouts exceed earlier claims by."""
        return max(0, self.cumulative - self.claimed)

    def to_json(self) -> dict[str, Any]:
        return {
            "task_id": str(self.task_id),
            "account": self.account,
            "earned": str(self.earned),
            "claimed": str(self.claimed),
            "due": str(self.due),
            "waiting": str(self.waiting),
            "claimable_at": self.claimable_at,
            "signing_fee_due": str(self.signing_fee),
        }


def claimable(contracts: Contracts, blobs: BlobStore, history: TaskEvents, account: Address) -> Claimable:
    """What ``account`` can claim of one task, now and later. Payouts are read from the segment records of the
    newest final certificate and of the last one, whose roots are recomputed; VerificationFailed when the
    store serves another record."""
    task = contracts.market.task(history.task_id)
    standing = history.standing
    last = standing[-1] if standing else None
    final = newest_final(contracts, task, standing)
    settled, proof = _payout(contracts, blobs, final, account)
    certified = settled if last is final else _payout(contracts, blobs, last, account)[0]
    waiting = max(0, certified - settled)
    return Claimable(
        task_id=task.task_id,
        account=account,
        cumulative=settled,
        claimed=contracts.market.claimed(task.task_id, account),
        proof=proof,
        signing_fee=_signing_fee(contracts, history, task, standing, account),
        waiting=waiting,
        claimable_at=final_at(contracts, task, last) if last is not None and waiting else None,
        record=None if final is None else final.record,
        last_record=None if last is None else last.record,
    )


def _payout(
    contracts: Contracts, blobs: BlobStore, event: CertificateAccepted | None, account: Address
) -> tuple[int, tuple[bytes, ...]]:
    """The account's cumulative payouts under a certificate, and the path from its leaf to the root."""
    if event is None:
        return 0, ()
    record = read_record(blobs, event.certificate, contracts.deployment.domain)
    if account not in record.payouts:
        return 0, ()
    place = list(record.payouts).index(account)
    proof = merkle.proof(record.payout_leaves(), merkle.PAYOUT_LEAF, place)
    return record.payouts[account], tuple(proof)


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


def claim(contracts: Contracts, sender: Sender, items: Sequence[Claimable]) -> dict[TaskId, list[bytes]]:
    """Send the claims that pay something, those of several tasks together; the transactions' hashes, by task.
    Whoever sends pays the gas, the money goes to the accounts. Raises Refused, ServiceUnreachable."""
    sent: dict[TaskId, list[bytes]] = {item.task_id: [] for item in items}
    due = [item for item in items if item.due and item.record is not None]
    for start in range(0, len(due), MAX_CLAIMS):
        batch = due[start : start + MAX_CLAIMS]
        for item, tx_hash in zip(batch, _claim_payouts(contracts, sender, batch), strict=True):
            sent[item.task_id].append(tx_hash)
    for item in items:
        if item.signing_fee and item.last_record is not None:
            call = contracts.market.claim_signing_fee(item.task_id, item.last_record, item.account)
            sent[item.task_id].append(sender.send(call).tx_hash)
    return sent


def _claim_payouts(contracts: Contracts, sender: Sender, batch: Sequence[Claimable]) -> list[bytes]:
    claims = [
        PayoutClaim(
            task_id=item.task_id,
            record=item.record,
            account=item.account,
            cumulative=item.cumulative,
            proof=item.proof,
        )
        for item in batch
        if item.record is not None
    ]
    market = contracts.market
    if len(claims) > 1:
        try:
            return [sender.send(market.claim_many(claims)).tx_hash] * len(claims)
        except Refused as error:
            # One that is refused refuses all: a dispute, a certificate more since its record was read.
            log.info("claims are sent one by one: %s", error)
    return [
        sender.send(market.claim(c.task_id, c.record, c.account, c.cumulative, list(c.proof))).tx_hash
        for c in claims
    ]
