"""Requests, and the proposals a primary makes of them."""

from typing import TYPE_CHECKING

from committee.log import Accepted, Slot
from committee.state import Mode, RequestStatus, Sent
from protocol.pbft_messages import Phase, PrePrepare, Request, value_digest

if TYPE_CHECKING:
    from committee.replica import Replica


def take_request(replica: "Replica", seq: int, value: bytes) -> RequestStatus:
    log = replica.log
    if seq <= log.finalized or not log.slot_is_open(seq):
        return RequestStatus.DECIDED
    if seq > log.accept_limit:
        return RequestStatus.OUTSIDE_WINDOW
    slot, digest = log.slot(seq), value_digest(value)
    known = slot.candidates.get(digest)
    if known is None and not slot.has_room():
        return RequestStatus.FULL
    candidate = slot.learn(digest, value)
    repeated, candidate.requested = candidate.requested, True
    replica.touched(seq)
    replica.ask(slot, digest)
    if not repeated:
        replica.moved()
    if candidate.verdict is False:
        return RequestStatus.REJECTED
    propose_slot(replica, slot)
    return RequestStatus.KNOWN if repeated else RequestStatus.CHECKING


def on_request(replica: "Replica", message: Request) -> None:
    replica.out.answer(take_request(replica, message.seq, message.value))


def propose(replica: "Replica") -> None:
    """As primary, propose what was requested and found true, once per sequence number and view."""
    if replica.mode is not Mode.ACTIVE or replica.primary != replica.me:
        return
    log = replica.log
    for seq in range(max(replica.floor, log.delivered) + 1, log.propose_limit + 1):
        slot = log.slots.get(seq)
        if slot is not None and slot.proposal is None:
            propose_slot(replica, slot)


def propose_slot(replica: "Replica", slot: Slot) -> None:
    """The same for one sequence number."""
    if replica.mode is not Mode.ACTIVE or replica.primary != replica.me or slot.proposal is not None:
        return
    log = replica.log
    if slot.open and max(replica.floor, log.delivered) < slot.seq <= log.propose_limit:
        digest = slot.proposable()
        if digest is not None:
            propose_at(replica, slot, digest)


def propose_at(replica: "Replica", slot: Slot, digest: bytes) -> None:
    signed = replica.instance.signing_digest(Phase.PRE_PREPARE, replica.view, slot.seq, digest, replica.me)
    slot.proposal = Accepted(digest=digest, signature=replica.crypto.signer.sign(signed), inherited=False)
    replica.touched(slot.seq)
    message = own_proposal(replica, slot, slot.proposal)
    replica.out.persist(Sent(message=message))
    replica.out.send(message)
    replica.advance(slot)


def own_proposal(replica: "Replica", slot: Slot, proposal: Accepted) -> PrePrepare:
    return PrePrepare(
        task=replica.instance.task,
        view=replica.view,
        seq=slot.seq,
        digest=proposal.digest,
        sender=replica.me,
        signature=proposal.signature,
        value=slot.candidates[proposal.digest].value,
    )
