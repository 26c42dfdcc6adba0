"""What canaries moved, as reasons of ``pot why``."""

from collections.abc import Iterator

from pot.amounts import format_amount
from pot.why import Reason
from protocol.chain.canary_events import CanaryPardoned, MemberAccused, MemberPunished
from protocol.chain.events import Event, StakeSlashed
from protocol.chain.history import TaskHistory


def canary_reasons(history: TaskHistory, events: list[Event]) -> Iterator[Reason]:
    """Penalties, whom they went to, and slashes that a pardon withheld. ``events`` are the deployment's."""
    slashes = [event for event in events if isinstance(event, StakeSlashed)]
    accused = {event.key: event for event in history.canaries if isinstance(event, MemberAccused)}
    for event in history.canaries:
        if isinstance(event, MemberPunished):
            yield from _punished(event, accused[event.key], slashes)
        elif isinstance(event, CanaryPardoned):
            yield Reason(
                kind="compensated",
                account=event.miner,
                amount=0,
                first_round=0,
                last_round=0,
                tx_hash=event.where.tx_hash,
                sentence=f"{event.miner} was pardoned: it worked for the poster, and its fault was a canary.",
                evidence={"leaf": "0x" + event.leaf.hex()},
            )


def _punished(event: MemberPunished, accused: MemberAccused, slashes: list[StakeSlashed]) -> Iterator[Reason]:
    where = f"shard {event.shard} of round {event.round}"
    evidence = {
        "shard": event.shard,
        "canary_miner": accused.miner,
        "accusation": "0x" + event.key.hex(),
        "accused_in": "0x" + accused.where.tx_hash.hex(),
    }
    yield Reason(
        kind="punished",
        account=event.member,
        amount=event.amount,
        first_round=event.round,
        last_round=event.round,
        tx_hash=event.where.tx_hash,
        sentence=f"{event.member} lost {format_amount(event.amount)} of stake: it signed for {where}, a "
        "canary of its own sample, which nobody accepts who executes it.",
        evidence=evidence,
    )
    for slash in slashes:
        same = slash.where.tx_hash == event.where.tx_hash and slash.account == event.member
        if same and slash.victim_share:
            yield Reason(
                kind="compensated",
                account=slash.victim,
                amount=slash.victim_share,
                first_round=event.round,
                last_round=event.round,
                tx_hash=event.where.tx_hash,
                sentence=f"{slash.victim} received {format_amount(slash.victim_share)} of what a validator "
                "lost that signed for its canary.",
                evidence=evidence,
            )
