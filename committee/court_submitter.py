"""What a validator sends to the chain about disputes: draws, verdicts, and what follows from them.

Everything here may be sent by anybody and by several at once, as with certificates.
"""

import logging

from committee.court import Decide
from committee.submitter import Outcome
from protocol.blobs import BlobStore
from protocol.chain.contract import Call
from protocol.chain.contracts import Contracts
from protocol.chain.docket import BEATEN, Docket, Step, call_of, falls_from, step_text
from protocol.chain.records import read_certified
from protocol.chain.sender import Sender
from protocol.errors import PotError, Refused
from protocol.record import CertificateRecord

log = logging.getLogger(__name__)

EARLY = frozenset({"DrawTooEarly", "VerdictTooEarly", "VerdictStillPossible"})
"""Refusals that only time can turn into an acceptance."""
POINTLESS = frozenset({"VerdictTooLate", "NotSignedByMiner", "NotTheCase"})
"""Refusals that no later try can turn into an acceptance; what no miner signed convicts none."""


class CourtSubmitter:
    """Sends from the validator's own account; used by one thread."""

    def __init__(self, contracts: Contracts, blobs: BlobStore, sender: Sender) -> None:
        self._contracts = contracts
        self._blobs = blobs
        self._sender = sender

    def act(self, docket: Docket, act: Step | Decide) -> Outcome:
        """Do one step; the chain shows what came of it."""
        what = f"task {docket.task_id}: {_name(act)} (dispute {docket.number})"
        try:
            receipt = self._sender.send(self._call(docket, act))
        except Refused as error:
            return self._refused(what, error)
        except PotError as error:
            log.warning("%s, tried again later: %s", what, error)
            return Outcome.UNREACHABLE
        log.info("%s: transaction 0x%s, %s gas", what, receipt.tx_hash.hex(), receipt.gas_used)
        return Outcome.DONE

    def _call(self, docket: Docket, act: Step | Decide) -> Call:
        if isinstance(act, Decide):
            return self._contracts.appeals.decide(act.signed, self._before(docket, act.signed.verdict.upheld))
        return call_of(self._contracts, self._blobs, docket, act)

    def _before(self, docket: Docket, upheld: int) -> CertificateRecord | None:
        """The record before the first one that falls, which the contract goes back to."""
        first = falls_from(docket.cases, upheld)
        if not first:
            return None
        return read_certified(self._contracts, docket.task_id).certificates[first - 1].record

    @staticmethod
    def _refused(what: str, error: Refused) -> Outcome:
        if error.reason in BEATEN:
            return Outcome.DONE
        if error.reason in EARLY:
            return Outcome.EARLY
        log.warning("%s: %s", what, error)
        return Outcome.POINTLESS if error.reason in POINTLESS else Outcome.REFUSED


def _name(act: Step | Decide) -> str:
    return f"verdict {act.signed.verdict.upheld:#x}" if isinstance(act, Decide) else step_text(act)
