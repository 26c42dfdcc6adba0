"""What a validator sends to the chain: draws of committees, certificates that have their quorum, slashes for
certified faults that are final, and proofs against members that signed two certificates.

Everything here may be sent by anybody and by several at once: the contract accepts each thing once, so
"already done" is success. Members take turns by a stagger, so that normally one of them pays the gas.
"""

import logging
from collections.abc import Callable, Sequence
from enum import Enum

from committee.aggregation import Aggregation, Endorsed
from committee.equivocation import Equivocation
from protocol import merkle
from protocol.certificate import SignedCertificate
from protocol.chain.contracts import Contracts
from protocol.chain.finality import slashable_segment
from protocol.chain.history import TaskHistory
from protocol.chain.sender import Receipt, Sender
from protocol.errors import PotError, Refused
from protocol.evidence import Fault
from protocol.ids import TaskId

log = logging.getLogger(__name__)

ALREADY_DONE = frozenset(
    {"FirstRoundMismatch", "TaskNotOpen", "AlreadySlashed", "AlreadyDrawn", "AlreadyProven"}
)
"""Refusals that say that somebody else was quicker."""
POINTLESS = frozenset(
    {"DeadlinePassed", "NothingToSlash", "FaultsExpired", "NotSignedByMiner"}
    | {"NoEquivocation", "SignersDiffer", "NotMember"}
)
"""Refusals that no later try can turn into an acceptance."""


class Outcome(Enum):
    """What became of one try."""

    DONE = "done"
    EARLY = "early"
    POINTLESS = "pointless"
    REFUSED = "refused"
    UNREACHABLE = "unreachable"


def turn(me: int, members: int, seq: int) -> int:
    """How many members go before this one in submitting for ``seq``."""
    return (me - seq) % members


def unslashed(history: TaskHistory) -> Sequence[Fault]:
    """Certified faults of a task that nobody has had slashed yet and no appeal found wrong, in leaf order."""
    done = {(event.round, event.shard, event.miner, event.gradient) for event in history.slashes}
    return [
        fault
        for fault in history.ledger.faults
        if fault.leaf() not in done
        and not (history.voided and merkle.leaf_hash(fault.leaf(), merkle.FAULT_LEAF) in history.voided)
    ]


class Submitter:
    """Sends from the validator's own account; used by one thread."""

    def __init__(self, contracts: Contracts, sender: Sender, aggregation: Aggregation) -> None:
        self._contracts = contracts
        self._sender = sender
        self._aggregation = aggregation

    def draw(self, task_id: TaskId) -> Outcome:
        """Draw the committee of a task."""
        call = self._contracts.committee.draw_committee(task_id)
        return self._once(f"task {task_id}: draw of its committee", lambda: self._sender.send(call))

    def certify(self, decided: Sequence[Endorsed]) -> list[Outcome]:
        """Post certificates of different tasks, each in its cheaper form: several in one transaction, one by
        one where that is refused, so that one which cannot be accepted holds nobody up."""
        try:
            batch = [self._aggregation.best(endorsed) for endorsed in decided]
        except PotError as error:
            log.warning("%s certificates are posted later: %s", len(decided), error)
            return [Outcome.UNREACHABLE] * len(decided)
        if len(batch) > 1:
            try:
                receipt = self._sender.send(self._contracts.market.certify_many(batch))
            except Refused as error:
                log.info("%s certificates are posted one by one: %s", len(batch), error)
            except PotError as error:
                log.warning("%s certificates are posted later: %s", len(batch), error)
                return [Outcome.UNREACHABLE] * len(batch)
            else:
                tx_hash = receipt.tx_hash.hex()
                log.info("%s certificates: transaction 0x%s, %s gas", len(batch), tx_hash, receipt.gas_used)
                return [Outcome.DONE] * len(batch)
        return [self._certify_one(signed) for signed in batch]

    def _certify_one(self, signed: SignedCertificate) -> Outcome:
        certificate = signed.certificate
        what = f"certificate of rounds {certificate.first_round}..{certificate.last_round}"
        return self._once(
            f"task {certificate.task_id}: {what}",
            lambda: self._sender.send(self._contracts.market.certify(signed)),
        )

    def slash(self, history: TaskHistory, fault: Fault) -> Outcome:
        """Have the stake behind a certified fault slashed, once a certificate that declares it is final."""
        task_id = history.created.task_id
        what = f"task {task_id}: slash of {fault.miner} for round {fault.round} shard {fault.shard}"
        try:
            segment = slashable_segment(self._contracts, history, fault)
            signed = history.signed_by_miner(fault)
        except PotError as error:
            log.warning("%s, tried again later: %s", what, error)
            return Outcome.UNREACHABLE
        if segment is None:
            return Outcome.EARLY
        leaves = segment.record.fault_leaves()
        proof = merkle.proof(leaves, merkle.FAULT_LEAF, segment.record.faults.index(fault))
        call = self._contracts.market.slash(segment.event.record, signed, proof)
        return self._once(what, lambda: self._sender.send(call))

    def prove(self, proof: Equivocation) -> Outcome:
        """Have the stake of a member slashed that signed two certificates of the same rounds."""
        call = self._contracts.committee.prove_equivocation(
            proof.first.certificate,
            proof.first.compact,
            proof.second.certificate,
            proof.second.compact,
        )
        what = f"task {proof.task_id}: proof that {proof.signer} signed two certificates"
        return self._once(what, lambda: self._sender.send(call))

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
