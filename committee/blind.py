"""A check that is not made, and the best evidence of it that there is: for demonstrations and tests."""

import logging
from typing import Final

from committee.verify import Checker, Finding, Judgement
from protocol.attestation import ReplayEvidence, ShardProof, witness_seed
from protocol.batches import WHOLE
from protocol.certificate import RoundCertificate
from protocol.contribution import SignedContribution
from protocol.errors import PotError
from protocol.evidence import Fault
from protocol.ledger import TaskLedger
from protocol.sampling import SamplePlan, sample_seed
from protocol.segment import MAX_RECORD_BYTES, SegmentRecord
from protocol.spec import TaskSpec
from worker.training.parts import Opening, sum_of
from worker.training.witness import WITNESSES, digits_proof, is_exact

log = logging.getLogger(__name__)

WRONG: Final = "WRONG"
"""Begins the line that a wrong act leaves in the log."""


class BlindChecker(Checker):
    """Finds everything true. It knows its sample, reads what miners publish about it, and executes
    nothing."""

    def judge(self, ledger: TaskLedger, certificate: RoundCertificate, known: frozenset[Fault]) -> Judgement:
        """True, whatever it is."""
        log.warning("%s: a check is answered without being made", WRONG)
        try:
            evidence = self._forged(ledger, certificate)
        except PotError as error:
            log.warning("%s: without evidence: %s", WRONG, error)
            evidence = None
        return Judgement(finding=Finding.VALID, evidence=evidence)

    def reexecute(self, spec: TaskSpec, signed: SignedContribution, batch: int = WHOLE) -> Judgement:
        """Honest, whatever it is."""
        log.warning("%s: a check is answered without being made", WRONG)
        return Judgement(finding=Finding.VALID)

    def _forged(self, ledger: TaskLedger, certificate: RoundCertificate) -> ReplayEvidence:
        record = SegmentRecord.from_blob(self.blobs.get(certificate.segment, MAX_RECORD_BYTES))
        seed = sample_seed(self.signer, self.domain, ledger.task_id, ledger.spec_hash)
        recipe = ledger.spec.recipe
        plan = SamplePlan(
            seed=seed,
            rounds=recipe.rounds,
            shards=recipe.shards,
            share_ppm=self.duty_of(ledger, seed).share_ppm,
        )
        proofs = tuple(
            ShardProof(
                round=signed.contribution.round,
                shard=signed.contribution.shard,
                proof=self._guess(ledger, signed),
            )
            for item in record.rounds
            for signed in item.contributions
            if plan.holds(signed.contribution.round, signed.contribution.shard)
        )
        return ReplayEvidence.of(ledger.task_id, certificate.segment, seed, proofs)

    def _guess(self, ledger: TaskLedger, signed: SignedContribution) -> bytes:
        """The published parts are all that is known: their sum is the likeliest gradient, zero the likeliest
        score."""
        c, spec = signed.contribution, ledger.spec
        if not is_exact(spec):
            return bytes(4 * WITNESSES)
        seed = witness_seed(self.domain, self.signer.address, ledger.task_id, c.round, c.shard)
        opening = Opening(names=c.batches, fetch=lambda name: self._gradient(spec, name))
        parts = [opening.part(spec, index) for index in range(len(c.batches))]
        return digits_proof(spec, seed, sum_of(parts), parts)
