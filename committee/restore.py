"""From the log to a replica, and back: what survives a crash is exactly what these two functions agree on."""

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from committee.catch_up import own_votes
from committee.log import Accepted, Slot
from committee.state import Finalized, Kept, Learned, Locked, Mode, Record, Sent
from protocol.pbft_messages import (
    Commit,
    Committed,
    Decision,
    NewView,
    Prepare,
    PrePrepare,
    Reply,
    ViewChange,
    value_digest,
)

if TYPE_CHECKING:
    from committee.replica import Replica


def replay(replica: "Replica", records: Iterable[Record]) -> None:
    """Bring a fresh replica to where the records end. They are its own and are not checked again."""
    for record in records:
        if isinstance(record, Finalized):
            replica.log.finalize(record.seq)
        elif isinstance(record, Kept):
            replica.evidence.append(record.evidence)
        elif isinstance(record, Locked):
            slot = _slot(replica, record.certificate.seq)
            if slot is not None:
                slot.lock = record.certificate
                slot.learn(record.certificate.digest, record.value)
        elif isinstance(record, Learned):
            _relearn(replica, record.message)
        else:
            _resume(replica, record.message)
    _guess_patience(replica)


def _guess_patience(replica: "Replica") -> None:
    """A log that was shortened may no longer tell in which view a value was fixed last: assume the last
    one."""
    log, timer = replica.log, replica.timer
    if replica.new_view is not None and timer.fruitful == 0 and max(log.finalized, log.proven) > 0:
        timer.progress(replica.new_view.view)


def _slot(replica: "Replica", seq: int) -> Slot | None:
    return replica.log.slot(seq) if replica.log.low < seq <= replica.log.accept_limit else None


def _relearn(replica: "Replica", message: Committed | Decision | NewView) -> None:
    if isinstance(message, NewView):
        replica.open_view(message)
    elif isinstance(message, Decision):
        replica.log.add_decision(message)
    else:
        replica.timer.progress(message.view)
        slot = _slot(replica, message.seq)
        if slot is not None:
            slot.committed, slot.committed_digest = message, value_digest(message.value)
            slot.learn(slot.committed_digest, message.value)


def _resume(replica: "Replica", message: PrePrepare | Prepare | Commit | Reply | ViewChange) -> None:
    if isinstance(message, ViewChange):
        replica.leave_for(message)
        return
    slot = _slot(replica, message.seq)
    if slot is None:
        return
    if isinstance(message, Reply):
        slot.replied = message
        slot.replies.add(message.sender, message.digest, message.signature + message.endorsement)
        return
    if message.view != replica.view or replica.mode is not Mode.ACTIVE:
        return
    if isinstance(message, PrePrepare):
        slot.learn(message.digest, message.value)
        slot.proposal = Accepted(digest=message.digest, signature=message.signature, inherited=False)
    elif isinstance(message, Prepare):
        slot.prepared = True
        slot.prepares.add(message.sender, message.digest, message.signature)
    else:
        slot.committing = True
        slot.commits.add(message.sender, message.digest, message.signature)


def snapshot(replica: "Replica") -> tuple[Record, ...]:
    """The fewest records that ``replay`` turns into a replica with the same promises and knowledge."""
    return tuple(_snapshot(replica))


def _snapshot(replica: "Replica") -> Iterator[Record]:
    log = replica.log
    yield Finalized(seq=log.finalized)
    if log.highest is not None:
        yield Learned(message=log.highest)
    if replica.new_view is not None:
        yield Learned(message=replica.new_view)
    if replica.mode is Mode.CHANGING and replica.own_view_change is not None:
        yield Sent(message=replica.own_view_change)
    for seq in sorted(log.slots):
        yield from _slot_records(replica, log.slots[seq])
    for evidence in replica.evidence:
        yield Kept(evidence=evidence)


def _slot_records(replica: "Replica", slot: Slot) -> Iterator[Record]:
    if slot.decision is not None and slot.decision is not replica.log.highest:
        yield Learned(message=slot.decision)
    if slot.lock is not None:
        yield Locked(certificate=slot.lock, value=slot.candidates[slot.lock.digest].value)
    if slot.committed is not None:
        yield Learned(message=slot.committed)
    if slot.replied is not None:
        yield Sent(message=slot.replied)
    if replica.mode is Mode.ACTIVE:
        for message in own_votes(replica, slot):
            yield Sent(message=message)
