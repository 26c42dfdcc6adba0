"""Contests as people look at them."""

from datetime import UTC, datetime
from typing import Any

from pot.amounts import format_amount
from pot.client import Client
from pot.output import Reply, Table, facts
from protocol.chain.contest import ContestStatus
from protocol.chain.contest_log import ContestView, accepted_certificates, read_contest
from protocol.contest import NO_SCORE
from protocol.errors import Refused


def list_contests(client: Client) -> Reply:
    """All contests of the deployment."""
    contest = client.contracts.contest
    states = [contest.contest(number) for number in range(1, contest.count() + 1)]
    rows = [(str(s.contest_id), word(s.status), word(s.outcome), str(s.entries), s.poster) for s in states]
    columns = ("contest", "status", "outcome", "entries", "poster")
    return Reply(
        data=[
            {
                "contest_id": str(s.contest_id),
                "status": word(s.status),
                "outcome": word(s.outcome),
                "entries": s.entries,
                "poster": s.poster,
            }
            for s in states
        ],
        text=[Table(columns=columns, rows=rows)] if rows else ["No contest was posted."],
    )


def show_contest(client: Client, contest_id: int) -> Reply:
    """One contest: state, terms, entries, scores. Raises Refused when there is none."""
    view = read_contest(client.contracts, contest_id, None)
    if view.state.status is ContestStatus.NONE:
        raise Refused(f"There is no contest {contest_id}.", "ContestUnknown")
    scores = _scores(client, contest_id)
    data = contest_json(view, scores)
    text: list[str | Table] = list(
        facts(
            [
                ("contest", contest_id),
                ("status", data["status"]),
                ("outcome", data["outcome"]),
                ("reward", format_amount(view.params.reward)),
                ("goal", f"{view.params.target_correct} of {view.params.test_answers} right answers"),
                ("commitments until", _moment(view.params.commit_deadline)),
                ("this phase until", _moment(view.state.ends_at)),
                ("winner", data["winner"] or "-"),
            ]
        )
    )
    rows = [(str(e["place"]), e["miner"], e["model"] or "-", str(e["correct"])) for e in data["entries"]]
    if rows:
        text.append(Table(columns=("entry", "miner", "model", "right"), rows=rows))
    return Reply(data=data, text=text)


def contest_json(view: ContestView, scores: tuple[int, ...]) -> dict[str, Any]:
    """The document of one contest; ``correct`` is None for what was not scored."""
    state, params = view.state, view.params
    entries = [
        {
            "place": entry.place,
            "miner": entry.miner,
            "commitment": entry.commitment.hex(),
            "model": entry.model.hex() if state.revealed >> entry.place & 1 else None,
            "correct": _correct(scores, entry.place),
        }
        for entry in view.entries
    ]
    return {
        "contest_id": str(view.contest_id),
        "status": word(state.status),
        "outcome": word(state.outcome),
        "poster": state.poster,
        "spec_hash": params.spec_hash.hex(),
        "reward": str(params.reward),
        "fee": str(params.fee),
        "target": params.target_correct,
        "answers": params.test_answers,
        "commit_deadline": params.commit_deadline,
        "ends_at": state.ends_at,
        "entries": entries,
        "winner": None if state.winner is None else view.entries[state.winner].miner,
        "winner_correct": state.winner_correct,
        "bad_test_set": state.bad_test_set,
    }


def word(value: Any) -> str:
    """An enumeration's member as people write it."""
    return str(value.name).lower().replace("_", "-")


def _scores(client: Client, contest_id: int) -> tuple[int, ...]:
    accepted = accepted_certificates(client.contracts, contest_id)
    return accepted[-1].certificate.scores if accepted else ()


def _correct(scores: tuple[int, ...], place: int) -> int | None:
    return scores[place] if place < len(scores) and scores[place] != NO_SCORE else None


def _moment(second: int) -> str:
    return datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
