"""Whether a network can carry a task: its committee, the time that stakes stay, the room for certificates."""

from dataclasses import dataclass
from typing import Any, Final

from pot.amounts import format_duration
from protocol.chain.contracts import Contracts
from protocol.draw import is_committee_size, needs_draw
from protocol.errors import InvalidInput, Refused
from protocol.spec import TaskSpec

CERTIFICATES_PER_WINDOW: Final = 63
"""Of the market's ring of 64 records, one must stay to claim from."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What a network says about ``spec``, posted to begin in ``start_in_s``. ``pool`` members are in the
    newest snapshot, taken ``snapshot_age_s`` ago; stakes can leave ``unbonding_s`` after they are asked for,
    and the disputes of such a task can run for ``settlement_s`` after its deadline. Times are seconds."""

    spec: TaskSpec
    start_in_s: int
    pool: int
    snapshot_age_s: int
    max_snapshot_age_s: int
    max_life_s: int
    settlement_s: int
    margin_s: int
    unbonding_s: int

    @property
    def members(self) -> int:
        """Members of the task's committee."""
        return self.spec.verification.committee_size or self.pool

    @property
    def drawn(self) -> bool:
        return needs_draw(self.spec.verification.committee_size, self.pool)

    @property
    def life_s(self) -> int:
        """From now to the deadline."""
        return self.start_in_s + self.spec.limits.task_life_s

    @property
    def needed_s(self) -> int:
        """How long stakes must stay, from the snapshot on."""
        return self.snapshot_age_s + self.life_s + self.settlement_s + self.margin_s

    def check(self) -> None:
        """Raises InvalidInput, with what to change, when the contract or the time would refuse the task;
        Refused when the network has no committee to offer."""
        require_room(self.spec)
        if self.pool == 0:
            raise Refused("There is no committee yet: at least four validators have to join.", "NoCommittee")
        if self.snapshot_age_s > self.max_snapshot_age_s:
            raise Refused(
                f"The newest snapshot of validators is {format_duration(self.snapshot_age_s)} old, more than "
                f"{format_duration(self.max_snapshot_age_s)}: a validator has to advance the epoch "
                "(`pot validator stake --advance-epoch`).",
                "EpochStale",
            )
        size = self.spec.verification.committee_size
        if not is_committee_size(size, self.pool):
            raise InvalidInput(
                f"verification.committee_size is {size}, but a committee has 4, 7, 10, ... members and at "
                f"most the {self.pool} validators of this network; all of them with `all`."
            )
        if self.life_s > self.max_life_s:
            raise InvalidInput(
                f"limits.task_life is {self.spec.limits.task_life_s} s, starting in {self.start_in_s} s; "
                f"the contract allows {self.max_life_s} s together."
            )
        if self.needed_s > self.unbonding_s:
            raise InvalidInput(
                f"Stakes could leave before the last dispute of this task is over: they stay for "
                f"{format_duration(self.unbonding_s)}, and it needs {format_duration(self.needed_s)} "
                f"(snapshot's age {format_duration(self.snapshot_age_s)}, "
                f"life {format_duration(self.life_s)}, disputes {format_duration(self.settlement_s)}, "
                f"margin {format_duration(self.margin_s)}). "
                "Choose a shorter limits.task_life or limits.challenge_window."
            )

    def to_json(self) -> dict[str, Any]:
        return {
            "pool": self.pool,
            "drawn": self.drawn,
            "stake_stays_s": self.unbonding_s,
            "stake_needed_s": self.needed_s,
            "settlement_s": self.settlement_s,
        }


def read_terms(contracts: Contracts, spec: TaskSpec, *, start_in_s: int = 0) -> Terms:
    """Ask the chain. Raises ServiceUnreachable, Refused."""
    committee, market, block = contracts.committee, contracts.market, contracts.client.block()
    epoch = committee.current_epoch()
    return Terms(
        spec=spec,
        start_in_s=start_in_s,
        pool=len(committee.members_of(epoch)) if epoch else 0,
        snapshot_age_s=max(0, block.timestamp - committee.started_at(epoch)) if epoch else 0,
        max_snapshot_age_s=market.max_epoch_age_s(),
        max_life_s=market.max_task_life_s(),
        settlement_s=market.settlement_time_s(spec.limits.challenge_window_s),
        margin_s=market.settlement_margin_s(),
        unbonding_s=contracts.vault.unbonding_delay_s(),
    )


def require_room(spec: TaskSpec) -> None:
    """Raises InvalidInput when the certificates of ``spec`` cannot all be accepted in its life: those of one
    challenge window have to fit into the market's ring."""
    limits, window_s = spec.limits, spec.limits.challenge_window_s
    if window_s == 0:
        return
    fewest = -(-spec.recipe.rounds // limits.max_uncertified_rounds)
    waits_s = (fewest - 1) // CERTIFICATES_PER_WINDOW * window_s
    if waits_s >= limits.task_life_s:
        raise InvalidInput(
            f"{spec.recipe.rounds} rounds need at least {fewest} certificates, and {CERTIFICATES_PER_WINDOW} "
            f"fit into one limits.challenge_window of {format_duration(window_s)}: that takes longer than "
            "limits.task_life. Raise limits.max_uncertified_rounds and limits.rounds_per_certificate, or "
            "shorten the window."
        )
