"""How a new view inherits what may have been decided in an older one: pure functions, and the votes
collected.

A member's view vote claims, for every sequence number above the highest decision it can show, the last
value it sent a Commit for, with a certificate that a quorum had prepared it. From any quorum of votes
follows what the new view must propose (``choose``). Nobody believes the new primary's choice: everybody
computes it again.
"""

from committee.errors import BadProof, BadSignature, NotPrimary
from committee.proofs import check_decision, check_prepared
from committee.state import Crypto
from protocol.pbft_messages import (
    MAX_SLOTS,
    Claim,
    Decision,
    Instance,
    NewView,
    Phase,
    PreparedCertificate,
    Proposal,
    ViewChange,
    ViewVote,
    value_digest,
    verify_signature,
)


def floor_of(votes: tuple[ViewVote, ...]) -> int:
    """Up to here everything is decided; the new view proposes nothing there."""
    return max(vote.decided for vote in votes)


def choose(votes: tuple[ViewVote, ...], quorum: int) -> tuple[Claim, ...]:
    """What the new view must propose, ascending: per sequence number above the floor the claim of the highest
    view that is not refuted; where there is none, the new primary is free.

    A claim (view, digest) is refuted by a quorum of votes whose own last Commit there is older, or of the
    same view for another value, or does not exist: those members never sent, and in leaving their views
    have promised never to send, that Commit; every quorum of Commits shares an honest member with them, so
    there is none. Conversely, if a value was decided in view w, each quorum of votes holds an honest member
    of the quorum that committed it. By induction over the views since w, claims of views >= w are for that
    value alone; the lowest of them that such an honest member makes cannot be refuted, since a refuting
    quorum would hold another such member with a claim lower still. So the search, which goes downwards,
    stops at that value. With exactly a quorum of votes nothing is ever refuted (one vote is the claim's
    own): that is the rule of the PBFT paper. More votes let a new primary drop a value that some member
    prepared but that nobody can have decided.
    """
    floor = floor_of(votes)
    claims = {(claim.seq, claim.view, claim.digest) for vote in votes for claim in vote.claims}
    chosen: dict[int, Claim] = {}
    for seq, view, digest in sorted(claims, key=lambda item: (item[0], -item[1], item[2])):
        if seq > floor and seq not in chosen and not _refuted(votes, seq, view, digest, quorum):
            chosen[seq] = Claim(seq=seq, view=view, digest=digest)
    return tuple(chosen.values())


def _refuted(votes: tuple[ViewVote, ...], seq: int, view: int, digest: bytes, quorum: int) -> bool:
    against = 0
    for vote in votes:
        own = next((claim for claim in vote.claims if claim.seq == seq), None)
        if own is None or own.view < view or (own.view == view and own.digest != digest):
            against += 1
    return against >= quorum


def check_view_change(instance: Instance, crypto: Crypto, message: ViewChange) -> None:
    """Accepted when: the sender signed the vote; its claims are ascending, above its decision, of older views
    and within one window; the decision it names is shown and true; each claim has its certificate and value.
    Raises BadSignature, BadProof."""
    vote = message.vote
    if not verify_signature(instance, crypto.statements, vote):
        raise BadSignature("ViewChange", vote.sender, "not signed by it")
    _check_claims(vote)
    _check_floor(instance, crypto, vote.decided, message.decision, vote.sender)
    certificates = _by_claim(message.certificates)
    values = {value_digest(value) for value in message.values}
    for claim in vote.claims:
        _check_claim(instance, crypto, claim, certificates, values, vote.sender)


def _check_claims(vote: ViewVote) -> None:
    previous = vote.decided
    for claim in vote.claims:
        if claim.seq <= previous:
            raise BadProof("ViewChange", vote.sender, "its claims are not ascending above its decision")
        if claim.view >= vote.view:
            raise BadProof("ViewChange", vote.sender, "it claims a view that it has not left")
        previous = claim.seq
    if vote.claims and vote.claims[-1].seq - vote.claims[0].seq >= 2 * MAX_SLOTS:
        raise BadProof("ViewChange", vote.sender, "its claims do not fit one window")


def _check_floor(
    instance: Instance, crypto: Crypto, seq: int, decision: Decision | None, sender: int
) -> None:
    shown = 0 if decision is None else decision.seq
    if seq != shown:
        raise BadProof("ViewChange", sender, f"it names decision {seq} and shows {shown}")
    if decision is not None:
        check_decision(instance, crypto, decision)


def _by_claim(
    certificates: tuple[PreparedCertificate, ...],
) -> dict[tuple[int, int, bytes], PreparedCertificate]:
    return {(c.seq, c.view, c.digest): c for c in certificates}


def _check_claim(
    instance: Instance,
    crypto: Crypto,
    claim: Claim,
    certificates: dict[tuple[int, int, bytes], PreparedCertificate],
    values: set[bytes],
    sender: int,
) -> None:
    certificate = certificates.get((claim.seq, claim.view, claim.digest))
    if certificate is None:
        raise BadProof("ViewChange", sender, f"no certificate for its claim at {claim.seq}")
    if claim.digest not in values:
        raise BadProof("ViewChange", sender, f"no value for its claim at {claim.seq}")
    check_prepared(instance, crypto, certificate)


