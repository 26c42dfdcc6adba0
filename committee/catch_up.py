"""Helping members that are behind, asking for what is missing, and repeating what may have been lost."""

from typing import TYPE_CHECKING, TypeVar

from committee.log import Slot
from committee.proposing import own_proposal
from committee.state import Mode
from committee.timers import Stage
from committee.waiting import stage_of
from protocol.pbft_messages import ZERO_DIGEST, Checking, Commit, Fetch, Prepare, PrePrepare, Reject, Request

if TYPE_CHECKING:
    from committee.replica import Replica

_V = TypeVar("_V", Prepare, Commit, Reject)
RESENT_SLOTS = 4  # sequence numbers whose messages are repeated together
QUIET_RESENDS = 24  # after so many repetitions without a known gap one member is asked whether there is one


def help_with_decision(replica: "Replica", member: int, seq: int) -> None:
    if replica.helper.is_stuck(member, seq, replica.now):
        send_decision(replica, member, seq)


def help_with_view(replica: "Replica", member: int, view: int) -> None:
    """``member`` would be helped by the opening of ``view`` or a later one."""
    shown = replica.new_view
    if shown is not None and shown.view >= view and replica.helper.is_stuck(member, 0, replica.now):
        replica.out.send(shown, member)


def on_fetch(replica: "Replica", message: Fetch) -> None:
    """Accepted when: the sender is another member; it has not asked within the last tick; it signed."""
    replica.check_sender(message)
    if message.sender == replica.me or not replica.helper.may_answer(message.sender, replica.now):
        return
    replica.authenticate(message)
    send_decision(replica, message.sender, message.seq)
    if message.view < replica.view and replica.new_view is not None:
        replica.out.send(replica.new_view, message.sender)


def send_decision(replica: "Replica", member: int, seq: int) -> None:
    """What is known from ``seq`` on, a few at a time, and the highest decision: how much there is to
    ask."""
    log, shown = replica.log, set()
    for wanted in (*range(seq, seq + RESENT_SLOTS), max(seq, log.proven)):
        slot = log.slots.get(wanted)
        if slot is None and wanted > log.low:
            continue
        decision = log.decision(wanted)
        if decision is not None:
            if decision.seq not in shown:
                shown.add(decision.seq)
                replica.out.send(decision, member)
        elif slot is not None and slot.committed is not None and wanted not in shown:
            shown.add(wanted)
            replica.out.send(slot.committed, member)


def missing(replica: "Replica") -> int | None:
    """The sequence number whose decision this replica should ask for."""
    log = replica.log
    first = log.delivered + 1
    if log.proven < log.finalized:
        return log.finalized
    if log.proven >= first or replica.ahead:
        return first
    slot = log.slots.get(first)
    if slot is not None and slot.decision is None:
        agreed = (slot.commits.agreed(replica.members.quorum), slot.replies.agreed(replica.members.quorum))
        if any(digest is not None and slot.value(digest) is None for digest in agreed):
            return first
    return None


def resend(replica: "Replica") -> None:
    """Repeat what may have been lost, ever less often, but often enough that a sign of life outruns the
    view timeout of others."""
    replica.interval = max(
        replica.config.retransmit_ticks, min(2 * replica.interval, replica.config.view_timeout_ticks // 3)
    )
    replica.resend_at = replica.now + replica.interval
    seq = missing(replica)
    replica.quiet = replica.quiet + 1 if seq is None else 0
    if seq is not None:
        send_fetch(replica, seq, None)
    elif replica.quiet % QUIET_RESENDS == 0:
        send_fetch(replica, replica.log.delivered + 1, somebody(replica))
    if replica.mode is Mode.CHANGING and replica.own_view_change is not None:
        replica.out.send(replica.own_view_change)
    for slot in replica.log.open_slots()[:RESENT_SLOTS]:
        if slot.decision is None:
            if replica.mode is Mode.ACTIVE:
                resend_slot(replica, slot)
            if slot.replied is not None:  # it counts in every view: others may wait for nothing else
                replica.out.send(slot.replied)


def resend_slot(replica: "Replica", slot: Slot) -> None:
    out = replica.out
    if slot.proposal is None and replica.primary != replica.me:
        digest = slot.proposable()
        if digest is not None and stage_of(replica, slot) is Stage.PROPOSAL:
            value = slot.candidates[digest].value
            out.send(Request(task=replica.instance.task, seq=slot.seq, value=value), replica.primary)
    for vote in own_votes(replica, slot):
        out.send(vote)
    rejected = slot.rejects.vote_of(replica.me)
    if rejected is not None:
        out.send(vote_message(replica, Reject, slot.seq, *rejected))
    resend_sign_of_life(replica, slot)


def own_votes(replica: "Replica", slot: Slot) -> list[PrePrepare | Prepare | Commit]:
    """What this replica has signed in the current view at one sequence number."""
    own: list[PrePrepare | Prepare | Commit] = []
    if slot.proposal is not None and not slot.proposal.inherited and replica.primary == replica.me:
        own.append(own_proposal(replica, slot, slot.proposal))
    prepared, committed = slot.prepares.vote_of(replica.me), slot.commits.vote_of(replica.me)
    if prepared is not None:
        own.append(vote_message(replica, Prepare, slot.seq, *prepared))
    if committed is not None:
        own.append(vote_message(replica, Commit, slot.seq, *committed))
    return own


def vote_message(replica: "Replica", kind: type[_V], seq: int, digest: bytes, signature: bytes) -> _V:
    return kind(
        task=replica.instance.task,
        view=replica.view,
        seq=seq,
        digest=digest,
        sender=replica.me,
        signature=signature,
    )


def resend_sign_of_life(replica: "Replica", slot: Slot) -> None:
    """Say that a check runs: of the proposal, or, as primary, of what is to be proposed."""
    digest = slot.proposal.digest if slot.proposal is not None else None
    if digest is None and replica.primary == replica.me:
        waiting = (d for d, c in slot.candidates.items() if c.requested and c.verdict is None)
        digest = next(waiting, None)
    if digest is not None and slot.open and slot.verdict(digest) is None:
        message = Checking.signed(
            replica.instance,
            replica.crypto.signer,
            sender=replica.me,
            view=replica.view,
            seq=slot.seq,
            digest=digest,
        )
        replica.out.send(message)


def somebody(replica: "Replica") -> int:
    """Another member, each in turn."""
    turn = replica.quiet // QUIET_RESENDS % (replica.members.n - 1)
    return (replica.me + 1 + turn) % replica.members.n


def send_fetch(replica: "Replica", seq: int, to: int | None) -> None:
    if to is None and seq == replica.fetched:
        replica.out.fall_behind(seq)
    replica.fetched, replica.ahead = seq, False
    message = Fetch.signed(
        replica.instance,
        replica.crypto.signer,
        sender=replica.me,
        view=replica.view,
        seq=seq,
        digest=ZERO_DIGEST,
    )
    replica.out.send(message, to)
