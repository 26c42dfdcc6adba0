"""The spec of a contest: a whole model by competition, one canonical JSON document whose sha256 the chain
stores. ``ContestSpec.parse`` is the only way in; it answers bad input with a sentence that names the field.
"""

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from protocol.contest_cost import check_cost
from protocol.contest_recipe import ContestRecipe
from protocol.errors import InvalidInput
from protocol.ids import Sha256, parse_sha256
from protocol.members import MAX_MEMBERS, MIN_MEMBERS
from protocol.policy import default_policy_sha256
from protocol.spec import Amount, DatasetSpec, Hex64, ModelSpec, Name
from protocol.spec_document import Part, SpecDocument

MAX_ENTRIES = 64
MAX_ANSWERS = 2**32 - 2
MAX_TERM_S = 2 * 86_400
MIN_TERM_S = 10
_MAX_AMOUNT = 1 << 96

Count = Annotated[int, Meta(ge=1, le=MAX_ANSWERS)]
Term = Annotated[int, Meta(ge=MIN_TERM_S, le=MAX_TERM_S, description="seconds")]


class SealedSet(Part, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The test set that nobody can read before its key is released: ``sha256`` of the plain dataset, whose
    test split is scored, ``sealed`` of its encrypted blob, and how many ``answers`` it asks for."""

    sha256: Hex64
    sealed: Hex64
    answers: Count


class Goal(Part, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Right answers: the first entry with ``target`` wins, otherwise the best one with ``least``."""

    target: Count
    least: Count = 1


class ContestMoney(Part, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Amounts in the token's smallest unit. ``compensation`` is what each entry gets when the poster does not
    release the test set that it promised."""

    reward: Amount
    fee: Amount = "0"
    compensation: Amount = "0"
    miner_stake: Amount = "0"
    slash_per_fault: Amount = "0"


class ContestLimits(Part, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Bounds in seconds, entries and bytes. Commitments are accepted for ``commit_s`` from the posting on."""

    commit_s: Annotated[int, Meta(ge=MIN_TERM_S, le=30 * 86_400)]
    release_s: Term = 600
    reveal_s: Term = 600
    score_s: Term = 3_600
    challenge_window_s: Annotated[int, Meta(ge=0, le=7 * 86_400)] = 0
    max_entries: Annotated[int, Meta(ge=1, le=MAX_ENTRIES)] = MAX_ENTRIES
    max_blob_bytes: Annotated[int, Meta(ge=1024, le=1 << 34)] = 256 * 1024 * 1024


class ContestChecks(Part, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who scores, and by which limits a replayed trace is judged (``protocol.policy``)."""

    committee_size: Annotated[int, Meta(ge=0, le=MAX_MEMBERS)] = 0
    policy: Hex64 = msgspec.field(default_factory=default_policy_sha256)


class ContestSpec(SpecDocument, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A contest, complete: its canonical bytes' sha256 is what the chain stores."""

    version: Literal[1]
    kind: Literal["contest"]
    title: Name
    model: ModelSpec
    dataset: DatasetSpec
    test_set: SealedSet
    recipe: ContestRecipe
    goal: Goal
    money: ContestMoney
    limits: ContestLimits
    checks: ContestChecks = msgspec.field(default_factory=ContestChecks)

    def check(self) -> None:
        _check_consistency(self)

    @property
    def dataset_sha256(self) -> Sha256:
        return parse_sha256(self.dataset.sha256)

    @property
    def test_set_sha256(self) -> Sha256:
        return parse_sha256(self.test_set.sha256)

    @property
    def sealed_sha256(self) -> Sha256:
        return parse_sha256(self.test_set.sealed)

    @property
    def escrow_wei(self) -> int:
        """All that the poster pays in."""
        money = self.money
        return int(money.reward) + int(money.fee) + int(money.compensation) * self.limits.max_entries


def contest_json_schema() -> dict[str, Any]:
    """The JSON schema of a contest's spec, for forms and editors."""
    return msgspec.json.schema(ContestSpec)


def _check_consistency(spec: ContestSpec) -> None:
    goal, money = spec.goal, spec.money
    if goal.target > spec.test_set.answers:
        raise InvalidInput(
            f"goal.target is {goal.target}, more than test_set.answers = {spec.test_set.answers}."
        )
    if goal.least > goal.target:
        raise InvalidInput(f"goal.least is {goal.least}, more than goal.target = {goal.target}.")
    if int(money.reward) == 0:
        raise InvalidInput("money.reward is 0: no miner would work.")
    if int(money.slash_per_fault) > int(money.miner_stake):
        raise InvalidInput(
            "money.slash_per_fault is larger than money.miner_stake: a miner could not pay it."
        )
    for name in ("reward", "fee", "compensation", "miner_stake"):
        if int(getattr(money, name)) >= _MAX_AMOUNT:
            raise InvalidInput(f"money.{name} is more than the contract holds (2^96).")
    if 0 < spec.checks.committee_size < MIN_MEMBERS:
        raise InvalidInput(
            f"checks.committee_size is {spec.checks.committee_size}: a committee has at least {MIN_MEMBERS} "
            "members (4, 7, 10, ...); 0 takes everybody."
        )
    _check_replays_are_fair(spec)
    check_cost(spec.model, spec.recipe, answers=spec.test_set.answers, entries=spec.limits.max_entries)


def _check_replays_are_fair(spec: ContestSpec) -> None:
    """Whoever fails a replay is slashed, so a trace is asked for only where honest work cannot fail it. In
    float64 that is everywhere; in float32 the shipped limits were measured over one gradient step, and no one
    knows how far two honest machines are apart after several, or what limits of a poster's own are worth."""
    trace = spec.recipe.trace
    if trace is None or spec.recipe.compute == "float64":
        return
    if trace.every != 1:
        raise InvalidInput(
            f"recipe.trace.every is {trace.every} in float32: honest replays of more than one step were not "
            "measured, and miners would be slashed for noise. Set it to 1, or recipe.compute to float64."
        )
    if spec.checks.policy != default_policy_sha256():
        raise InvalidInput(
            "checks.policy is not the shipped one: a trace in float32 is judged by measured limits alone. "
            "Leave checks.policy out, or set recipe.compute to float64."
        )
