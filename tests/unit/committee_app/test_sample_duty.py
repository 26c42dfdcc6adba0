"""How much a validator has to look at: what the chain will hold it to, asked once, and never too early."""

from dataclasses import dataclass, field
from typing import Any, cast

import pytest

from committee.sample_duty import (
    CanariesUntellable,
    ChainDuty,
    Duty,
    NotYetFixed,
    require_tellable,
    spec_duty,
)
from protocol.chain.canaries import CanaryPlan
from protocol.chain.contracts import Contracts
from protocol.ids import Address, TaskId, Wei
from protocol.policy import default_policy
from protocol.sampling import PPM, seed_commitment
from tests.unit.committee_app.histories import at_start
from worker.training.tolerance import limits_of

SEED = bytes(65)
ME = Address("0x" + "22" * 20)
STARTS_AT = 100


@dataclass
class Chain:
    """A stand-in for the endpoint: what it would answer, and how often it was asked."""

    now: int = STARTS_AT
    plan: CanaryPlan | None = None
    seed: bytes = bytes(32)
    asked: int = 0
    starts_at: int = STARTS_AT
    client: Any = field(init=False)
    market: Any = field(init=False)
    canaries: Any = field(init=False)

    def __post_init__(self) -> None:
        self.client = self.market = self.canaries = self

    def pending_time(self) -> int:
        return self.now

    def task(self, task_id: TaskId) -> "Chain":
        self.asked += 1
        return self

    def plan_of(self, task_id: TaskId) -> CanaryPlan | None:
        return self.plan

    def seed_of(self, task_id: TaskId, member: Address) -> bytes:
        return self.seed


def duty(chain: Chain) -> ChainDuty:
    return ChainDuty(cast(Contracts, chain), ME)


def plan(sample_ppm: int) -> CanaryPlan:
    return CanaryPlan(root=b"r" * 32, sample_ppm=sample_ppm, penalty=Wei(1))


def test_duty__nothing_planted__is_what_the_spec_says_and_asked_once() -> None:
    chain, ledger = Chain(), at_start().ledger
    asks = duty(chain)
    assert asks(ledger, SEED) == asks(ledger, SEED) == spec_duty(ledger, SEED)
    assert chain.asked == 1


def test_duty__before_the_start__is_not_known_and_asked_again() -> None:
    chain, ledger = Chain(now=STARTS_AT - 1), at_start().ledger
    asks = duty(chain)
    with pytest.raises(NotYetFixed):
        asks(ledger, SEED)
    chain.now, chain.plan = STARTS_AT, plan(1)
    assert asks(ledger, SEED).charged


def test_duty__no_commitment_or_another_ones__is_everything() -> None:
    ledger = at_start().ledger
    for seed in (bytes(32), seed_commitment(b"another")):
        assert duty(Chain(plan=plan(1), seed=seed))(ledger, SEED) == Duty(share_ppm=PPM, charged=True)


def test_duty__committed__is_the_larger_of_both_shares() -> None:
    ledger = at_start().ledger
    own = ledger.spec.verification.sample_ppm
    for share, wanted in ((0, own), (PPM, PPM)):
        chain = Chain(plan=plan(share), seed=seed_commitment(SEED))
        assert duty(chain)(ledger, SEED) == Duty(share_ppm=wanted, charged=True)


def test_require_tellable__exact_and_tolerant_work__is_taken_and_refused() -> None:
    ledger = at_start().ledger
    exact = limits_of(ledger.spec, default_policy())
    loose = next(limits for limits in default_policy().limits if limits.compute == "float32")
    require_tellable(ledger, exact)
    with pytest.raises(CanariesUntellable):
        require_tellable(ledger, loose)
