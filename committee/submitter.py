"""What a validator sends to the chain: certificates that have their quorum, and slashes for certified faults.

Everything here may be sent by anybody and by several at once: the contract accepts each thing once, so
"already done" is success. Members take turns by a stagger, so that normally one of them pays the gas.
"""

import logging
from collections.abc import Callable, Sequence
from enum import Enum

from committee.state import Decided
from protocol import merkle
from protocol.certificate import RoundCertificate, SignedCertificate
from protocol.chain.contracts import Contracts
from protocol.chain.history import TaskHistory
from protocol.chain.sender import Receipt, Sender
from protocol.errors import PotError, Refused
from protocol.evidence import Fault
from protocol.signing import to_compact

log = logging.getLogger(__name__)

ALREADY_DONE = frozenset({"FirstRoundMismatch", "TaskNotOpen", "AlreadySlashed"})
"""Refusals that say that somebody else was quicker."""
POINTLESS = frozenset({"DeadlinePassed", "NothingToSlash", "FaultsExpired"})
"""Refusals that no later try can turn into an acceptance."""


class Outcome(Enum):
    """What became of one try."""

    DONE = "done"
    POINTLESS = "pointless"
    REFUSED = "refused"
    UNREACHABLE = "unreachable"


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

    def certify(self, signed: SignedCertificate) -> Outcome:
        """Post a certificate."""
        certificate = signed.certificate
        what = f"certificate of rounds {certificate.first_round}..{certificate.last_round}"
        return self._once(
            f"task {certificate.task_id}: {what}",
            lambda: self._sender.send(self._contracts.market.certify(signed)),
        )

    def slash(self, history: TaskHistory, fault: Fault) -> Outcome:
        """Have the stake behind a certified fault slashed."""
        leaves = [item.leaf() for item in history.ledger.faults]
        proof = merkle.proof(leaves, merkle.FAULT_LEAF, leaves.index(fault.leaf()))
        record = history.segments[-1].event.record
        call = self._contracts.market.slash(history.created.task_id, record, fault, proof)
        what = f"slash of {fault.miner} for round {fault.round} shard {fault.shard}"
        return self._once(f"task {history.created.task_id}: {what}", lambda: self._sender.send(call))

    @staticmethod
    def _once(what: str, send: Callable[[], Receipt]) -> Outcome:
        try:
            receipt = send()
        except Refused as error:
            if error.reason in ALREADY_DONE:
                return Outcome.DONE
            log.warning("%s: %s", what, error)
            return Outcome.POINTLESS if error.reason in POINTLESS else Outcome.REFUSED
        except PotError as error:
            log.warning("%s, tried again later: %s", what, error)
            return Outcome.UNREACHABLE
        log.info("%s: transaction 0x%s, %s gas", what, receipt.tx_hash.hex(), receipt.gas_used)
        return Outcome.DONE