def build_new_view(instance: Instance, crypto: Crypto, me: int, changes: tuple[ViewChange, ...]) -> NewView:
    """The new primary's message from checked view changes of distinct members (a quorum of them), in member
    order. What several of them show is carried once."""
    votes = tuple(change.vote for change in changes)
    view, floor = votes[0].view, floor_of(votes)
    decisions = (change.decision for change in changes)
    certificates = {c.claim: c for change in changes for c in change.certificates}
    values = {value_digest(value): value for change in changes for value in change.values}
    claimed = sorted(
        {c for v in votes for c in v.claims if c.seq > floor}, key=lambda c: (c.seq, c.view, c.digest)
    )
    chosen = choose(votes, instance.members.quorum)
    proposals = tuple(
        Proposal(
            seq=claim.seq,
            digest=claim.digest,
            signature=crypto.signer.sign(
                instance.signing_digest(Phase.PRE_PREPARE, view, claim.seq, claim.digest, me)
            ),
        )
        for claim in chosen
    )
    body = NewView.body(instance, votes)
    return NewView(
        task=instance.task,
        view=view,
        votes=votes,
        decision=next((d for d in decisions if d is not None and d.seq == floor), None),
        certificates=tuple(certificates[claim] for claim in claimed),
        values=tuple(values[digest] for digest in dict.fromkeys(claim.digest for claim in chosen)),
        proposals=proposals,
        sender=me,
        signature=crypto.signer.sign(instance.signing_digest(Phase.NEW_VIEW, view, 0, body, me)),
    )


def check_new_view(instance: Instance, crypto: Crypto, message: NewView) -> None:
    """Accepted when: the view's primary signed it; the votes are by a quorum of distinct members in order,
    for this view, signed and well formed; the highest decision they name is shown and true; every claim
    above it has a true certificate; the proposals are exactly what follows, each signed, each with its
    value. Raises NotPrimary, BadSignature, BadProof."""
    members, sender = instance.members, message.sender
    if sender != members.primary(message.view):
        raise NotPrimary(
            "NewView", sender, f"view {message.view} is member {members.primary(message.view)}'s"
        )
    if not verify_signature(instance, crypto.statements, message):
        raise BadSignature("NewView", sender, "not signed by it")
    _check_votes(instance, crypto, message)
    floor = floor_of(message.votes)
    _check_floor(instance, crypto, floor, message.decision, sender)
    certificates = _by_claim(message.certificates)
    for claim in {claim for vote in message.votes for claim in vote.claims if claim.seq > floor}:
        _check_claim(instance, crypto, claim, certificates, {claim.digest}, sender)
    chosen = choose(message.votes, members.quorum)
    if [(c.seq, c.digest) for c in chosen] != [(p.seq, p.digest) for p in message.proposals]:
        raise BadProof("NewView", sender, "its proposals do not follow from its votes")
    _check_proposals(instance, crypto, message)


def _check_votes(instance: Instance, crypto: Crypto, message: NewView) -> None:
    senders = [vote.sender for vote in message.votes]
    if senders != sorted(set(senders)) or len(senders) < instance.members.quorum:
        raise BadProof("NewView", message.sender, "its votes are not those of a quorum in member order")
    for vote in message.votes:
        if vote.view != message.view:
            raise BadProof("NewView", message.sender, f"the vote of member {vote.sender} is for another view")
        if not verify_signature(instance, crypto.statements, vote):
            raise BadProof("NewView", message.sender, f"the vote of member {vote.sender} is not its own")
        _check_claims(vote)


def _check_proposals(instance: Instance, crypto: Crypto, message: NewView) -> None:
    values = {value_digest(value) for value in message.values}
    address = instance.members.addresses[message.sender]
    for proposal in message.proposals:
        if proposal.digest not in values:
            raise BadProof("NewView", message.sender, f"no value for its proposal at {proposal.seq}")
        signed = instance.signing_digest(
            Phase.PRE_PREPARE, message.view, proposal.seq, proposal.digest, message.sender
        )
        if not crypto.statements(signed, proposal.signature, address):
            raise BadProof("NewView", message.sender, f"its proposal at {proposal.seq} is not signed by it")


class ViewVotes:
    """The newest checked view change of each member: bounded by their number."""

    def __init__(self) -> None:
        self._newest: dict[int, ViewChange] = {}

    def add(self, change: ViewChange) -> None:
        """Keep it unless the member has voted for the same or a later view."""
        known = self._newest.get(change.vote.sender)
        if known is None or known.vote.view < change.vote.view:
            self._newest[change.vote.sender] = change

    def view_of(self, member: int) -> int:
        """The view the member voted for last; 0 if it never did."""
        change = self._newest.get(member)
        return 0 if change is None else change.vote.view

    def for_view(self, view: int) -> tuple[ViewChange, ...]:
        """The votes for exactly this view, in member order."""
        return tuple(self._newest[m] for m in sorted(self._newest) if self._newest[m].vote.view == view)

    def at_least(self, view: int) -> int:
        """How many members want ``view`` or a later one. When they are a quorum, waiting for ``view`` has
        an end: its primary has had its chance, or the others have gone on and must be followed."""
        return sum(1 for change in self._newest.values() if change.vote.view >= view)

    def wanted(self, weak_quorum: int) -> int:
        """The highest view that ``weak_quorum`` members want to reach or pass; 0 if there is none. With f +
        1 of them one is honest, and its reasons are good enough to join."""
        views = sorted((change.vote.view for change in self._newest.values()), reverse=True)
        return views[weak_quorum - 1] if len(views) >= weak_quorum else 0
