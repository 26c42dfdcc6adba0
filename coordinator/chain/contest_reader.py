"""What the contest contracts say at one block, of the contests that events there concern."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from coordinator.services.index_contests import MONEY_EVENTS, ContestState, PanelState, participants
from coordinator.store.unit_of_work import Store
from protocol.chain.contest import ContestPanels, ContestStatus, LearningContest
from protocol.chain.contest_events import ContestEvent, ContestEventReader
from protocol.chain.contest_log import COMMITTEE, COURT
from protocol.chain.contracts import Contracts
from protocol.ids import Address


@dataclass(frozen=True, slots=True, kw_only=True)
class ContestReading:
    """The contests that a batch touched, and what their people can collect."""

    contests: dict[int, ContestState]
    owed: dict[Address, int]


class ContestReader:
    """Reads the contests of one deployment; not thread-safe."""

    def __init__(self, contracts: Contracts, store: Store) -> None:
        self._contest: LearningContest = contracts.contest
        self._vault = contracts.vault
        self._store = store
        self._panels: ContestPanels | None = None
        self._events = ContestEventReader(contracts)

    @property
    def addresses(self) -> list[Address]:
        """The contracts whose events are read."""
        return self._events.addresses

    def events(self, first_block: int, last_block: int) -> list[ContestEvent]:
        return self._events.read(first_block, last_block)

    def read(self, events: Sequence[ContestEvent], fork: int | None, block: int) -> ContestReading:
        """At ``block``: whatever ``events`` concern, or concerned before the chain was taken back to
        ``fork``. Raises ServiceUnreachable, Refused."""
        ids = {event.contest_id for event in events if event.contest_id is not None}
        paid = {event.account for event in events if event.kind == "Collected" and event.account}
        money = {event.contest_id for event in events if event.kind in MONEY_EVENTS}
        if fork is not None:
            with self._store.read() as tx:
                undone, accounts = tx.contests.touched_above(fork)
            ids |= undone
            money |= undone
            paid |= {Address(account) for account in accounts}
        contests = {number: self._state(number, block) for number in sorted(ids)}
        known = {n: c for n, c in contests.items() if c.contest.status is not ContestStatus.NONE}
        people = paid.union(*(participants(c) for n, c in known.items() if n in money))
        if money:
            people.add(Address(self._vault.view("TREASURY", block=block)))
        return ContestReading(contests=known, owed=self._owed(people, block))

    def _owed(self, accounts: Iterable[Address], block: int) -> dict[Address, int]:
        return {account: int(self._contest.owed(account, block)) for account in sorted(accounts)}

    def _state(self, contest_id: int, block: int) -> ContestState:
        state = self._contest.contest(contest_id, block)
        return ContestState(
            contest=state,
            params=self._contest.params(contest_id, block),
            entries=self._contest.entries(state, block),
            panels=tuple(self._drawn(contest_id, block)),
            held=int(self._contest.held(contest_id, block)),
            bond=int(self._contest.bond(block)),
            court_term_s=self._contest.court_term_s(block),
        )

    def _drawn(self, contest_id: int, block: int) -> Iterable[PanelState]:
        if self._panels is None:
            self._panels = self._contest.panels()
        for instance in (COMMITTEE, COURT):
            size, draw_block, drawn = self._panels.panel(contest_id, instance, block)
            if size == 0:
                continue
            members = self._panels.members(contest_id, instance, block) if drawn else ()
            yield PanelState(instance=instance, size=size, draw_block=draw_block, members=members)
