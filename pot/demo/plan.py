"""What a demo does: how many of whom, how many rounds, who cheats, what is killed; and the task it posts."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from anvil.programs import CANARY
from pot.demo.disturbances import Victim
from protocol.errors import InvalidInput

if TYPE_CHECKING:
    from pot.draft import Draft

MAX_ROUNDS: Final = 1_000
SAMPLES_PER_SHARD: Final = 128
CENSORED_ROUNDS: Final = 8
SLEEPER: Final = "lazy-validator"


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoPlan:
    """``adversaries`` maps miner numbers to kinds; ``victims`` are killed one after the other, at rounds
    spread over the run; the validators that are primary first are wrong in the ways of ``wrong_validators``,
    and a ``vandal`` overwrites blobs. Raises InvalidInput.
    """

    out: Path
    miners: int = 4
    validators: int = 4
    rounds: int = 20
    adversaries: Mapping[int, str] = field(default_factory=dict)
    victims: tuple[Victim, ...] = ()
    wrong_validators: tuple[str, ...] = ()
    wrong_coordinator: str | None = None
    vandal: bool = False

    def __post_init__(self) -> None:
        least = len(self.victims) + 1
        if not least <= self.rounds <= MAX_ROUNDS:
            raise InvalidInput(
                f"{self.rounds} rounds are asked for; {least} to {MAX_ROUNDS} are possible here."
            )
        if self.wrong_coordinator is not None and self.rounds < CENSORED_ROUNDS:
            raise InvalidInput(
                f"A censoring coordinator is replaced in mid-run: {CENSORED_ROUNDS} rounds at least."
            )
        honest = self.miners - len(self.adversaries)
        if self.canary is not None:
            honest -= 1
            if honest < 1:
                raise InvalidInput("One miner is the poster's canary: leave another honest one (--miners).")
        if self.victims.count("miner") >= honest:
            raise InvalidInput(f"Of {honest} honest miners at least one must be left alive (--miners).")
        if self.victims.count("primary") + len(self.wrong_validators) > (self.validators - 1) // 3:
            raise InvalidInput(
                f"{self.validators} validators survive the death or malice of "
                f"{(self.validators - 1) // 3} of them (--validators)."
            )

    @property
    def canary(self) -> int | None:
        """The miner that the poster runs to see who sleeps: the last honest one, where a validator does."""
        if SLEEPER not in self.wrong_validators:
            return None
        return max(number for number in range(1, self.miners + 1) if number not in self.adversaries)

    @property
    def marked(self) -> dict[int, str]:
        """Miner numbers to kinds, the canary among them."""
        own = {} if self.canary is None else {self.canary: CANARY}
        return {**self.adversaries, **own}

    def killings(self) -> list[tuple[int, Victim]]:
        """(after which certified round, whom), ascending."""
        parts = len(self.victims) + 1
        return [
            (max(index, self.rounds * index // parts), victim)
            for index, victim in enumerate(self.victims, start=1)
        ]


def demo_draft(plan: DemoPlan) -> "Draft":
    """The demo's task: handwritten digits, a one-layer network, one shard for each of four miners."""
    from pot.draft import build_draft

    return build_draft(_document(plan), plan.out, "Handwritten digits, trained by strangers", None)


def _document(plan: DemoPlan) -> dict[str, Any]:
    shards = min(plan.miners, 8)
    return {
        "model": {"arch": "mlp", "params": {"hidden": 256, "layers": 1}},
        "dataset": {"source": "digits"},
        "recipe": {
            "optimizer": {"kind": "adamw", "lr": "0.01"},
            "rounds": plan.rounds,
            "shards": shards,
            "global_batch": shards * SAMPLES_PER_SHARD,
            "micro_batch": 32,
            "codec": "int16",
            "compute": "float64",
            "seed": 7,
        },
        # A shard is cheap to redo here, and a demonstration must not let a lie through by luck.
        "verification": {"sample": "100%"},
        "money": {
            "reward_per_shard": "10 POT",
            "fee_per_round": "6 POT",
            "miner_stake": "1000 POT",
            "slash_per_fault": "500 POT",
        },
        # Every shard counts: a late one is done again by another miner, never left out.
        "limits": {
            "task_life": "1h",
            "round_deadline": "10s",
            "min_shards": shards,
            "rounds_per_certificate": 1,
            "max_uncertified_rounds": 4,
        },
    }
