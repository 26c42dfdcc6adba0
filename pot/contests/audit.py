"""Is what a contest's contracts say true? From events and blobs alone: commitments, signatures, scores,
winner."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Final

from committee.contest_judge import ContestJudge
from pot.client import Client
from pot.output import Reply, Table
from protocol.chain.contest import ContestStatus, Outcome
from protocol.chain.contest_log import (
    AcceptedScores,
    ContestView,
    accepted_certificates,
    contest_events,
    read_contest,
    read_contest_spec,
    release_of,
    signatures_behind,
)
from protocol.contest import Commitment, ScoreCertificate, winner_of
from protocol.errors import PotError, Refused, ServiceUnreachable, VerificationFailed
from protocol.ids import Sha256, parse_address

_WORDS: Final = {True: "ok", False: "LIE", None: "?"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One thing that was checked; ``ok`` None where what it takes cannot be had."""

    subject: str
    ok: bool | None
    detail: str


def audit_contest(client: Client, contest_id: int) -> Reply:
    """Check a contest; the answer is no when anything is not as it is said to be. Raises Refused when there
    is none, ServiceUnreachable."""
    contracts = client.contracts
    view = read_contest(contracts, contest_id, release_of(contracts, contest_id))
    if view.state.status is ContestStatus.NONE:
        raise Refused(f"There is no contest {contest_id}.", "ContestUnknown")
    lines = [
        _line("spec", lambda: _spec(client, view)),
        _line("commitments", lambda: _commitments(client, view)),
    ]
    accepted = accepted_certificates(contracts, contest_id)
    lines += [_line(_name(signed), lambda s=signed: _signatures(client, s)) for signed in accepted]  # type: ignore[misc]
    if accepted:
        lines.append(_line("scores", lambda: _scores(client, view, accepted[-1])))
        lines.append(_line("winner", lambda: _winner(view, accepted[-1])))
    if len(accepted) > 1:
        lines.append(_line("court's word", lambda: _court(client, accepted[0], accepted[1])))
    ok = all(line.ok is not False for line in lines)
    rows = [(_WORDS[line.ok], line.subject, line.detail) for line in lines]
    verdict = f"Contest {contest_id} is {'true' if ok else 'NOT true'}: {len(lines)} checks"
    unknown = sum(line.ok is None for line in lines)
    verdict += f", {unknown} of them not possible here." if unknown else "."
    data: dict[str, Any] = {
        "contest_id": str(contest_id),
        "ok": ok,
        "checks": [{"subject": line.subject, "ok": line.ok, "detail": line.detail} for line in lines],
    }
    table = Table(title=f"Audit of contest {contest_id}", columns=("", "subject", "finding"), rows=rows)
    return Reply(data=data, text=[table, verdict], ok=ok)


def _line(subject: str, check: Callable[[], str]) -> Line:
    try:
        return Line(subject=subject, ok=True, detail=check())
    except ServiceUnreachable:
        raise
    except PotError as error:
        # An endpoint that keeps no old transactions and gives no traces proves nothing about a certificate.
        unknown = isinstance(error, Refused) and error.reason in ("NoTrace", "NoTransaction")
        return Line(subject=subject, ok=None if unknown else False, detail=str(error))


def _spec(client: Client, view: ContestView) -> str:
    spec = read_contest_spec(client.blobs, view)
    return f"{spec.title!r} agrees with the terms on the chain"


def _commitments(client: Client, view: ContestView) -> str:
    """Each reveal, with the salt that its event shows, leads to the commitment."""
    domain = client.deployment.contest_domain
    shown = contest_events(client.contracts, "EntryRevealed", view.contest_id)
    for _, args in shown:
        made = Commitment(
            contest_id=view.contest_id,
            miner=parse_address(args["miner"]),
            model=Sha256(bytes(args["model"])),
            trace=bytes(args["traceRoot"]),
            salt=bytes(args["salt"]),
        )
        entry = view.entries[int(args["entry"])]
        if made.digest(domain) != entry.commitment or made.miner != entry.miner:
            raise VerificationFailed(f"entry {entry.place}", "it shows something else than was committed to")
    return f"{len(shown)} of {view.state.entries} entries were revealed, each as committed"


def _name(signed: AcceptedScores) -> str:
    return "committee's signatures" if signed.certificate.instance == 0 else "court's signatures"


def _signatures(client: Client, signed: AcceptedScores) -> str:
    certificate = signed.certificate
    panel = client.contracts.contest.panels().members(certificate.contest_id, certificate.instance)
    shown = signatures_behind(client.contracts, signed)
    names = shown.verify(client.deployment.contest_domain, panel)
    return f"{len(names)} of {len(panel)} members signed"


def recount(client: Client, view: ContestView, instance: int) -> ScoreCertificate:
    """What a panel that counts late would sign: whatever nobody can have counts as withheld. Raises as
    ``ContestJudge.judge``."""
    view = replace(view, instance=instance)
    return ContestJudge(blobs=client.blobs).judge(view, view.certify_until).certificate


def _scores(client: Client, view: ContestView, signed: AcceptedScores) -> str:
    certificate = signed.certificate
    found = recount(client, view, certificate.instance)
    if found.scores != certificate.scores or found.frauds != certificate.frauds:
        raise VerificationFailed(
            "scores", f"counting again gives {list(found.scores)}, the certificate {list(certificate.scores)}"
        )
    if found.bad_test_set != certificate.bad_test_set:
        raise VerificationFailed("test set", "it is not as the certificate says")
    return "the test set is not the promised one" if found.bad_test_set else str(list(found.scores))


def _court(client: Client, first: AcceptedScores, second: AcceptedScores) -> str:
    """A court's word has the consequences that its findings call for."""
    contest_id = first.certificate.contest_id
    differs = first.certificate.findings != second.certificate.findings
    told = contest_events(client.contracts, "ChallengeDecided", contest_id)
    if [bool(args["upheld"]) for _, args in told] != [differs]:
        raise VerificationFailed(
            "challenge", f"the court's findings {'differ' if differs else 'are the same'}"
        )
    if not differs:
        return "the court found the same: the challenger lost its bond"
    panel = client.contracts.contest.panels().members(contest_id, first.certificate.instance)
    lied = second.certificate.gives_the_lie_to(first.certificate)
    signers = {member for place, member in enumerate(panel) if lied and first.signers >> place & 1}
    slashed = {
        parse_address(args["signer"])
        for _, args in contest_events(client.contracts, "SignerSlashed", contest_id)
    }
    if slashed != signers:
        raise VerificationFailed("signers of the overturned scores", f"slashed were {sorted(slashed)}")
    if not lied:
        return "the court read what the committee could not; nobody was slashed"
    return f"the committee's scores were overturned, its {len(signers)} signers slashed"


def _winner(view: ContestView, signed: AcceptedScores) -> str:
    params, state = view.params, view.state
    found = winner_of(signed.certificate.scores, params.target_correct, params.min_correct)
    if found != state.winner:
        raise VerificationFailed("winner", f"the rule names entry {found}, the chain {state.winner}")
    if state.status is ContestStatus.CLOSED and (state.outcome is Outcome.WON) != (found is not None):
        raise VerificationFailed("outcome", f"it is {state.outcome.name}")
    return "nobody" if found is None else f"entry {found}: {view.entries[found].miner}"
