"""What a contest costs, what its traces cost miners and committee, and what all of it buys: before anything
is signed."""

from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Final

from pot.amounts import format_amount, format_duration
from pot.client import DEFAULT_COMMITTEE, Client
from pot.contests.draft import ContestDraft
from pot.contests.measuring import Measured, measure
from pot.output import Table, facts
from pot.quote import Committee, percent
from protocol.contest_spec import ContestSpec
from protocol.members import quorum
from protocol.payouts import fee_share_down
from worker.training.trace_plan import check_replays, found_by_chance, replayed_share

# Whole transactions, measured (contracts/snapshots/contest.json), rounded up; the permit is in POST_GAS.
POST_GAS: Final = 420_000
RELEASE_GAS: Final = 160_000
COMMIT_GAS: Final = 120_000
REVEAL_GAS: Final = 90_000
CERTIFY_GAS: Final = 112_000
ENTRY_GAS: Final = 1_600
SIGNER_GAS: Final = 5_000
CLOSE_GAS: Final = 210_000
OWED_GAS: Final = 25_000
COLLECT_GAS: Final = 40_000
MEASURED_SIGNERS: Final = 3
MEASURED_ENTRIES: Final = 3
FALSE_SHARES: Final = (Fraction(1, 100), Fraction(1, 20), Fraction(1, 10), Fraction(1, 4))


