"""What a task costs and what it buys, before anything is signed."""

import math
import time
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Final

from pot.amounts import TOKEN_DECIMALS, format_amount, format_duration
from pot.dial import Wish
from pot.draft import Draft
from pot.output import Table, facts
from pot.terms import Terms
from protocol.canary import HORIZON_ROUNDS, CanaryTerms, canary_terms
from protocol.members import max_faulty, quorum
from protocol.payouts import fee_share_down
from protocol.sampling import PPM, break_even_slash, detection, honest_eyes, mean_sample
from protocol.spec import TaskSpec

# Whole transactions, measured on Anvil (contracts/snapshots, benchmarks): rounded up.
CREATE_GAS: Final = 310_000
CERTIFICATE_GAS: Final = 110_000
CLOSE_GAS: Final = 80_000
CHEATED_SHARES: Final = (Fraction(1, 20), Fraction(1, 5), Fraction(1, 2))


@dataclass(frozen=True, slots=True, kw_only=True)
class Committee:
    """The committee a task would have: ``n`` members, of whom ``f`` may be Byzantine."""

    n: int

    @property
    def f(self) -> int:
        return max_faulty(self.n)

    @property
    def honest(self) -> int:
        """Members that can be counted on in the worst case."""
        return self.n - self.f


@dataclass(frozen=True, slots=True, kw_only=True)
class Quote:
    """Money in smallest units, gas price in wei, times in seconds. ``shard_s`` is one shard measured here,
    ``terms`` what the network says about the task, None offline; ``wish`` what the sampling rate was chosen
    for, None when the spec says it."""

    spec: TaskSpec
    committee: Committee
    gas_price: int
    shard_s: float | None
    terms: Terms | None = None
    wish: Wish | None = None

    @property
    def shards(self) -> int:
        return self.spec.recipe.rounds * self.spec.recipe.shards

    @property
    def sample_ppm(self) -> int:
        return self.spec.verification.sample_ppm

    @property
    def sample(self) -> Fraction:
        """How many shards of the task one replica re-executes, on average."""
        return mean_sample(self.shards, self.sample_ppm)

    @property
    def sampling(self) -> Fraction:
        """The share of shards that one replica re-executes."""
        return Fraction(self.sample_ppm, PPM)

    @property
    def detection(self) -> Fraction:
        """p: a cheated shard is seen by at least one honest replica: 1 - (1 - sampling)^honest."""
        return 1 - (1 - self.sampling) ** self.committee.honest

    def caught_within(self, cheated: int) -> float:
        """The probability that a miner who cheats in ``cheated`` shards of the task is caught; each replica
        draws its sample without replacement."""
        return detection(self.shards, cheated, self.sample_ppm, self.committee.honest)

    @property
    def honest_eyes(self) -> float:
        """How many honest replicas look at a shard that is looked at, on average."""
        return honest_eyes(self.sample_ppm, self.committee.honest)

    @property
    def break_even_slash(self) -> int | None:
        """The least slash at which cheating loses money even when a shard costs its whole reward to compute.
        None when nothing is sampled."""
        reward = self.spec.money.reward_per_shard_wei
        return break_even_slash(reward, self.sample_ppm, self.committee.honest)

    @property
    def fair_fee(self) -> int:
        """The fee per round that pays re-execution at the miners' price, rounded up."""
        executed = self.committee.n * self.sample * self.spec.money.reward_per_shard_wei
        return math.ceil(executed / self.spec.recipe.rounds)

    @property
    def canaries(self) -> CanaryTerms | None:
        """What would make sleeping validators lose money; None when too little is sampled for it."""
        return canary_terms(
            shards=self.spec.recipe.shards,
            sample_ppm=self.sample_ppm,
            shard_cost=self.spec.money.reward_per_shard_wei,
        )

    @property
    def cheating_pays(self) -> bool:
        needed = self.break_even_slash
        return needed is None or self.spec.money.slash_per_fault_wei < needed

    @property
    def extra_compute(self) -> Fraction:
        """Re-execution by all replicas together, as a share of the miners' work."""
        return self.sampling * self.committee.n

    @property
    def certificates(self) -> int:
        return -(-self.spec.recipe.rounds // self.spec.limits.rounds_per_certificate)

    def to_json(self) -> dict[str, Any]:
        """The quote as a document: amounts are decimal strings, probabilities numbers."""
        spec = self.spec
        return {
            "spec_hash": spec.hash.hex(),
            "escrow": str(spec.escrow_wei),
            "reward_total": str(self.shards * spec.money.reward_per_shard_wei),
            "fee_total": str(spec.recipe.rounds * spec.money.fee_per_round_wei),
            "rounds": spec.recipe.rounds,
            "shards": self.shards,
            "committee": {"n": self.committee.n, "f": self.committee.f},
            "fee_share": {
                "least": str(self._fee_share(self.committee.n)),
                "most": str(self._fee_share(quorum(self.committee.n))),
            },
            "network": None if self.terms is None else self.terms.to_json(),
            "sampling": float(self.sampling),
            "detection_per_shard": float(self.detection),
            "detection_by_cheated_shards": {str(m): self.caught_within(m) for m in self._cheated_counts()},
            "break_even_slash": None if self.break_even_slash is None else str(self.break_even_slash),
            "slash_per_fault": str(spec.money.slash_per_fault_wei),
            "cheating_pays": self.cheating_pays,
            "extra_compute": float(self.extra_compute),
            "honest_eyes": self.honest_eyes,
            "fee_that_pays_checking": str(self.fair_fee),
            "canaries": None
            if self.canaries is None
            else {"share_ppm": self.canaries.share_ppm, "penalty": str(self.canaries.penalty)},
            "wish": None if self.wish is None else self.wish.to_json(),
            "gas": {
                "create": CREATE_GAS,
                "close": CLOSE_GAS,
                "certificates_by_committee": self.certificates * CERTIFICATE_GAS,
                "price_wei": str(self.gas_price),
            },
            "seconds": {
                "shard_here": self.shard_s,
                "rounds_at_most": spec.recipe.rounds * spec.limits.round_deadline_s,
                "task_life": spec.limits.task_life_s,
                "challenge_window": spec.limits.challenge_window_s,
            },
        }

    def text(self) -> list[str | Table]:
        """The quote for people."""
        spec = self.spec
        fee = (CREATE_GAS + CLOSE_GAS) * self.gas_price
        lines: list[tuple[str, object]] = [
            ("escrow", f"{format_amount(spec.escrow_wei)} (what is not earned comes back)"),
            ("  for miners", f"{_shards(self.shards)} x {format_amount(spec.money.reward_per_shard_wei)}"),
            (
                "  for validators",
                f"{spec.recipe.rounds:,} rounds x {format_amount(spec.money.fee_per_round_wei)}",
            ),
            ("  each signer's share", self._shares()),
            ("committee", self._committee()),
            ("sampling", self._sampling()),
            ("detection", f"a cheated shard is caught with {percent(self.detection)}"),
            (
                "  over the task",
                "; ".join(f"{_shards(m)} {percent(self.caught_within(m))}" for m in self._cheated_counts()),
            ),
            *self._wish(),
            ("cheating", self._verdict()),
            ("extra compute", f"{percent(self.extra_compute)} of the miners' work, done by validators"),
            ("  at the miners' price", f"{rounded_up(self.fair_fee)} a round"),
            ("sleeping validators", self._canaries()),
            (
                "gas",
                f"about {CREATE_GAS + CLOSE_GAS:,} to create and close, {fee / 1e18:.6f} coin now",
            ),
            ("", f"{self.certificates:,} certificates of up to {CERTIFICATE_GAS:,}, posted by validators"),
            ("time", self._time()),
            ("claimable", self._claimable()),
        ]
        return list(facts(lines))

    def _fee_share(self, signers: int) -> int:
        """The share of each of ``signers`` in one round's fee."""
        return fee_share_down(self.spec.money.fee_per_round_wei, 1, signers)

    def _shares(self) -> str:
        n, enough = self.committee.n, quorum(self.committee.n)
        least, most = format_amount(self._fee_share(n)), format_amount(self._fee_share(enough))
        return f"{least} to {most} a round ({n} to {enough} sign)"

    def _committee(self) -> str:
        text = f"{self.committee.n} validators, {self.committee.f} of them may be Byzantine"
        if self.terms is None or not self.terms.drawn:
            return text
        return f"{text}; drawn by stake from {self.terms.pool}, two blocks after creation"

    def _claimable(self) -> str:
        window_s = self.spec.limits.challenge_window_s
        if window_s == 0:
            return "as soon as a certificate is accepted; nobody can challenge it (limits.challenge_window)"
        return f"{format_duration(window_s)} after each certificate, unless it is challenged"

    def _sampling(self) -> str:
        text = (
            f"each validator re-executes {_mean(self.sample)} of {self.shards:,} shards on average, secretly "
            f"chosen; {self.honest_eyes:.2f} honest eyes on each that is looked at"
        )
        if self.wish is None:
            return text
        return f"{text}; write `sample: {self.wish.share_ppm / 10_000:.4f}%`"

    def _wish(self) -> list[tuple[str, object]]:
        if self.wish is None:
            return []
        wish = self.wish
        found, extra = percent(wish.found), percent(wish.extra_compute)
        line = f"{wish.bad:,} of {wish.of:,} shards {found}, at {extra} more compute"
        return [("  as asked", f"{line}; {_mean(wish.sample)} each")]

    def _canaries(self) -> str:
        terms = self.canaries
        if terms is None:
            return "would not be noticed: too little is sampled for canaries to meet them"
        share = percent(Fraction(terms.share_ppm, PPM))
        return (
            f"lose over {HORIZON_ROUNDS:,} rounds when {share} of the shards "
            f"are canaries and one signed away costs {rounded_up(terms.penalty)}"
        )

    def _cheated_counts(self) -> list[int]:
        asked = set() if self.wish is None or self.wish.of != self.shards else {self.wish.bad}
        return sorted({1, *asked, *(max(1, int(self.shards * share)) for share in CHEATED_SHARES)})

    def _verdict(self) -> str:
        needed = self.break_even_slash
        if needed is None:
            return "PAYS: nothing is sampled. Set verification.sample."
        slash = format_amount(self.spec.money.slash_per_fault_wei)
        if self.cheating_pays:
            return f"PAYS: the slash is {slash}, {rounded_up(needed)} is the least at this rate."
        return f"loses money: the slash is {slash}, {rounded_up(needed)} would do"

    def _time(self) -> str:
        spec = self.spec
        most = min(spec.limits.task_life_s, spec.recipe.rounds * spec.limits.round_deadline_s)
        here = "" if self.shard_s is None else f"; one shard takes {self.shard_s:.3f} s on this machine"
        return f"at most {format_duration(most)}{here}"


def make_quote(
    draft: Draft, *, members: int, gas_price: int, measure: bool = True, terms: Terms | None = None
) -> Quote:
    """The quote for ``draft`` with ``members`` validators; ``measure`` times one shard on this machine."""
    shard_s = measure_shard_s(draft) if measure else None
    committee = Committee(n=members)
    return Quote(spec=draft.spec, committee=committee, gas_price=gas_price, shard_s=shard_s, terms=terms)


def measure_shard_s(draft: Draft) -> float:
    """Seconds that the first shard of the first round takes here, computed as a miner would."""
    from worker.training.checkpoint import load_checkpoint
    from worker.training.step import shard_gradient

    checkpoint = load_checkpoint(draft.spec, draft.genesis_blob)
    start = time.perf_counter()
    shard_gradient(draft.spec, checkpoint, draft.dataset, 1, 0)
    return time.perf_counter() - start


def _shards(count: int) -> str:
    return f"{count:,} shard" if count == 1 else f"{count:,} shards"


def _mean(shards: Fraction | float) -> str:
    return f"{float(shards):,.2f}".removesuffix(".00")


def percent(share: Fraction | float) -> str:
    value = float(share) * 100
    certain = isinstance(share, Fraction) and share == 1
    return f"{value:.4g} %" if value < 99.995 or certain else "> 99.99 %"


def rounded_up(units: int) -> str:
    step = 10 ** (TOKEN_DECIMALS - 3)
    return format_amount(-(-units // step) * step)
