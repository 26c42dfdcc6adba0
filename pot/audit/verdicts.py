"""What validators say that they executed, held against what an execution finds."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from pot.audit.report import AuditReport
from protocol.attestation import MAX_EVIDENCE_BYTES, Attestation, ReplayEvidence, witness_seed
from protocol.blobs import BlobCorrupt, BlobMissing, BlobStore
from protocol.chain.history import CertifiedSegment, TaskHistory, signers_of
from protocol.errors import PeerMisbehaved
from protocol.ids import Address
from protocol.sampling import fewest
from worker.training.witness import WITNESSES, agreeing, agrees

MAX_PLACES: Final = 5
"""False proofs that are named, of each validator."""


@dataclass(slots=True, kw_only=True)
class ValidatorVerdicts:
    """One validator's: certificates that it ``signed`` and that have a record after them, how many of those
    it ``attested``, for how many its evidence is ``shown``, ``shards`` listed there among the ``covered``
    places of those certificates, and how many were ``checked``. ``false`` holds a sentence for each thing
    that is not true."""

    validator: Address
    signed: int = 0
    attested: int = 0
    shown: int = 0
    shards: int = 0
    covered: int = 0
    checked: int = 0
    false: list[str] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.__slots__}


class VerdictAudit:
    """One task's. Asked for seeds before a shard is executed, told the proofs after it."""

    def __init__(self, history: TaskHistory, blobs: BlobStore) -> None:
        self._history = history
        self._blobs = blobs
        self._found: dict[Address, ValidatorVerdicts] = {}
        self._claims: dict[tuple[int, int], list[tuple[Address, bytes]]] = defaultdict(list)
        for segment, following in zip(history.segments, history.segments[1:], strict=False):
            self._read(segment, following.record.attestations)

    def seeds(self, round_number: int, shard: int) -> tuple[bytes, ...]:
        """Of every validator that says it executed this shard."""
        domain, task = self._history.domain, self._history.created.task_id
        claims = self._claims[round_number, shard]
        return tuple(witness_seed(domain, who, task, round_number, shard) for who, _ in claims)

    def compare(self, round_number: int, shard: int, proofs: Sequence[bytes]) -> None:
        """Hold the proofs found by an execution, in the order of ``seeds``, against those that were
        claimed."""
        spec = self._history.ledger.spec
        claims = self._claims[round_number, shard]
        for (validator, claimed), own in zip(claims, proofs, strict=True):
            one = self._of(validator)
            one.checked += 1
            if not agrees(spec, claimed, own):
                one.false.append(
                    f"its proof of round {round_number} shard {shard} agrees with an execution at "
                    f"{agreeing(spec, claimed, own)} of {WITNESSES} places"
                )

    def finish(self, report: AuditReport) -> None:
        """Write down what was found: a line for each validator that lied, or one for all."""
        for one in self._found.values():
            self._count(one)
            if one.false:
                shown = "; ".join(one.false[:MAX_PLACES])
                more = f"; and {len(one.false) - MAX_PLACES} more" if len(one.false) > MAX_PLACES else ""
                report.failed(f"verdict of {one.validator}", shown + more, validator=one.validator)
        report.verdicts = [one.to_json() for one in self._found.values()]
        liars = sum(bool(one.false) for one in self._found.values())
        totals = {name: sum(getattr(one, name) for one in self._found.values()) for name in _TOTALS}
        report.passed(
            "verdicts",
            f"{totals['attested']} of {totals['signed']} signatures with a verdict, {totals['shown']} with "
            f"evidence; {totals['checked']} of {totals['shards']} executions compared, "
            f"{liars} validators named",
        )

    def _of(self, validator: Address) -> ValidatorVerdicts:
        return self._found.setdefault(validator, ValidatorVerdicts(validator=validator))

    def _read(self, segment: CertifiedSegment, attestations: Sequence[Attestation]) -> None:
        members, domain = self._history.ledger.members, self._history.domain
        for signer in signers_of(members, segment.event.signers):
            self._of(signer).signed += 1
        for item in attestations:
            one = self._of(item.validator(domain))
            one.attested += 1
            try:
                blob = self._blobs.get(item.evidence, MAX_EVIDENCE_BYTES)
            except (BlobMissing, BlobCorrupt):
                continue  # not shown, yet or any more: it has proven nothing, and told no lie
            try:
                self._take(one, segment, ReplayEvidence.from_blob(blob))
            except PeerMisbehaved as error:
                one.false.append(str(error))

    def _take(self, one: ValidatorVerdicts, segment: CertifiedSegment, evidence: ReplayEvidence) -> None:
        certificate, places = segment.event.certificate, segment.record.places
        if (evidence.task_id, evidence.segment) != (certificate.task_id, certificate.segment):
            raise PeerMisbehaved("evidence", "it is of another certificate")
        if not {(item.round, item.shard) for item in evidence.shards} <= places:
            raise PeerMisbehaved("evidence", "it names shards that the certificate does not have")
        one.shown += 1
        one.shards += len(evidence.shards)
        one.covered += len(places)
        for item in evidence.shards:
            self._claims[item.round, item.shard].append((one.validator, item.proof))

    def _count(self, one: ValidatorVerdicts) -> None:
        """A sample has a least size: what is not in the certificates that it covers is at most the rest."""
        spec = self._history.ledger.spec
        total = spec.recipe.rounds * spec.recipe.shards
        least = fewest(total, spec.verification.sample_ppm) - (total - one.covered)
        if one.shown and one.shards < least:
            one.false.append(f"it shows {one.shards} executions where its sample held {least} or more")


_TOTALS: Final = ("signed", "attested", "shown", "shards", "checked")
