"""Reads the outcome of a task from public data: certificates with gas, payouts, slashes, the escrow's
books.
"""

from pot.client import Client
from pot.report.document import Certificate, Escrow, Report, Slash
from protocol.chain.events import CertificateAccepted, FaultSlashed
from protocol.chain.history import TaskHistory, read_task, signers_of
from protocol.errors import Refused
from protocol.ids import Address, TaskId, parse_address


def collect(client: Client, task_id: TaskId, report: Report) -> None:
    """Fill everything of ``report`` that the chain tells about the task. Raises ServiceUnreachable,
    Refused.
    """
    history = read_task(client.contracts, client.blobs, task_id)
    members = history.ledger.members
    report.certificates = [_certificate(client, segment.event, members) for segment in history.segments]
    report.rounds = history.ledger.last_round
    report.model_sha256 = history.ledger.model.hex()
    report.payouts = {account: str(amount) for account, amount in _payouts(history).items()}
    report.escrow = _escrow(history)
    report.slashes = [_slash(event) for event in history.slashes]


def _certificate(client: Client, event: CertificateAccepted, members: tuple[Address, ...]) -> Certificate:
    receipt = _receipt(client, event.where.tx_hash)
    return Certificate(
        first_round=event.certificate.first_round,
        last_round=event.certificate.last_round,
        tx_hash="0x" + event.where.tx_hash.hex(),
        block_number=event.where.block_number,
        signers=list(signers_of(members, event.signers)),
        gas_used=int(receipt["gasUsed"], 16),
        posted_by=parse_address(receipt["from"]),
    )


def _slash(event: FaultSlashed) -> Slash:
    return Slash(
        miner=event.miner,
        round=event.round,
        shard=event.shard,
        amount=str(event.amount),
        bounty=str(event.bounty),
        sent_by=event.reporter,
        tx_hash="0x" + event.where.tx_hash.hex(),
    )


def _receipt(client: Client, tx_hash: bytes) -> dict[str, str]:
    receipt = client.contracts.client.receipt(tx_hash)
    if receipt is None:
        raise Refused(f"Transaction 0x{tx_hash.hex()} has an event but no receipt.", "NoTransaction")
    return receipt


def _payouts(history: TaskHistory) -> dict[Address, int]:
    """What each account took, ascending by account."""
    taken: dict[Address, int] = {}
    amounts = [(event.account, event.amount) for event in history.claims]
    amounts += [(event.account, event.amount) for event in history.fee_claims]
    for account, amount in amounts:
        taken[account] = taken.get(account, 0) + amount
    return {account: taken[account] for account in sorted(taken, key=str.lower)}


def _escrow(history: TaskHistory) -> Escrow:
    refunded = history.ended.refund if history.ended is not None else 0
    paid = sum(_payouts(history).values())
    return Escrow(funded=str(history.created.escrow), paid=str(paid), refunded=str(refunded))
