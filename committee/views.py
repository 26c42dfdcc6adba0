"""Leaving a view, opening the next, entering it. What follows from the votes is in ``view_change``."""

from collections import deque
from typing import TYPE_CHECKING

from committee.catch_up import help_with_decision, help_with_view
from committee.errors import MessageRefused
from committee.log import Accepted
from committee.state import MAX_BUFFERED, Learned, Mode, Sent
from committee.view_change import build_new_view, check_new_view, check_view_change, choose
from protocol.pbft_messages import NewView, Phase, ViewChange, ViewVote

if TYPE_CHECKING:
    from committee.replica import Replica


def change_view(replica: "Replica", view: int, *, failed: bool) -> None:
    """Leave the current view for ``view``: promise it on disk, tell everybody what was committed
    before."""
    if not failed:
        replica.timer.excuse(view - replica.view)
    claims = replica.log.claims()
    decided = replica.log.proven
    signed = replica.instance.signing_digest(
        Phase.VIEW_CHANGE, view, decided, ViewVote.body(claims), replica.me
    )
    vote = ViewVote(
        view=view,
        decided=decided,
        claims=claims,
        sender=replica.me,
        signature=replica.crypto.signer.sign(signed),
    )
    locks = [replica.log.slots[claim.seq].lock for claim in claims]
    change = ViewChange(
        task=replica.instance.task,
        vote=vote,
        decision=replica.log.highest,
        certificates=tuple(lock for lock in locks if lock is not None),
        values=tuple(replica.log.slots[claim.seq].candidates[claim.digest].value for claim in claims),
    )
    replica.unwatched = True
    replica.leave_for(change)
    replica.out.persist(Sent(message=change))
    replica.out.send(change)
    replica.moved()
    try_new_view(replica)


def on_view_change(replica: "Replica", message: ViewChange) -> None:
    """Accepted when: the sender is another member; it wants a view that is not open yet; it has not voted
    for that or a later one; the vote proves itself. f + 1 such members are followed."""
    vote = message.vote
    if vote.sender >= replica.members.n:
        raise MessageRefused("ViewChange", vote.sender, "there is no such member")
    if vote.sender == replica.me:
        return
    if vote.view < replica.view or (vote.view == replica.view and replica.mode is Mode.ACTIVE):
        help_with_view(replica, vote.sender, vote.view)
        return
    if vote.view <= replica.view_votes.view_of(vote.sender):
        if vote.decided < replica.log.proven:
            help_with_decision(replica, vote.sender, vote.decided + 1)
        return
    check_view_change(replica.instance, replica.crypto, message)
    replica.unwatched = True
    replica.view_votes.add(message)
    if message.decision is not None:
        replica.learn(message.decision)
    wanted = replica.view_votes.wanted(replica.members.max_faulty + 1)
    if wanted > replica.view:
        change_view(replica, wanted, failed=True)
    try_new_view(replica)


def try_new_view(replica: "Replica") -> None:
    """As primary of the view that is waited for: open it when a quorum has voted for it.

    When what follows is a value this member has found false, more votes may free it: they are waited for,
    for half a view timeout."""
    if replica.mode is not Mode.CHANGING or replica.primary != replica.me:
        return
    changes = replica.view_votes.for_view(replica.view)
    if len(changes) < replica.members.quorum:
        return
    if replica.quorum_since is None:
        replica.quorum_since = replica.now
    grace_over = replica.now - replica.quorum_since >= replica.config.view_timeout_ticks // 2
    if len(changes) < replica.members.n and not grace_over and inherits_false(replica, changes):
        return
    message = build_new_view(replica.instance, replica.crypto, replica.me, changes)
    replica.out.send(message)
    enter_view(replica, message)


def inherits_false(replica: "Replica", changes: tuple[ViewChange, ...]) -> bool:
    claims = choose(tuple(change.vote for change in changes), replica.members.quorum)
    slots = replica.log.slots
    return any(c.seq in slots and slots[c.seq].verdict(c.digest) is False for c in claims)


def on_new_view(replica: "Replica", message: NewView) -> None:
    """Accepted when it is of a later view than the one taken part in, and everything in it is true."""
    if message.view < replica.view or (message.view == replica.view and replica.mode is Mode.ACTIVE):
        return
    check_new_view(replica.instance, replica.crypto, message)
    enter_view(replica, message)


def enter_view(replica: "Replica", message: NewView) -> None:
    replica.out.persist(Learned(message=message))
    replica.out.enter(message.view)
    replica.unwatched = True
    replica.open_view(message)
    replica.moved()
    if message.decision is not None:
        replica.learn(message.decision)
    apply_inherited(replica)
    for kept in replica.buffer.values():
        for early in [m for m in kept if m.view == replica.view]:
            replica.replay_early(early)
    drop_old_buffers(replica)
    replica.propose()


def drop_old_buffers(replica: "Replica") -> None:
    for sender, kept in replica.buffer.items():
        later = (m for m in kept if m.view > replica.view)
        replica.buffer[sender] = deque(later, maxlen=MAX_BUFFERED)


def apply_inherited(replica: "Replica") -> None:
    """Accept the proposals that came with the view, as far as the window reaches."""
    if replica.mode is not Mode.ACTIVE or not replica.inherited:
        return
    limit = replica.log.accept_limit
    while (seq := next((seq for seq in replica.inherited if seq <= limit), None)) is not None:
        proposal, value = replica.inherited.pop(seq)
        if seq <= replica.log.low or replica.log.is_decided(seq):
            continue
        slot = replica.log.slot(seq)
        slot.learn(proposal.digest, value)
        slot.proposal = Accepted(digest=proposal.digest, signature=proposal.signature, inherited=True)
        replica.unwatched = True
        replica.ask(slot, proposal.digest)
        replica.advance(slot)
