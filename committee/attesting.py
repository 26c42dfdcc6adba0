"""What one validator executed for the certificates of one task: said when they are fixed, shown when the
task is over.

While a task runs nobody may learn which shards a replica has looked at: its sample is drawn without
replacement, so who knows how much is used up knows something of what is left; and a value that is not
decided may come again.
"""

from typing import Final, Protocol

from protocol.attestation import Attestation, ReplayEvidence
from protocol.certificate import RoundCertificate
from protocol.ids import RoundNo, Sha256, TaskId

MAX_MADE: Final = 64
"""Judged values whose certificates are waited for; the oldest are forgotten first."""


class Pen(Protocol):
    """The side of ``committee.desk.Desk`` that signs and keeps."""

    def attest(self, evidence: ReplayEvidence, rounds: tuple[RoundNo, RoundNo]) -> Attestation: ...
    def spread_attestation(self, item: Attestation) -> None: ...
    def open_evidence(self, task: TaskId) -> None: ...


class Attesting:
    """See the module; one task's."""

    def __init__(self, pen: Pen) -> None:
        self._pen = pen
        self._made: dict[Sha256, ReplayEvidence] = {}
        self._last: Attestation | None = None

    def judged(self, evidence: ReplayEvidence) -> None:
        """A proposal was found true, and this is what that rests on."""
        self._made[evidence.segment] = evidence
        if len(self._made) > MAX_MADE:
            del self._made[next(iter(self._made))]

    def fixed(self, certificate: RoundCertificate) -> None:
        """A certificate is decided, or on the chain: say what was executed for it, once."""
        evidence = self._made.pop(certificate.segment, None)
        if evidence is not None:
            self._last = self._pen.attest(evidence, (certificate.first_round, certificate.last_round))
            self.repeat()

    def repeat(self) -> None:
        """Say the last one again: whoever makes the next record may not have heard it."""
        if self._last is not None:
            self._pen.spread_attestation(self._last)
