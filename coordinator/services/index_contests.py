"""Contests are taken into the index: what the contracts say of each that a batch touched, what they owe, and
the blocks of the learning chain."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from enum import Enum
from typing import Any, Final

from coordinator.store.contest_tables import ContestRow, LearningBlockRow
from coordinator.store.unit_of_work import Transaction
from protocol.chain.contest import ContestParams, OnchainContest, OnchainEntry
from protocol.chain.contest_events import ContestEvent
from protocol.ids import Address

#: Events after which contests owe something else than before.
MONEY_EVENTS: Final = ("ContestClosed", "ChallengeDecided", "Collected")


@dataclass(frozen=True, slots=True, kw_only=True)
class PanelState:
    """A committee (instance 0) or court (1) of a contest; ``members`` are empty until they are
    drawn."""

    instance: int
    size: int
    draw_block: int
    members: tuple[Address, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ContestState:
    """A contest at one block; money in smallest units. ``held`` is what the contract holds for it."""

    contest: OnchainContest
    params: ContestParams
    entries: tuple[OnchainEntry, ...]
    panels: tuple[PanelState, ...]
    held: int
    bond: int
    court_term_s: int

    def to_json(self) -> dict[str, Any]:
        """For the index: hashes as hex, money as decimal strings."""
        money = ("reward", "fee", "compensation", "miner_stake", "slash_per_fault")
        params = {f.name: plain(getattr(self.params, f.name)) for f in fields(self.params)}
        contest = {f.name: plain(getattr(self.contest, f.name)) for f in fields(self.contest)}
        return {
            "params": {**params, **{name: str(params[name]) for name in money}},
            "contest": {**contest, "revealed": str(contest["revealed"]), "frauds": str(contest["frauds"])},
            "entries": [{f.name: plain(getattr(e, f.name)) for f in fields(e)} for e in self.entries],
            "panels": [{f.name: plain(getattr(p, f.name)) for f in fields(p)} for p in self.panels],
            "held": str(self.held),
            "bond": str(self.bond),
            "court_term_s": self.court_term_s,
        }


def plain(value: Any) -> Any:
    """A JSON value of one field: hashes as hex, enumerations as their words."""
    match value:
        case bytes():
            return value.hex()
        case tuple() | list():
            return [plain(item) for item in value]
        case Enum():
            return value.name.lower()
        case _:
            return value


def participants(state: ContestState) -> set[Address]:
    """Everybody to whom a contest may owe something."""
    found = {state.contest.poster, state.contest.challenger, *(entry.miner for entry in state.entries)}
    return found.union(*(panel.members for panel in state.panels))


def index_contests(
    tx: Transaction,
    events: Sequence[ContestEvent],
    contests: Mapping[int, ContestState],
    owed: Mapping[Address, int],
) -> None:
    """Whatever ``events`` appended, and every contest and account as it was read after them."""
    _append_blocks(tx, events)
    posted = {e.contest_id: e for e in events if e.kind == "ContestPosted"}
    for contest_id, state in contests.items():
        row = tx.contests.get(contest_id)
        if row is None:
            if contest_id not in posted:
                continue
            row = _new(posted[contest_id], state)
            tx.contests.add(row)
        row.status = state.contest.status.name.lower()
        row.outcome = state.contest.outcome.name.lower().replace("_", "-")
        row.state = state.to_json()
    tx.session.flush()
    for account, units in owed.items():
        tx.contests.set_owed(account, units)


def _new(event: ContestEvent, state: ContestState) -> ContestRow:
    return ContestRow(
        contest_id=state.contest.contest_id,
        block_number=event.where.block_number,
        tx_hash=event.where.tx_hash,
        poster=state.contest.poster,
        spec_hash=state.params.spec_hash,
    )


def _append_blocks(tx: Transaction, events: Iterable[ContestEvent]) -> None:
    for event in events:
        if event.block is None:
            continue
        tx.contests.add(
            LearningBlockRow(
                height=event.block.height,
                hash=event.block.hash,
                header=event.block.header,
                contest_id=event.block.task or None,
                winner=event.block.winner,
                block_number=event.where.block_number,
                tx_hash=event.where.tx_hash,
            )
        )
