"""A challenge of a contest's scores: counted here first, confirmed, brought."""

import sys

from pot.amounts import format_amount
from pot.client import Client
from pot.confirm import confirm
from pot.contests.audit import recount
from pot.funding import require_funds
from pot.output import Reply, print_lines
from protocol.chain.contest import ContestStatus
from protocol.chain.contest_log import COMMITTEE, accepted_certificates, read_contest, release_of
from protocol.contest import NO_SCORE, ScoreCertificate
from protocol.errors import Refused


def challenge_contest(client: Client, contest_id: int, *, assume_yes: bool, unchecked: bool) -> Reply:
    """Have a court count again. Raises Refused when there are no scores to challenge, or when counting here
    gives the same: the bond would be lost."""
    contest = client.contracts.contest
    said = _said(client, contest_id)
    if not unchecked:
        print_lines(_difference(client, contest_id, said), sys.stderr)
    bond = contest.bond()
    require_funds(client.contracts, client.address, bond, "The bond")
    print_lines([f"Bond: {format_amount(bond)}, lost if the court finds the same."], sys.stderr)
    confirm("Put up the bond?", "the bond", assume_yes=assume_yes)
    client.sender.send(client.contracts.token.approve(contest.address, bond))
    receipt = client.sender.send(contest.challenge(contest_id))
    size = contest.panels().panel(contest_id, 1)[0]
    return Reply(
        data={
            "contest_id": str(contest_id),
            "bond": str(bond),
            "court": size,
            "tx_hash": "0x" + receipt.tx_hash.hex(),
        },
        text=[
            f"The scores of contest {contest_id} are challenged; {format_amount(bond)} are at stake.",
            f"A court of {size} is drawn and counts again: `pot contest show {contest_id}`.",
        ],
    )


def _said(client: Client, contest_id: int) -> ScoreCertificate:
    """What the committee signed, while it can be challenged."""
    status = client.contracts.contest.contest(contest_id).status
    if status is not ContestStatus.SCORED:
        raise Refused(
            f"Contest {contest_id} is {status.name.lower()}: scores are challenged between the committee's "
            "certificate and the end of the window.",
            "ContestIs",
        )
    return accepted_certificates(client.contracts, contest_id)[-1].certificate


def _difference(client: Client, contest_id: int, said: ScoreCertificate) -> list[str]:
    """Where counting here and the committee differ, a sentence each."""
    view = read_contest(client.contracts, contest_id, release_of(client.contracts, contest_id))
    found = recount(client, view, COMMITTEE)
    if found.findings == said.findings:
        raise Refused(
            f"Counting here gives the scores of contest {contest_id} as they were signed: this would be "
            "lost, and the bond with it. Give --unchecked to bring it all the same.",
            "WouldBeLost",
        )
    if found.bad_test_set != said.bad_test_set:
        return [f"The test set is {'not ' if found.bad_test_set else ''}the promised one."]
    traces = [
        f"The trace of entry {place} is {'false' if found.frauds >> place & 1 else 'true'}."
        for place in range(len(said.scores))
        if (said.frauds ^ found.frauds) >> place & 1
    ]
    pairs = enumerate(zip(said.scores, found.scores, strict=True))
    return traces + [
        f"Entry {place}: the committee says {_score(theirs)}, counting here gives {_score(mine)}."
        for place, (theirs, mine) in pairs
        if theirs != mine
    ]


def _score(score: int) -> str:
    return "no score" if score == NO_SCORE else f"{score} right"
