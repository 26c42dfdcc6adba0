"""Read models of contests: entries and their standing, who signed, and where the money is."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from coordinator.contest_phases import Phase, contest_calls, last_of, phases, tx_of
from coordinator.store.chain_tables import ChainEvent
from coordinator.store.contest_tables import ContestRow
from coordinator.store.unit_of_work import Transaction
from coordinator.view_models import Page
from coordinator.views import page_limit
from protocol.chain.contest import Outcome
from protocol.chain.contest_log import COURT
from protocol.contest import NO_SCORE
from protocol.learning_block import ZERO_ADDRESS
from protocol.score_record import ScoreRecord

_WON = Outcome.WON.name.lower()


@dataclass(frozen=True, slots=True, kw_only=True)
class ContestSummary:
    """One contest in a list; money as decimal strings. ``ends_at`` is when its present phase ends."""

    contest_id: int
    title: str
    status: str
    outcome: str
    poster: str
    entries: int
    max_entries: int
    reward: str
    ends_at: int
    winner: str | None
    correct: int
    answers: int


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryView:
    """``standing``: committed, revealed, or what the committee found; ``correct`` null while nothing counted
    it."""

    place: int
    miner: str
    committed_at: int
    commitment: str
    commit_tx: str | None
    model: str | None
    trace: str | None
    reveal_tx: str | None
    standing: str
    correct: int | None
    winner: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoresView:
    """A certificate that was accepted, and who signed it."""

    panel: str
    record: str
    signers: list[str]
    members: list[str]
    tx_hash: str
    block_number: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountMoney:
    """What contests (all of them) owe an account and paid it."""

    account: str
    part: str
    owed: str
    collected: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ContestDetail:
    """Everything about one contest. ``sheet`` holds (name, amount, what it is) in the order of a balance
    sheet; ``calls`` what wallets may sign now; ``record`` names the newest score record."""

    summary: ContestSummary
    note: str
    spec: dict[str, Any] | None
    spec_hash: str
    params: dict[str, Any]
    tx_hash: str
    parent: str
    bad_test_set: bool
    phases: list[Phase]
    entries: list[EntryView]
    scores: list[ScoresView]
    panels: list[dict[str, Any]]
    sheet: list[tuple[str, int, str]]
    money: list[AccountMoney]
    events: list[ChainEvent]
    challenger: str | None
    block_height: int | None
    calls: list[dict[str, Any]]
    key_hash: str


def list_contests(
    tx: Transaction, *, before: int | None, limit: int, status: str | None = None
) -> Page[ContestSummary]:
    """Contests, newest first; ``before`` is the cursor."""
    rows = tx.contests.newest(before, page_limit(limit) + 1, status=status)
    return _page(rows, page_limit(limit))


def contests_of(tx: Transaction, account: str, *, before: int | None, limit: int) -> Page[ContestSummary]:
    """What ``account`` posted or entered, newest first."""
    return _page(tx.contests.entered(account, before, page_limit(limit) + 1), page_limit(limit))


def _page(rows: Sequence[ContestRow], limit: int) -> Page[ContestSummary]:
    shown = rows[:limit]
    more = len(rows) > len(shown)
    return Page(items=[summary(row) for row in shown], next=str(shown[-1].contest_id) if more else None)


def summary(row: ContestRow) -> ContestSummary:
    """One contest in a list."""
    contest, params = row.state["contest"], row.state["params"]
    winner = contest["winner"]
    return ContestSummary(
        contest_id=row.contest_id,
        title=row.title,
        status=row.status,
        outcome=row.outcome,
        poster=row.poster,
        entries=contest["entries"],
        max_entries=params["max_entries"],
        reward=params["reward"],
        ends_at=params["commit_deadline"] if row.status == "open" else contest["ends_at"],
        winner=None if winner is None else row.state["entries"][winner]["miner"],
        correct=contest["winner_correct"],
        answers=params["test_answers"],
    )


def contest_detail(
    tx: Transaction, row: ContestRow, now_s: float, record: ScoreRecord | None
) -> ContestDetail:
    """One contest at ``now_s``; ``record`` is the blob that its newest scores name, if it could be read."""
    events = tx.contests.events(row.contest_id)
    contest, params = row.state["contest"], row.state["params"]
    block = tx.contests.block_of(row.contest_id)
    challenger = contest["challenger"]
    return ContestDetail(
        summary=summary(row),
        note=row.note,
        spec=row.spec,
        spec_hash=row.spec_hash.hex(),
        params=params,
        tx_hash="0x" + row.tx_hash.hex(),
        parent=contest["parent"],
        bad_test_set=contest["bad_test_set"],
        phases=phases(row, events, now_s),
        entries=_entries(row, events, record),
        scores=_scores(row, events),
        panels=row.state["panels"],
        sheet=_sheet(row, events),
        money=_money(tx, row),
        events=events,
        challenger=None if challenger == ZERO_ADDRESS else challenger,
        block_height=None if block is None else block.height,
        calls=contest_calls(row, now_s),
        key_hash=params["key_hash"],
    )


def record_hash(events: Iterable[ChainEvent]) -> bytes | None:
    """The score record that the newest accepted scores name."""
    found = [event.data["certificate"]["record"] for event in events if event.kind == "ScoresAccepted"]
    return bytes.fromhex(found[-1]) if found else None


# Entries and scores ----------------------------------------------------------------------------------------


def _entries(row: ContestRow, events: Sequence[ChainEvent], record: ScoreRecord | None) -> list[EntryView]:
    contest = row.state["contest"]
    revealed = int(contest["revealed"])
    commits = {e.data["entry"]: e for e in events if e.kind == "EntryCommitted"}
    reveals = {e.data["entry"]: e for e in events if e.kind == "EntryRevealed"}
    accepted = [e.data["scores"] for e in events if e.kind == "ScoresAccepted"]
    scores = [int(text) for text in accepted[-1]] if accepted else []
    found = []
    for entry in row.state["entries"]:
        place = entry["place"]
        shown = bool(revealed >> place & 1)
        score = scores[place] if place < len(scores) else NO_SCORE
        standing = "revealed" if shown else "committed"
        if record is not None and place < len(record.entries):
            standing = record.entries[place].standing.value
        found.append(
            EntryView(
                place=place,
                miner=entry["miner"],
                committed_at=entry["committed_at"],
                commitment=entry["commitment"],
                commit_tx=tx_of(commits.get(str(place))),
                model=entry["model"] if shown else None,
                trace=entry["trace"] if shown and int(entry["trace"], 16) else None,
                reveal_tx=tx_of(reveals.get(str(place))),
                standing=standing,
                correct=None if score == NO_SCORE else score,
                winner=contest["winner"] == place,
            )
        )
    return found


def _scores(row: ContestRow, events: Iterable[ChainEvent]) -> list[ScoresView]:
    panels: Mapping[int, list[str]] = {p["instance"]: p["members"] for p in row.state["panels"]}
    found = []
    for event in events:
        if event.kind != "ScoresAccepted":
            continue
        instance, bitmap = int(event.data["instance"]), int(event.data["signers"])
        members = panels.get(instance, [])
        found.append(
            ScoresView(
                panel="court" if instance == COURT else "committee",
                record=event.data["certificate"]["record"],
                signers=[name for place, name in enumerate(members) if bitmap >> place & 1],
                members=members,
                tx_hash="0x" + event.tx_hash.hex(),
                block_number=event.block_number,
            )
        )
    return found


# Money -----------------------------------------------------------------------------------------------------


def _sheet(row: ContestRow, events: Sequence[ChainEvent]) -> list[tuple[str, int, str]]:
    """funded = held + to the winner + to others + refunded, whatever came of it."""
    params = {name: int(row.state["params"][name]) for name in ("reward", "fee", "compensation")}
    funded = params["reward"] + params["fee"] + params["compensation"] * row.state["params"]["max_entries"]
    held, closed = int(row.state["held"]), last_of(events, "ContestClosed")
    refunded = int(closed.data["refund"]) if closed else 0
    prize = params["reward"] if row.outcome == _WON else 0
    others = funded - held - refunded - prize
    return [
        ("Funded", funded, "reward, fee, and a compensation for each place"),
        ("Held", held, "the contract keeps it until the contest is closed"),
        ("To the winner", prize, "the reward"),
        ("To others", others, "fees of the signers, compensation of the miners, the treasury"),
        ("Refunded", refunded, "booked for the poster"),
    ]


def _money(tx: Transaction, row: ContestRow) -> list[AccountMoney]:
    parts: dict[str, list[str]] = {row.poster: ["poster"]}
    for entry in row.state["entries"]:
        parts.setdefault(entry["miner"], []).append(f"entry {entry['place']}")
    for panel in row.state["panels"]:
        for member in panel["members"]:
            parts.setdefault(member, []).append("court" if panel["instance"] == COURT else "committee")
    challenger = row.state["contest"]["challenger"]
    if challenger != ZERO_ADDRESS:
        parts.setdefault(challenger, []).append("challenger")
    found = []
    for name, part in parts.items():
        owed, collected = tx.contests.money(name)
        told = AccountMoney(account=name, part=", ".join(part), owed=str(owed), collected=str(collected))
        found.append(told)
    return found
