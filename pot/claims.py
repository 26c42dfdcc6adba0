"""What an account can take out of a task, proven from the chain and the blob store alone."""

from dataclasses import dataclass
from typing import Any

from pot.task_events import TaskEvents, read_record
from protocol import merkle
from protocol.blobs import BlobStore
from protocol.chain.contracts import Contracts
from protocol.chain.events import SigningFeeClaimed
from protocol.chain.history import signers_of
from protocol.chain.market import TaskStatus
from protocol.chain.sender import Sender
from protocol.ids import Address, TaskId
from protocol.payouts import fee_share_down


@dataclass(frozen=True, slots=True, kw_only=True)
class Claimable:
    """Cumulative certified payouts of ``account``, what it has taken of them, and its share of the last
    certificate's fee. All in smallest units."""

    task_id: TaskId
    account: Address
    cumulative: int
    claimed: int
    proof: tuple[bytes, ...]
    signing_fee: int

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
    """What ``account`` can claim of one task. The payouts are read from the segment record of the last
    certificate, whose roots are recomputed; VerificationFailed when the store serves another record."""
    task_id = history.task_id
    claimed = contracts.market.claimed(task_id, account)
    certificates = history.certificates
    if not certificates:
        return Claimable(
            task_id=task_id, account=account, cumulative=0, claimed=claimed, proof=(), signing_fee=0
        )
    record = read_record(blobs, certificates[-1].certificate, contracts.deployment.domain)
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
        signing_fee=_signing_fee(contracts, history, account),
    )


def _signing_fee(contracts: Contracts, history: TaskEvents, account: Address) -> int:
    """The share of the last certificate's fee, which the contract pays once the task is closed."""
    task = contracts.market.task(history.task_id)
    if task.status is not TaskStatus.CLOSED:
        return 0
    signers = signers_of(contracts.committee.members_of(task.epoch), task.last_signers)
    taken = any(isinstance(event, SigningFeeClaimed) and event.account == account for event in history.events)
    if account not in signers or taken:
        return 0
    return fee_share_down(task.fee_per_round, task.last_span, len(signers))


def claim(contracts: Contracts, sender: Sender, what: Claimable) -> list[bytes]:
    """Send the claims that pay something; their transactions' hashes. Raises Refused, ServiceUnreachable."""
    hashes = []
    if what.due:
        call = contracts.market.claim(what.task_id, what.account, what.cumulative, list(what.proof))
        hashes.append(sender.send(call).tx_hash)
    if what.signing_fee:
        hashes.append(sender.send(contracts.market.claim_signing_fee(what.task_id, what.account)).tx_hash)
    return hashes
