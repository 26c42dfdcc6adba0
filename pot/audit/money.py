"""The balance sheet of a task: what went in is what came out, to the last unit."""

from protocol import merkle
from protocol.chain.events import TaskCancelled, TaskClosed
from protocol.chain.history import TaskHistory
from protocol.errors import VerificationFailed
from protocol.ids import Address
from protocol.payouts import fee_share_down


def check_claims(history: TaskHistory) -> int:
    """Nobody has drawn more than the certified payouts; returns the sum drawn. Raises VerificationFailed."""
    drawn: dict[Address, int] = {}
    for claim in history.claims:
        drawn[claim.account] = drawn.get(claim.account, 0) + claim.amount
        if drawn[claim.account] != claim.cumulative:
            raise VerificationFailed(
                f"claim in transaction 0x{claim.where.tx_hash.hex()}",
                f"{claim.account} has drawn {drawn[claim.account]}, the event says {claim.cumulative}",
            )
        certified = history.ledger.payouts.get(claim.account, 0)
        if drawn[claim.account] > certified:
            raise VerificationFailed(
                f"claim in transaction 0x{claim.where.tx_hash.hex()}",
                f"{claim.account} drew {drawn[claim.account]} of {certified} certified",
            )
    return sum(drawn.values())


def check_fees(history: TaskHistory) -> int:
    """The last certificate's fee went to its signers, once each; returns the sum. Raises
    VerificationFailed."""
    ledger = history.ledger
    share = _last_share(history)
    paid: set[Address] = set()
    for claim in history.fee_claims:
        if claim.account in paid or claim.account not in ledger.last_signers or claim.amount != share:
            raise VerificationFailed(
                f"signing fee in transaction 0x{claim.where.tx_hash.hex()}",
                f"{claim.account} drew {claim.amount}; each signer of the last certificate has {share}, once",
            )
        paid.add(claim.account)
    return share * len(paid)


def check_slashes(history: TaskHistory) -> int:
    """Every slash rests on a certified fault, is the only one for it and takes no more than the spec says;
    returns how many there were. Raises VerificationFailed."""
    open_faults = {
        fault.leaf()
        for fault in history.ledger.faults
        if merkle.leaf_hash(fault.leaf(), merkle.FAULT_LEAF) not in history.voided
    }
    most = history.ledger.spec.money.slash_per_fault_wei
    for slash in history.slashes:
        subject = f"slash in transaction 0x{slash.where.tx_hash.hex()}"
        leaf = (slash.round, slash.shard, slash.miner, slash.gradient)
        if leaf not in open_faults:
            raise VerificationFailed(
                subject, f"no certified fault of {slash.miner} in round {slash.round} was left to slash"
            )
        open_faults.remove(leaf)
        if slash.amount > most:
            raise VerificationFailed(subject, f"{slash.miner} lost {slash.amount}, the spec says {most}")
    return len(history.slashes)


def check_balance(history: TaskHistory, *, drawn: int, fees: int, held: int) -> int:
    """funded = drawn + fees + refunded + held by the contract. Returns what was refunded.

    Raises VerificationFailed when the sheet does not balance.
    """
    refunded = expected_refund(history)
    funded = history.created.escrow
    if drawn + fees + refunded + held != funded:
        raise VerificationFailed(
            f"escrow of task {history.created.task_id}",
            f"funded {funded}, but {drawn} + {fees} paid, {refunded} refunded and {held} held "
            "do not add up to it",
        )
    return refunded


def expected_refund(history: TaskHistory) -> int:
    """What the poster got back. Raises VerificationFailed when that is not escrow less everything
    certified."""
    match history.ended:
        case TaskClosed(refund=refund):
            fees = _last_share(history) * len(history.ledger.last_signers)
            expected = history.created.escrow - sum(history.ledger.payouts.values()) - fees
        case TaskCancelled(refund=refund):
            expected = history.created.escrow
        case None:
            return 0
    if refund != expected:
        raise VerificationFailed(
            f"refund of task {history.created.task_id}", f"{refund} came back, {expected} was due"
        )
    return int(refund)


def _last_share(history: TaskHistory) -> int:
    ledger = history.ledger
    return fee_share_down(ledger.spec.money.fee_per_round_wei, ledger.last_span, len(ledger.last_signers))
