"""What a replica waits for at the moment: the key that its timer watches."""

from typing import TYPE_CHECKING

from committee.log import Slot
from committee.state import Mode
from committee.timers import Stage, WaitKey

if TYPE_CHECKING:
    from committee.replica import Replica


def wait_key(replica: "Replica") -> WaitKey | None:
    if replica.mode is Mode.CHANGING:
        complete = replica.view_votes.at_least(replica.view) >= replica.members.quorum
        return (replica.view, 0, Stage.NEW_VIEW) if complete else None
    slots, delivered = replica.log.slots, replica.log.delivered
    for seq in sorted(slots):
        if seq > delivered and slots[seq].open:  # most are agreed on and wait for replies
            stage = stage_of(replica, slots[seq])
            if stage is not None:
                return (replica.view, seq, stage)
    return None


def stage_of(replica: "Replica", slot: Slot) -> Stage | None:
    """What the primary or the others owe at this sequence number; None when nothing."""
    if not slot.open or not max(replica.log.finalized, replica.floor) < slot.seq <= replica.log.accept_limit:
        return None
    proposal = slot.proposal
    if proposal is None or slot.verdict(proposal.digest) is False:
        wanted = slot.proposable() is not None and slot.seq <= replica.log.propose_limit
        return Stage.PROPOSAL if wanted else None
    return Stage.COMMITS if slot.committing else Stage.PREPARES


def check_runs(replica: "Replica") -> bool:
    """Whether the wait is for a proposal that this replica itself is still checking."""
    key = replica.timer.key
    if key is None or key[2] is not Stage.PREPARES:
        return False
    slot = replica.log.slots.get(key[1])
    return slot is not None and slot.proposal is not None and slot.verdict(slot.proposal.digest) is None