@dataclass(frozen=True, slots=True, kw_only=True)
class ContestQuote:
    """Money in smallest units, gas price in wei, times in seconds. ``bond`` and ``court_term_s`` are the
    network's, None offline."""

    spec: ContestSpec
    committee: Committee
    measured: Measured
    gas_price: int
    bond: int | None = None
    court_term_s: int | None = None

    @property
    def entries(self) -> int:
        """The most entries that there can be."""
        return self.spec.limits.max_entries

    @property
    def replayed(self) -> float:
        """What all members together replay of one entry, as a share of its training."""
        return replayed_share(self.spec.recipe, self.committee.n)

    @property
    def fair_fee(self) -> int:
        """The fee that pays all replays at the miners' price, rounded up: an entry's training is worth the
        reward by the number of entries, and each of them is replayed."""
        recipe = self.spec.recipe
        if recipe.trace is None:
            return 0
        return -(-int(self.spec.money.reward) * self.committee.n * recipe.replays // recipe.segments)

    @property
    def trace_bytes(self) -> int:
        """What one miner stores and each member fetches for one entry."""
        recipe = self.spec.recipe
        return 0 if recipe.trace is None else (recipe.segments + 1) * self.measured.checkpoint_bytes

    @property
    def life_s(self) -> int:
        """From the posting to the latest end, without a challenge."""
        limits = self.spec.limits
        return (
            limits.commit_s + limits.release_s + limits.reveal_s + limits.score_s + limits.challenge_window_s
        )

    def check(self) -> None:
        """Raises InvalidRecipe when the members would replay more than the training itself."""
        check_replays(self.spec.recipe, self.committee.n)

    def gas(self) -> dict[str, int]:
        """Gas of each step, for the most entries and a bare quorum of signers."""
        signers = quorum(self.committee.n) - MEASURED_SIGNERS
        return {
            "post": POST_GAS,
            "release": RELEASE_GAS,
            "commit": COMMIT_GAS,
            "reveal": REVEAL_GAS,
            "certify": CERTIFY_GAS
            + max(0, self.entries - MEASURED_ENTRIES) * ENTRY_GAS
            + signers * SIGNER_GAS,
            "close": CLOSE_GAS + signers * OWED_GAS,
            "collect": COLLECT_GAS,
        }

    def found(self) -> dict[int, float]:
        """By the number of false segments, none of them among the largest: how probably one is replayed."""
        segments = self.spec.recipe.segments
        if segments == 0:
            return {}
        counts = sorted({1, *(max(1, int(segments * share)) for share in FALSE_SHARES)})
        return {count: found_by_chance(self.spec.recipe, count) for count in counts}

    def to_json(self) -> dict[str, Any]:
        """The quote as a document: amounts are decimal strings, probabilities numbers."""
        spec, money, limits = self.spec, self.spec.money, self.spec.limits
        return {
            "spec_hash": spec.hash.hex(),
            "escrow": str(spec.escrow_wei),
            "reward": money.reward,
            "fee": money.fee,
            "compensation": {"each": money.compensation, "entries": self.entries},
            "committee": {"n": self.committee.n, "f": self.committee.f},
            "fee_share": {
                "least": str(self._share(self.committee.n)),
                "most": str(self._share(self._enough)),
            },
            "fee_that_pays_checking": str(self.fair_fee),
            "gas": {**self.gas(), "price_wei": str(self.gas_price)},
            "trace": self._trace_json(),
            "mapping": self._mapping_json(),
            "bond": None if self.bond is None else str(self.bond),
            "seconds": {
                "commit": limits.commit_s,
                "release": limits.release_s,
                "reveal": limits.reveal_s,
                "score": limits.score_s,
                "challenge_window": limits.challenge_window_s,
                "court": self.court_term_s,
                "at_most": self.life_s,
                "step_here": self.measured.step_s,
            },
        }

    def _trace_json(self) -> dict[str, Any] | None:
        recipe = self.spec.recipe
        if recipe.trace is None:
            return None
        return {
            "segments": recipe.segments,
            "checkpoint_bytes": self.measured.checkpoint_bytes,
            "bytes_per_entry": self.trace_bytes,
            "replayed_by_each": recipe.replays,
            "replayed_share": self.replayed,
            "found_by_false_segments": {str(count): found for count, found in self.found().items()},
        }

    def _mapping_json(self) -> dict[str, int] | None:
        mapping = self.spec.recipe.mapping
        return None if mapping is None else {"inputs": mapping.inputs, "outputs": mapping.outputs}

    def text(self) -> list[str | Table]:
        """The quote for people."""
        money = self.spec.money
        lines: list[tuple[str, object]] = [
            ("escrow", f"{format_amount(self.spec.escrow_wei)} (what is not owed to others comes back)"),
            ("  for the winner", format_amount(int(money.reward))),
            ("  for validators", format_amount(int(money.fee))),
            ("  if you do not release", f"{self.entries} x {format_amount(int(money.compensation))}"),
            ("committee", f"{self.committee.n} validators, {self.committee.f} of them may be Byzantine"),
            ("  each signer's share", self._shares()),
            ("  its cost", self._validators_cost()),
            *self._trace_lines(),
            ("mapping layer", self._mapping()),
            *self._gas_lines(),
            *self._time_lines(),
        ]
        return list(facts(lines))

    @property
    def _enough(self) -> int:
        return quorum(self.committee.n)

    def _share(self, signers: int) -> int:
        return fee_share_down(int(self.spec.money.fee), 1, signers)

    def _shares(self) -> str:
        least, most = format_amount(self._share(self.committee.n)), format_amount(self._share(self._enough))
        return f"{least} to {most} ({self.committee.n} to {self._enough} sign)"

    def _validators_cost(self) -> str:
        recipe = self.spec.recipe
        if recipe.trace is None:
            return "counting answers alone"
        each = format_amount(-(-self.fair_fee // self.committee.n))
        here = ""
        if self.measured.step_s is not None:
            seconds = self.entries * recipe.replays * recipe.trace.every * self.measured.step_s
            here = f"; {seconds:.1f} s on this machine"
        paid = "covers" if int(self.spec.money.fee) >= self.fair_fee else "DOES NOT COVER"
        return f"replays of {self.entries} entries, {each} at the miners' price{here}: the fee {paid} it"

    def _trace_lines(self) -> list[tuple[str, object]]:
        recipe = self.spec.recipe
        if recipe.trace is None:
            return [("trace", "none: good weights win, wherever they come from")]
        each = f"{recipe.replays} of {recipe.segments} segments"
        dear = " (MORE THAN THE TRAINING)" if self.replayed > 1 else ""
        found = ", ".join(f"{count:,} with {percent(p)}" for count, p in self.found().items())
        size = f"{recipe.segments + 1:,} checkpoints x {self.measured.checkpoint_bytes:,} bytes"
        return [
            ("trace", f"each member replays the same {each}; all together {percent(self.replayed)}{dear}"),
            ("  miners store", f"{size} = {self.trace_bytes / 1e6:.1f} MB, no more compute"),
            ("  catches", f"a false one of the {recipe.trace.largest} largest always; of the others {found}"),
        ]

    def _mapping(self) -> str:
        mapping = self.spec.recipe.mapping
        if mapping is None:
            return "none: a model that was shown once works for everybody"
        return (
            f"{mapping.inputs} -> {mapping.outputs}; stops weights used as they are, not a thief who has the "
            "training data (commit order and trace do)"
        )

    def _gas_lines(self) -> list[tuple[str, object]]:
        gas = self.gas()
        own = gas["post"] + gas["release"] + gas["collect"]
        coin = own * self.gas_price / 1e18
        return [
            ("gas", f"about {own:,} to post, release and collect, {coin:.6f} coin now"),
            ("  of each miner", f"{gas['commit'] + gas['reveal']:,} to commit and reveal"),
            ("  of validators", f"{gas['certify']:,} to certify, {gas['close']:,} to close"),
        ]

    def _time_lines(self) -> list[tuple[str, object]]:
        limits = self.spec.limits
        phases = ", ".join(
            f"{name} {format_duration(seconds)}"
            for name, seconds in (
                ("commit", limits.commit_s),
                ("release", limits.release_s),
                ("reveal", limits.reveal_s),
                ("score", limits.score_s),
            )
        )
        return [
            ("time", f"{phases}: at most {format_duration(self.life_s)}"),
            ("challenge", self._challenge()),
        ]

    def _challenge(self) -> str:
        window_s = self.spec.limits.challenge_window_s
        if window_s == 0:
            return "nobody can challenge the scores (limits.challenge_window)"
        court = (
            "" if self.court_term_s is None else f"; a court then has {format_duration(self.court_term_s)}"
        )
        bond = "" if self.bond is None else f" for a bond of {format_amount(self.bond)}"
        return f"anybody{bond}, for {format_duration(window_s)} after the scores{court}"


def quote_draft(client: Client, draft: ContestDraft) -> ContestQuote:
    """The quote on the network of ``client``. Raises ServiceUnreachable, Refused."""
    contracts = client.contracts
    epoch = contracts.committee.current_epoch()
    pool = len(contracts.committee.members_of(epoch)) if epoch else 0
    return ContestQuote(
        spec=draft.spec,
        committee=Committee(n=draft.spec.checks.committee_size or pool or DEFAULT_COMMITTEE),
        measured=measure(draft),
        gas_price=contracts.client.block().base_fee,
        bond=contracts.contest.bond(),
        court_term_s=contracts.contest.court_term_s(),
    )


def quote_offline(draft: ContestDraft, members: int, *, timed: bool = True) -> ContestQuote:
    """The quote for a committee of ``members``, without a network."""
    return ContestQuote(
        spec=draft.spec, committee=Committee(n=members), measured=measure(draft, timed=timed), gas_price=0
    )
