"""Where a contest is in its life: its phases with their deadlines, and what a wallet may do about it next."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from coordinator.store.chain_tables import ChainEvent
from coordinator.store.contest_tables import ContestRow
from protocol.amounts import format_amount
from protocol.chain.contest import ContestStatus
from protocol.chain.contest_log import COMMITTEE, COURT
from protocol.learning_block import ZERO_ADDRESS

_STATUS: Final = {status.name.lower(): status for status in ContestStatus}


@dataclass(frozen=True, slots=True, kw_only=True)
class Phase:
    """A part of a contest's life. ``until`` is 0 while it is not fixed; ``state``: over, now, to come or
    skipped."""

    name: str
    what: str
    until: int
    state: str
    tx_hash: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Step:
    """``over``: it needs nobody any more."""

    name: str
    what: str
    until: int
    event: ChainEvent | None
    over: bool


def phases(row: ContestRow, events: Sequence[ChainEvent], now_s: float) -> list[Phase]:
    """The life of a contest: what is over, what runs, what is to come."""
    closed = last_of(events, "ContestClosed")
    steps = [*_entering(row, events, now_s), *_scoring(row, events, now_s)]
    found: list[Phase] = []
    running = True
    for step in steps:
        state = "over" if step.over else "skipped" if closed is not None else "now" if running else "to come"
        running = running and step.over
        found.append(_phase(step, state))
    booked = _Step(
        name="close",
        what="the winner is named, what is owed is booked",
        until=0,
        event=closed,
        over=closed is not None,
    )
    return [*found, _phase(booked, "over" if booked.over else "now" if running else "to come")]


def _phase(step: _Step, state: str) -> Phase:
    return Phase(name=step.name, what=step.what, until=step.until, state=state, tx_hash=tx_of(step.event))


def _entering(row: ContestRow, events: Sequence[ChainEvent], now_s: float) -> list[_Step]:
    params, release = row.state["params"], last_of(events, "TestSetReleased")
    commit_until = int(params["commit_deadline"])
    reveal_until = int(release.data["revealEnds"]) if release else 0
    revealed = reveal_until > 0 and (now_s > reveal_until or _scored(events) is not None)
    return [
        _Step(
            name="commit",
            what="miners train and commit to models",
            until=commit_until,
            event=None,
            over=now_s > commit_until or release is not None,
        ),
        _Step(
            name="release",
            what="the poster shows the key of the test set",
            until=commit_until + params["release_s"],
            event=release,
            over=release is not None,
        ),
        _Step(
            name="reveal",
            what="miners show what they committed to",
            until=reveal_until,
            event=None,
            over=revealed,
        ),
    ]


def _scoring(row: ContestRow, events: Sequence[ChainEvent], now_s: float) -> list[_Step]:
    params, release = row.state["params"], last_of(events, "TestSetReleased")
    scored, challenged = _scored(events), last_of(events, "ScoresChallenged")
    court = last_of(events, "ScoresAccepted", instance=COURT)
    window_until = row.state["contest"]["ends_at"] if row.status == "scored" and court is None else 0
    score_until = int(release.data["revealEnds"]) + params["score_s"] if release else 0
    found = [
        _Step(
            name="score",
            what="a drawn committee counts right answers",
            until=score_until,
            event=scored,
            over=scored is not None,
        )
    ]
    if params["challenge_window_s"]:
        past = (0 < window_until <= now_s) or (scored is not None and row.status == "closed")
        found.append(
            _Step(
                name="challenge",
                what="anybody with a bond may doubt the scores",
                until=window_until,
                event=challenged,
                over=challenged is not None or past,
            )
        )
    if challenged is not None:
        until = int(challenged.data["courtEnds"])
        found.append(
            _Step(
                name="court",
                what="a larger court counts again",
                until=until,
                event=court,
                over=court is not None or now_s > until,
            )
        )
    return found


def _scored(events: Sequence[ChainEvent]) -> ChainEvent | None:
    return last_of(events, "ScoresAccepted", instance=COMMITTEE)


def last_of(events: Iterable[ChainEvent], kind: str, **data: int) -> ChainEvent | None:
    """The newest event of a kind whose arguments are ``data``."""
    wanted = {name: str(value) for name, value in data.items()}
    found = [e for e in events if e.kind == kind and all(e.data[n] == v for n, v in wanted.items())]
    return found[-1] if found else None


def tx_of(event: ChainEvent | None) -> str | None:
    """The transaction of an event, as 0x hex."""
    return None if event is None else "0x" + event.tx_hash.hex()


def contest_calls(row: ContestRow, now_s: float) -> list[dict[str, Any]]:
    """Calls of the contest contract that would work at ``now_s``, by anybody but where ``only`` names an
    account; ``allowance`` is what has to be approved before."""
    contest, params, number = row.state["contest"], row.state["params"], row.contest_id
    status, ends_at = _STATUS[row.status], contest["ends_at"]
    found = []
    if can_close(row, now_s):
        found.append(_call("close", number, f"Close contest {number}"))
    if status is ContestStatus.OPEN and not contest["entries"]:
        found.append({**_call("cancel", number, f"Cancel contest {number}"), "only": row.poster})
    window = status is ContestStatus.SCORED and now_s < ends_at and contest["decided_by"] != COURT
    if window and contest["challenger"] == ZERO_ADDRESS and params["challenge_window_s"]:
        bond = int(row.state["bond"])
        label = f"Challenge the scores of contest {number} (bond {format_amount(bond)})"
        found.append({**_call("challenge", number, label), "allowance": str(bond), "until": ends_at})
    return found


def _call(function: str, contest_id: int, label: str) -> dict[str, Any]:
    return {"contract": "contest", "function": function, "arguments": [str(contest_id)], "label": label}


def can_release(row: ContestRow, now_s: float) -> bool:
    """Whether the test set's key would be accepted at ``now_s``."""
    params = row.state["params"]
    first = int(params["commit_deadline"])
    entered = row.state["contest"]["entries"] > 0
    return row.status == "open" and entered and first < now_s <= first + params["release_s"]


def can_close(row: ContestRow, now_s: float) -> bool:
    """Whether the contest would end at ``now_s``."""
    contest, params = row.state["contest"], row.state["params"]
    ends_at = int(contest["ends_at"])
    match _STATUS[row.status]:
        case ContestStatus.OPEN:
            waits = int(params["release_s"]) if contest["entries"] else 0
            return now_s > int(params["commit_deadline"]) + waits
        case ContestStatus.RELEASED:
            nothing = int(contest["revealed"]) == 0
            return now_s > ends_at + (0 if nothing else int(params["score_s"]))
        case ContestStatus.SCORED:
            return now_s >= ends_at
        case ContestStatus.CHALLENGED:
            return now_s > ends_at
        case _:
            return False
