"""From a value that is fixed to a decision: replies in order, endorsements, and decisions shown by others."""

from typing import TYPE_CHECKING

from committee.catch_up import help_with_decision, missing
from committee.errors import SafetyViolated, ValueUnusable
from committee.log import Slot
from committee.proofs import check_committed, check_decision
from committee.state import Learned, Sent
from protocol.pbft_messages import Committed, Decision, Phase, Reply, value_digest

if TYPE_CHECKING:
    from committee.replica import Replica


def reply_in_order(replica: "Replica") -> None:
    """Endorse what is fixed, in order: a reply says that everything below is fixed as well."""
    for slot in replica.log.settled_slots():
        digest = slot.committed_digest
        if slot.committed is not None and digest is not None and slot.decision is None:
            if slot.replied is None and slot.verdict(digest):
                send_reply(replica, slot, digest, slot.committed.value)
            if len(slot.replies) >= replica.members.quorum:
                try_decide(replica, slot)


def send_reply(replica: "Replica", slot: Slot, digest: bytes, value: bytes) -> None:
    signer = replica.crypto.signer
    signed = replica.instance.signing_digest(Phase.REPLY, 0, slot.seq, digest, replica.me)
    reply = Reply(
        task=replica.instance.task,
        seq=slot.seq,
        digest=digest,
        sender=replica.me,
        signature=signer.sign(signed),
        endorsement=replica.crypto.endorse(replica.crypto.endorsement_digest(slot.seq, value)),
    )
    slot.replied = reply
    slot.replies.add(replica.me, digest, reply.signature + reply.endorsement)
    replica.out.persist(Sent(message=reply))
    replica.out.send(reply)
    replica.moved()


def on_reply(replica: "Replica", message: Reply) -> None:
    """Accepted when: the sender is a member; nothing is decided there (else it may still be evidence); inside
    the window; it is the sender's first; it signed the statement; and, as soon as the value is known, the
    endorsement is its own."""
    replica.check_sender(message)
    seq = message.seq
    if message.sender == replica.me:
        return
    if seq > replica.log.accept_limit:
        replica.ahead = True
        return
    if seq <= replica.log.low or replica.log.is_decided(seq):
        accuse_late(replica, message)
        help_with_decision(replica, message.sender, seq)
        return
    slot = replica.log.slot(seq)
    known = slot.replies.vote_of(message.sender)
    if known is not None and known[0] == message.digest:
        return
    replica.authenticate(message)
    if known is not None:
        replica.accuse(first_reply(replica, known, message), message)
        return
    proof = message.signature + message.endorsement
    slot.replies.add(message.sender, message.digest, proof)
    try_decide(replica, slot)


def accuse_late(replica: "Replica", message: Reply) -> None:
    """What comes after the decision is dropped unread, unless it contradicts the decision or the sender's own
    word: an honest member does neither, so only liars cost a check of a signature."""
    decision, slot = replica.log.decision(message.seq), replica.log.slots.get(message.seq)
    if decision is None or decision.seq != message.seq:
        return
    decided = value_digest(decision.value)
    known = None if slot is None else slot.replies.vote_of(message.sender)
    if known is None and message.sender in decision.signers:
        place = decision.signers.index(message.sender)
        known = (decided, decision.signatures[place] + decision.endorsements[place])
    if message.digest == (decided if known is None else known[0]):
        return
    replica.authenticate(message)
    if known is not None:
        replica.accuse(first_reply(replica, known, message), message)
    elif slot is not None:
        slot.replies.add(message.sender, message.digest, message.signature + message.endorsement)


def first_reply(replica: "Replica", known: tuple[bytes, bytes], second: Reply) -> Reply:
    digest, proof = known
    return Reply(
        task=second.task,
        seq=second.seq,
        digest=digest,
        sender=second.sender,
        signature=proof[:65],
        endorsement=proof[65:],
    )


def try_decide(replica: "Replica", slot: Slot) -> None:
    """A quorum of replies whose endorsements hold is the decision."""
    quorum = replica.members.quorum
    digest = slot.replies.agreed(quorum)
    value = None if digest is None else slot.value(digest)
    if slot.decision is not None or digest is None or value is None:
        return
    try:
        endorsed = replica.crypto.endorsement_digest(slot.seq, value)
    except ValueUnusable:
        return
    addresses = replica.members.addresses
    signers, proofs = slot.replies.proof(digest, replica.members.n)
    good = [
        (signer, proof[:65], proof[65:])
        for signer, proof in zip(signers, proofs, strict=True)
        if signer == replica.me or replica.crypto.verifier(endorsed, proof[65:], addresses[signer])
    ][:quorum]
    if len(good) == quorum:
        members, signatures, endorsements = zip(*good, strict=True)
        decision = Decision(
            task=replica.instance.task,
            seq=slot.seq,
            value=value,
            signers=members,
            signatures=signatures,
            endorsements=endorsements,
        )
        decide(replica, decision, digest)


def decide(replica: "Replica", decision: Decision, digest: bytes) -> None:
    slot = replica.log.slots.get(decision.seq)
    if slot is not None and slot.committed_digest not in (None, digest):
        replica.broken = SafetyViolated(decision.seq, slot.committed_digest or b"", digest)
        raise replica.broken
    replica.unwatched = True
    replica.out.persist(Learned(message=decision))
    replica.log.add_decision(decision)
    replica.moved()
    replica.apply_inherited()
    deliver(replica)
    reply_in_order(replica)
    replica.propose()


def deliver(replica: "Replica") -> None:
    while (decision := replica.log.next_decision()) is not None:
        replica.log.delivered = decision.seq
        replica.out.decide(decision)


def on_decision(replica: "Replica", message: Decision) -> None:
    """Accepted when it says something that is not known, and proves it."""
    if message.seq <= replica.log.low or replica.log.is_decided(message.seq):
        return
    if replica.log.low < message.seq <= replica.log.accept_limit or message.seq > replica.log.proven:
        decide(replica, message, check_decision(replica.instance, replica.crypto, message))
        if missing(replica) is not None:
            replica.resend_at = replica.now + 1


def on_committed(replica: "Replica", message: Committed) -> None:
    """Accepted when nothing is fixed there yet, it is inside the window, and it proves itself."""
    seq = message.seq
    if not replica.log.low < seq <= replica.log.accept_limit or not replica.log.slot_is_open(seq):
        return
    digest = check_committed(replica.instance, replica.crypto, message)
    slot = replica.log.slot(seq)
    slot.learn(digest, message.value)
    set_committed(replica, slot, digest, message)
    reply_in_order(replica)


def set_committed(replica: "Replica", slot: Slot, digest: bytes, proof: Committed) -> None:
    replica.touched(slot.seq)
    slot.committed, slot.committed_digest = proof, digest
    replica.out.persist(Learned(message=proof))
    replica.timer.progress(proof.view)
    replica.moved()
    replica.ask(slot, digest)
