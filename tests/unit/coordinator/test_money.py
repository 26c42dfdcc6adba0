from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from coordinator.domain.lifecycle import TaskStatus
from coordinator.domain.money import EscrowSheet, Funds, sheet

FUNDS = Funds(
    rounds=4,
    shards=2,
    reward_per_shard=10,
    fee_per_round=7,
    escrow=4 * 27,
    certified_round=2,
    last_span=1,
    last_signers=3,
    paid_total=46,
    final_total=46,
    claimed_total=20,
    fees_claimed=0,
    refund=None,
)


def test_sheet__task_in_the_middle__says_where_every_unit_is() -> None:
    assert sheet(FUNDS, TaskStatus.RUNNING) == EscrowSheet(
        funded=108, reserved=54, paid=20, claimable=46 + 6 - 20, waiting=0, refundable=2, refunded=0
    )


def test_sheet__last_certificates_can_be_challenged__what_they_certify_waits() -> None:
    found = sheet(replace(FUNDS, final_total=26), TaskStatus.RUNNING)
    assert (found.claimable, found.waiting) == (26 - 20, 46 + 6 - 26)


def test_sheet__deadline_passed__the_rounds_to_come_are_refundable() -> None:
    found = sheet(FUNDS, TaskStatus.EXPIRED)
    assert (found.reserved, found.refundable) == (0, 56)


def test_sheet__closed__what_was_refundable_is_refunded() -> None:
    found = sheet(replace(FUNDS, refund=56, claimed_total=46, fees_claimed=6), TaskStatus.CLOSED)
    assert found == EscrowSheet(
        funded=108, reserved=0, paid=52, claimable=0, waiting=0, refundable=0, refunded=56
    )


def test_sheet__cancelled_before_the_start__everything_is_refunded() -> None:
    funds = replace(
        FUNDS,
        certified_round=0,
        last_span=0,
        last_signers=0,
        paid_total=0,
        final_total=0,
        claimed_total=0,
        refund=108,
    )
    found = sheet(funds, TaskStatus.CANCELLED)
    assert (found.refunded, found.claimable, found.reserved) == (108, 0, 0)


@given(
    status=st.sampled_from(list(TaskStatus)),
    certified=st.integers(0, 4),
    signers=st.integers(0, 8),
    share=st.integers(0, 100),
    final=st.integers(0, 100),
    refunded=st.booleans(),
)
def test_sheet__any_task__adds_up_to_the_last_unit(
    status: TaskStatus, certified: int, signers: int, share: int, final: int, refunded: bool
) -> None:
    span = min(1, certified)
    paid_total = certified * 20 * share // 100
    fees = 7 * span // signers * signers if signers else 0
    funds = replace(
        FUNDS,
        certified_round=certified,
        last_span=span,
        last_signers=signers,
        paid_total=paid_total,
        final_total=paid_total * final // 100,
        claimed_total=paid_total * final // 200,
        refund=108 - paid_total - fees if refunded else None,
    )
    found = sheet(funds, status)
    parts = (
        *(found.reserved, found.paid, found.claimable, found.waiting),
        *(found.refundable, found.refunded),
    )
    assert sum(parts) == found.funded
    assert min(parts) >= 0
