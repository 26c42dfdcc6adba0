"""Pre-prepare, prepare, commit and reject: what a replica signs about a proposal, and when."""

from collections import deque
from typing import TYPE_CHECKING

from committee.catch_up import help_with_decision, help_with_view
from committee.errors import BadProof, NotPrimary
from committee.log import Accepted, Slot
from committee.replies import set_committed
from committee.state import MAX_BUFFERED, InView, Locked, Mode, Sent
from committee.timers import Stage
from committee.votes import VoteSet
from protocol.pbft_messages import (
    Checking,
    Commit,
    Committed,
    Prepare,
    PreparedCertificate,
    PrePrepare,
    Reject,
    value_digest,
)

if TYPE_CHECKING:
    from committee.replica import Replica


def on_pre_prepare(replica: "Replica", message: PrePrepare) -> None:
    """Accepted when: the sender leads that view; the value has the stated digest; ``admit``; above the
    floor; nothing else is proposed or inherited there; the sender signed it."""
    if message.sender != replica.members.primary(message.view):
        raise NotPrimary("PrePrepare", message.sender, f"does not lead view {message.view}")
    if message.digest != value_digest(message.value):
        raise BadProof("PrePrepare", message.sender, "the value does not have this digest")
    slot = admit(replica, message)
    if slot is None or message.seq <= replica.floor:
        return
    known, own = slot.proposal, slot.prepares.vote_of(replica.me)
    if known is not None and known.digest == message.digest:
        return
    replica.authenticate(message)
    if known is not None:
        replica.accuse(first_proposal(replica, slot, known, message), message)
        return
    if own is not None and own[0] != message.digest:
        return
    if slot.committed_digest not in (None, message.digest):
        return
    slot.learn(message.digest, message.value)
    slot.proposal = Accepted(digest=message.digest, signature=message.signature, inherited=False)
    replica.touched(slot.seq)
    replica.ask(slot, message.digest)
    advance(replica, slot)


def first_proposal(replica: "Replica", slot: Slot, known: Accepted, second: PrePrepare) -> PrePrepare:
    return PrePrepare(
        task=second.task,
        view=second.view,
        seq=second.seq,
        digest=known.digest,
        sender=second.sender,
        signature=known.signature,
        value=slot.candidates[known.digest].value,
    )


def on_prepare(replica: "Replica", message: Prepare) -> None:
    slot = admit(replica, message)
    if slot is not None and count(replica, slot.prepares, message):
        advance(replica, slot)


def on_commit(replica: "Replica", message: Commit) -> None:
    slot = admit(replica, message)
    if slot is not None and count(replica, slot.commits, message):
        advance(replica, slot)


def count(replica: "Replica", votes: VoteSet, message: Prepare | Commit | Reject) -> bool:
    """Count a vote. A repeated one, and one more than a quorum needs, are not even checked."""
    digest, sender = message.digest, message.sender
    known = votes.by_member.get(sender)
    if known == digest or (known is None and votes.count(digest) >= replica.members.quorum):
        return False
    replica.authenticate(message)
    if known is not None:
        if not isinstance(message, Reject):
            first = type(message)(
                task=message.task,
                view=message.view,
                seq=message.seq,
                digest=known,
                sender=sender,
                signature=votes.proof_of(sender),
            )
            replica.accuse(first, message)
        return False
    votes.add(sender, digest, message.signature)
    return True


def advance(replica: "Replica", slot: Slot) -> None:
    """Sign whatever has become right to sign at this sequence number, in the order of the phases."""
    if slot.decision is not None or slot.seq <= replica.log.finalized:
        return
    if replica.mode is Mode.ACTIVE and slot.proposal is not None and slot.seq > replica.floor:
        advance_votes(replica, slot, slot.proposal)
    if slot.committed is None:
        try_committed(replica, slot)
    if slot.committed is not None:
        replica.reply_in_order()


def advance_votes(replica: "Replica", slot: Slot, proposal: Accepted) -> None:
    digest = proposal.digest
    if slot.committed_digest not in (None, digest):
        return
    match slot.verdict(digest):
        case None:
            return
        case False:
            send_reject(replica, slot, proposal)
            return
    if not slot.prepared:
        slot.prepared = True
        send_vote(replica, slot.prepares, Prepare, slot.seq, digest)
    if not slot.committing and slot.prepares.count(digest) >= replica.members.quorum:
        send_commit(replica, slot, proposal)


def send_vote(
    replica: "Replica", votes: VoteSet, kind: type[Prepare] | type[Commit], seq: int, digest: bytes
) -> None:
    message = kind.signed(
        replica.instance, replica.crypto.signer, sender=replica.me, view=replica.view, seq=seq, digest=digest
    )
    votes.add(replica.me, digest, message.signature)
    replica.out.persist(Sent(message=message))
    replica.out.send(message)
    replica.moved()


