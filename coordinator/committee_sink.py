"""What validators say becomes use cases."""

from coordinator.services.context import Context
from coordinator.services.handle_committee import (
    Answer,
    handle_answer,
    handle_attestation,
    handle_fault_report,
)
from protocol.attestation import Attestation
from protocol.evidence import FaultReport
from protocol.frames import Status
from protocol.ids import Address, TaskId

# Other statuses say that a request is on its way; the certificate on the chain says that it has arrived.
ANSWERS: dict[str, Answer] = {"rejected": "rejected", "decided": "decided"}


class Sink:
    """``ctx`` is set once the process is put together, before anybody speaks."""

    ctx: Context

    def on_status(self, member: Address, status: Status) -> None:
        """Raises PeerMisbehaved, ServiceUnreachable."""
        answer = ANSWERS.get(status.status)
        if answer is not None:
            handle_answer(self.ctx, TaskId(status.task), member, status.digest, answer, status.detail)

    def on_fault(self, report: FaultReport) -> None:
        """Raises PeerMisbehaved, ServiceUnreachable."""
        handle_fault_report(self.ctx, report)

    def on_attestation(self, item: Attestation) -> None:
        """Raises PeerMisbehaved, ServiceUnreachable."""
        handle_attestation(self.ctx, item)
