"""A task's balance sheet: where every unit of its escrow is."""

from dataclasses import dataclass

from coordinator.domain.lifecycle import TaskStatus
from protocol.payouts import fee_share_down

_MAY_STILL_EARN = frozenset({TaskStatus.WAITING, TaskStatus.RUNNING, TaskStatus.UNUSABLE})


@dataclass(frozen=True, slots=True, kw_only=True)
class Funds:
    """What the chain says of a task's money, in smallest token units. ``refund`` is None until it was
    paid out; ``last_span`` rounds were covered by the last certificate, which ``last_signers`` members
    signed; ``final_total`` of ``paid_total`` is certified by what cannot be challenged any more.
    """

    rounds: int
    shards: int
    reward_per_shard: int
    fee_per_round: int
    escrow: int
    certified_round: int
    last_span: int
    last_signers: int
    paid_total: int
    final_total: int
    claimed_total: int
    fees_claimed: int
    refund: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class EscrowSheet:
    """``funded`` = ``reserved`` + ``paid`` + ``claimable`` + ``waiting`` + ``refundable`` + ``refunded``, to
    the last unit.

    Reserved: rounds to come may earn it. Claimable: certified and final, not taken yet. Waiting: certified,
    but its window is open or a dispute runs; and the fee of the last certificate until that is final.
    Refundable: nobody can earn it any more; it returns to the poster when the task is closed.
    """

    funded: int
    reserved: int
    paid: int
    claimable: int
    waiting: int
    refundable: int
    refunded: int


def sheet(funds: Funds, status: TaskStatus) -> EscrowSheet:
    """The balance sheet of a task in ``status``."""
    share = fee_share_down(funds.fee_per_round, funds.last_span, funds.last_signers)
    earned = funds.paid_total + share * funds.last_signers
    paid = funds.claimed_total + funds.fees_claimed
    per_round = funds.shards * funds.reward_per_shard + funds.fee_per_round
    to_come = (funds.rounds - funds.certified_round) * per_round
    reserved = to_come if funds.refund is None and status in _MAY_STILL_EARN else 0
    left = funds.escrow - earned - reserved
    waiting = earned - funds.final_total if funds.final_total < funds.paid_total else 0
    return EscrowSheet(
        funded=funds.escrow,
        reserved=reserved,
        paid=paid,
        claimable=earned - paid - waiting,
        waiting=waiting,
        refundable=left if funds.refund is None else 0,
        refunded=funds.refund or 0,
    )
