"""How much of a task this validator has to look at: what the spec says, and in a task with canaries what the
chain will hold it to.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from protocol.canary_mark import tellable
from protocol.chain.contracts import Contracts
from protocol.errors import PotError
from protocol.ids import Address, TaskId
from protocol.ledger import TaskLedger
from protocol.policy import Limits
from protocol.sampling import PPM, seed_commitment
from worker.training.models import layout_of

MAX_KNOWN: Final = 1_024


class NotYetFixed(PotError):
    """The chain has not reached the task's start: canaries may still be planted and seeds committed to."""


class CanariesUntellable(PotError):
    """The policy lets honest noise pass that a canary cannot be told from: no part is taken in the task."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Duty:
    """``share_ppm`` of all shards are to be executed; ``charged`` when canaries are planted among them."""

    share_ppm: int
    charged: bool


DutyOf = Callable[[TaskLedger, bytes], Duty]


def spec_duty(ledger: TaskLedger, seed: bytes) -> Duty:
    """What the spec says, for whoever cannot be charged."""
    return Duty(share_ppm=ledger.spec.verification.sample_ppm, charged=False)


class ChainDuty:
    """Asks the chain once a task; used by one thread."""

    def __init__(self, contracts: Contracts, me: Address) -> None:
        self._contracts = contracts
        self._me = me
        self._known: dict[TaskId, Duty] = {}

    def __call__(self, ledger: TaskLedger, seed: bytes) -> Duty:
        """The duty in a task whose sample is drawn from ``seed``. Without a commitment to that seed on the
        chain everything is held against this validator, so it looks at everything. Raises NotYetFixed,
        ServiceUnreachable, Refused."""
        task_id = ledger.task_id
        if task_id not in self._known:
            if len(self._known) >= MAX_KNOWN:
                self._known.clear()
            self._known[task_id] = self._read(ledger, seed)
        return self._known[task_id]

    def _read(self, ledger: TaskLedger, seed: bytes) -> Duty:
        task_id, canaries = ledger.task_id, self._contracts.canaries
        starts_at = self._contracts.market.task(task_id).starts_at
        # A chain that nobody sends to stands still; what is sent now comes into the pending block.
        if self._contracts.client.pending_time() < starts_at:
            raise NotYetFixed(f"Task {task_id} begins at {starts_at}; the chain is not there yet.")
        plan, share = canaries.plan_of(task_id), ledger.spec.verification.sample_ppm
        if plan is None:
            return Duty(share_ppm=share, charged=False)
        if canaries.seed_of(task_id, self._me) != seed_commitment(seed):
            return Duty(share_ppm=PPM, charged=True)
        return Duty(share_ppm=max(share, plan.sample_ppm), charged=True)


def require_tellable(ledger: TaskLedger, limits: Limits) -> None:
    """Raises CanariesUntellable."""
    spec = ledger.spec
    if not tellable(limits, spec.recipe.codec, layout_of(spec.model).size):
        raise CanariesUntellable(
            f"Task {ledger.task_id} plants canaries in work that is not exact; nothing of it is signed."
        )
