"""A thousand rounds of validators, some of whom sign without executing: who ends richer?

Pure bookkeeping in units of one shard's cost. A round has ``shards`` shards; each validator is to execute
its share and is paid the same fee. Each shard is a canary with the terms' share. Strategies:

- *honest* executes its whole sample and never accepts a canary in it;
- *blind* executes nothing;
- *half* executes every other shard of its sample;
- *listener* executes a shard only after somebody reported it. Verdicts are committed to before reports are
  opened (docs/adr/0022-canaries.md), so by then its blind acceptance of the shard is committed as well: it
  pays for the execution too.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

from protocol.canary import HORIZON_ROUNDS, CanaryTerms, canary_terms
from protocol.sampling import PPM

STRATEGIES: Final = ("honest", "blind", "half", "listener")
SKIPPED: Final = {"honest": 0.0, "blind": 1.0, "half": 0.5, "listener": 1.0}


@dataclass(frozen=True, slots=True, kw_only=True)
class Game:
    """One point of the dial; costs and fees in units of one shard's execution."""

    shards: int
    sample_ppm: int
    fee: int

    def terms(self) -> CanaryTerms | None:
        """What the quote would ask for; None where it refuses."""
        return canary_terms(shards=self.shards, sample_ppm=self.sample_ppm, shard_cost=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a strategy is worth after HORIZON_ROUNDS rounds; ``accepted`` canaries it was charged for."""

    strategy: str
    executed: int
    accepted: int
    wealth: int


def play(game: Game, terms: CanaryTerms, strategy: str, seed: int) -> Outcome:
    """One validator through HORIZON_ROUNDS rounds."""
    generator = np.random.default_rng((seed, game.shards, game.sample_ppm, STRATEGIES.index(strategy)))
    places = HORIZON_ROUNDS * game.shards
    sampled = int(generator.binomial(places, game.sample_ppm / PPM))
    canaries = int(generator.binomial(sampled, terms.share_ppm / PPM))
    skipped_canaries = int(generator.binomial(canaries, SKIPPED[strategy]))
    skipped_others = int(generator.binomial(sampled - canaries, SKIPPED[strategy]))
    executed = sampled - skipped_canaries - skipped_others
    if strategy == "listener":
        executed += skipped_canaries
    fees = HORIZON_ROUNDS * game.fee
    wealth = fees - executed - skipped_canaries * terms.penalty
    return Outcome(strategy=strategy, executed=executed, accepted=skipped_canaries, wealth=wealth)


GAMES: Final = tuple(
    Game(shards=shards, sample_ppm=sample_ppm, fee=fee)
    for shards in (4, 8, 32, 256)
    for sample_ppm in (1_000, 10_000, 23_334, 100_000, 250_000, 1_000_000)
    for fee in (1, 10)
)