def send_commit(replica: "Replica", slot: Slot, proposal: Accepted) -> None:
    signers, signatures = slot.prepares.proof(proposal.digest, replica.members.quorum)
    slot.lock = PreparedCertificate(
        seq=slot.seq,
        view=replica.view,
        digest=proposal.digest,
        proposal=proposal.signature,
        signers=signers,
        signatures=signatures,
    )
    value = slot.candidates[proposal.digest].value
    replica.out.persist(Locked(certificate=slot.lock, value=value))
    slot.committing = True
    replica.touched(slot.seq)
    send_vote(replica, slot.commits, Commit, slot.seq, proposal.digest)


def try_committed(replica: "Replica", slot: Slot) -> None:
    """A quorum of Commits of one view fixes the value, whatever this replica thinks of it."""
    digest = slot.commits.agreed(replica.members.quorum)
    value = None if digest is None else slot.value(digest)
    if digest is None or value is None:
        return
    signers, signatures = slot.commits.proof(digest, replica.members.quorum)
    set_committed(
        replica,
        slot,
        digest,
        Committed(
            task=replica.instance.task,
            view=replica.view,
            seq=slot.seq,
            value=value,
            signers=signers,
            signatures=signatures,
        ),
    )


def send_reject(replica: "Replica", slot: Slot, proposal: Accepted) -> None:
    """Say once per view that the proposal is false. f + 1 such words end the view at once: a quorum for
    it is then impossible without somebody who lied, and another value needs another view. An inherited
    proposal, and one that has ended a view before, have to wait for the timer: no two members can chase
    the committee through the views."""
    digest = proposal.digest
    if not slot.rejecting and slot.open:
        slot.rejecting = True
        message = Reject.signed(
            replica.instance,
            replica.crypto.signer,
            sender=replica.me,
            view=replica.view,
            seq=slot.seq,
            digest=digest,
        )
        slot.rejects.add(replica.me, digest, message.signature)
        replica.out.send(message)
        replica.out.reject(slot.seq, digest, (replica.me,))
    try_hurry(replica, slot, proposal)


def on_reject(replica: "Replica", message: Reject) -> None:
    slot = admit(replica, message)
    if slot is not None and count(replica, slot.rejects, message) and slot.proposal is not None:
        try_hurry(replica, slot, slot.proposal)


def try_hurry(replica: "Replica", slot: Slot, proposal: Accepted) -> None:
    weak = replica.members.max_faulty + 1
    digest = proposal.digest
    if not slot.open or slot.rejects.count(digest) < weak or digest in slot.hurried:
        return
    slot.hurried.add(digest)
    against, _ = slot.rejects.proof(digest, replica.members.n)
    replica.out.reject(slot.seq, digest, against)
    if not proposal.inherited:
        replica.change_view(replica.view + 1, failed=False)


def on_checking(replica: "Replica", message: Checking) -> None:
    """A sign of life: of the primary while its proposal is awaited, of any member while votes are."""
    slot = admit(replica, message)
    key = replica.timer.key
    if slot is None or key is None or key[1] != message.seq:
        return
    if key[2] is Stage.PREPARES or (key[2] is Stage.PROPOSAL and message.sender == replica.primary):
        replica.authenticate(message)
        replica.timer.sign_of_life(replica.now)


def admit(replica: "Replica", message: InView) -> Slot | None:
    """The slot a message of a view belongs to, or None when it is early (kept), late or of no use.

    Accepted when: the sender is another member; nothing is decided there; it is inside the window; it
    is of the view that this replica takes part in."""
    sender, seq, log = message.sender, message.seq, replica.log
    if sender == replica.me:
        return None
    if sender >= replica.members.n:
        replica.check_sender(message)
    if seq > log.accept_limit:
        replica.ahead = True
        return None
    slot = log.slots.get(seq)
    if seq <= log.low or (slot is not None and slot.decision is not None):
        help_with_decision(replica, sender, seq)
        return None
    if message.view < replica.view:
        help_with_view(replica, sender, message.view + 1)
        return None
    if message.view > replica.view or replica.mode is Mode.CHANGING:
        keep_for_later(replica, message)
        return None
    return log.slot(seq) if slot is None else slot


def keep_for_later(replica: "Replica", message: InView) -> None:
    kept = replica.buffer.setdefault(message.sender, deque(maxlen=MAX_BUFFERED))
    if message not in kept:
        replica.authenticate(message)
        kept.append(message)
        replica.ahead = replica.ahead or message.view > replica.view
