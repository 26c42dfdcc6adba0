"""What a validator sends to the chain: certificates that have their quorum, and slashes for certified faults.

Everything here may be sent by anybody and by several at once: the contract accepts each thing once, so
"already done" is success. Members take turns by a stagger, so that normally one of them pays the gas.
"""

import logging
from collections.abc import Callable, Sequence

from committee.state import Decided
from protocol import merkle
from protocol.certificate import RoundCertificate, SignedCertificate
from protocol.chain.contracts import Contracts
from protocol.chain.history import TaskHistory
from protocol.chain.sender import Receipt, Sender
from protocol.errors import Refused
from protocol.evidence import Fault
from protocol.signing import to_compact

log = logging.getLogger(__name__)

ALREADY_DONE = frozenset({"FirstRoundMismatch", "TaskNotOpen", "AlreadySlashed", "NothingToSlash"})
"""Refusals that say that somebody else was quicker, or that nothing is left to do."""


def signed_certificate(decided: Decided) -> SignedCertificate:
    """The on-chain form of a decision: bitmap and joined EIP-2098 signatures, ascending by member."""
    return SignedCertificate(
        certificate=RoundCertificate.decode(decided.value),
        signers=sum(1 << index for index in decided.signers),
        signatures=b"".join(to_compact(signature) for signature in decided.endorsements),
    )


def turn(me: int, members: int, seq: int) -> int:
    """How many members go before this one in submitting for ``seq``."""
    return (me - seq) % members


def unslashed(history: TaskHistory) -> Sequence[Fault]:
    """Certified faults of a task that nobody has had slashed yet, in leaf order."""
    done = {(event.round, event.shard, event.miner, event.gradient) for event in history.slashes}
    return [fault for fault in history.ledger.faults if fault.leaf() not in done]


class Submitter:
    """Sends from the validator's own account; used by one thread."""

    def __init__(self, contracts: Contracts, sender: Sender) -> None:
        self._contracts = contracts
        self._sender = sender

    def certify(self, signed: SignedCertificate) -> None:
        """Post a certificate. Raises Refused when the contract rejects it, ServiceUnreachable."""
        certificate = signed.certificate
        receipt = self._once(lambda: self._sender.send(self._contracts.market.certify(signed)))
        if receipt is not None:
            log.info(
                "task %s: certified rounds %s..%s, %s gas, transaction 0x%s",
                certificate.task_id,
                certificate.first_round,
                certificate.last_round,
                receipt.gas_used,
                receipt.tx_hash.hex(),
            )

    def slash(self, history: TaskHistory, fault: Fault) -> None:
        """Have the stake behind a certified fault slashed. Raises Refused, ServiceUnreachable."""
        leaves = [item.leaf() for item in history.ledger.faults]
        proof = merkle.proof(leaves, merkle.FAULT_LEAF, leaves.index(fault.leaf()))
        call = self._contracts.market.slash(history.created.task_id, fault, proof)
        receipt = self._once(lambda: self._sender.send(call))
        if receipt is not None:
            log.warning(
                "task %s: slashed %s for round %s shard %s, transaction 0x%s",
                history.created.task_id,
                fault.miner,
                fault.round,
                fault.shard,
                receipt.tx_hash.hex(),
            )

    @staticmethod
    def _once(send: Callable[[], Receipt]) -> Receipt | None:
        try:
            return send()
        except Refused as error:
            if error.reason in ALREADY_DONE:
                return None
            raise
