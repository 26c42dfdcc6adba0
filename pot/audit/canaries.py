"""The canaries of a task: committed to before it began, and charged in the vault as the poster had said."""

from pot.audit.report import AuditReport
from protocol.chain.canary_events import (
    CanariesPlanted,
    CanaryOpened,
    MemberAccused,
    MemberCleared,
    MemberPunished,
    SeedCommitted,
)
from protocol.chain.client import ChainClient
from protocol.chain.events import StakeSlashed
from protocol.chain.history import TaskHistory
from protocol.errors import VerificationFailed


def audit_canaries(
    history: TaskHistory, client: ChainClient, slashes: list[StakeSlashed], report: AuditReport
) -> None:
    """Check what follows from the events alone; what only the contract could check, it did. ``slashes`` are
    the vault's, of all tasks. Raises VerificationFailed at the first lie."""
    planted = next((e for e in history.canaries if isinstance(e, CanariesPlanted)), None)
    if planted is None:
        return
    starts_at = history.created.params.starts_at
    for event in history.canaries:
        early = isinstance(event, CanariesPlanted | SeedCommitted)
        if early and client.block(event.where.block_number).timestamp >= starts_at:
            raise VerificationFailed("canaries", f"something was committed to after the start at {starts_at}")
    opened = [e for e in history.canaries if isinstance(e, CanaryOpened)]
    ended = _accusations(history, planted, slashes)
    waiting = sum(isinstance(e, MemberAccused) for e in history.canaries) - sum(ended)
    report.passed(
        "canaries",
        f"planted before the task began; {len(opened)} opened, {ended[0]} members punished, {ended[1]} "
        f"cleared, {waiting} still accused",
    )


def _accusations(
    history: TaskHistory, planted: CanariesPlanted, slashes: list[StakeSlashed]
) -> tuple[int, int]:
    """How many ended with a punishment, and how many by an answer."""
    accused = {e.key: e for e in history.canaries if isinstance(e, MemberAccused)}
    punished = [e for e in history.canaries if isinstance(e, MemberPunished)]
    for event in punished:
        miner = accused[event.key].miner if event.key in accused else None
        taken = sum(
            slash.amount
            for slash in slashes
            if slash.where.tx_hash == event.where.tx_hash
            and (slash.account, slash.victim) == (event.member, miner)
        )
        if miner is None or event.amount > planted.plan.penalty or taken < event.amount:
            raise VerificationFailed(
                "canaries", f"{event.member} is said to have lost {event.amount}, the vault says {taken}"
            )
    return len(punished), sum(isinstance(e, MemberCleared) for e in history.canaries)
