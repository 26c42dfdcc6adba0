"""What a replica knows about each open sequence number, in a window that moves with the chain."""

from dataclasses import dataclass, field

from committee.state import ARCHIVE, MAX_CANDIDATES
from committee.votes import VoteSet
from protocol.pbft_messages import Claim, Committed, Decision, PreparedCertificate, Reply


@dataclass(slots=True, kw_only=True)
class Candidate:
    """A value that may be decided, and what the application said about it (None: nothing yet).

    ``requested``: somebody asked for it, so this member may propose it.
    """

    value: bytes
    requested: bool = False
    asked: bool = False
    verdict: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """The primary's proposal in the current view. ``inherited``: it came with the new view, not freshly."""

    digest: bytes
    signature: bytes
    inherited: bool


@dataclass(slots=True, kw_only=True)
class Slot:
    """One sequence number. The first group of fields belongs to the current view and is reset with it; the
    second lasts until the slot is final."""

    seq: int
    proposal: Accepted | None = None
    prepares: VoteSet = field(default_factory=VoteSet)
    commits: VoteSet = field(default_factory=VoteSet)
    rejects: VoteSet = field(default_factory=VoteSet)
    prepared: bool = False  # our Prepare of this view is out
    committing: bool = False  # our Commit of this view is out
    rejecting: bool = False  # our Reject of this view is out

    candidates: dict[bytes, Candidate] = field(default_factory=dict)
    lock: PreparedCertificate | None = None
    committed: Committed | None = None
    committed_digest: bytes | None = None
    replied: Reply | None = None
    replies: VoteSet = field(default_factory=VoteSet)
    decision: Decision | None = None
    hurried: set[bytes] = field(
        default_factory=set
    )  # values whose rejection has already ended a view at once

    def reset_view(self) -> None:
        """Forget what was said in the view that ends; nothing of it counts in another."""
        self.proposal = None
        self.prepares, self.commits, self.rejects = VoteSet(), VoteSet(), VoteSet()
        self.prepared = self.committing = self.rejecting = False

    @property
    def open(self) -> bool:
        """Nothing is agreed on yet."""
        return self.committed is None and self.decision is None

    def verdict(self, digest: bytes) -> bool | None:
        candidate = self.candidates.get(digest)
        return None if candidate is None else candidate.verdict

    def value(self, digest: bytes) -> bytes | None:
        candidate = self.candidates.get(digest)
        return None if candidate is None else candidate.value

    def learn(self, digest: bytes, value: bytes) -> Candidate:
        """Keep a value that the agreement itself refers to; there is always room for it."""
        candidate = self.candidates.get(digest)
        if candidate is None:
            self._make_room()
            candidate = self.candidates[digest] = Candidate(value=value)
        return candidate

    def has_room(self) -> bool:
        """Whether one more requested value fits."""
        return len(self.candidates) < MAX_CANDIDATES or self._evictable(only_rejected=True) is not None

    def _make_room(self) -> None:
        while len(self.candidates) >= MAX_CANDIDATES and (digest := self._least_wanted()) is not None:
            del self.candidates[digest]
            self.hurried.discard(digest)

    def _least_wanted(self) -> bytes | None:
        return self._evictable(only_rejected=True) or self._evictable(only_rejected=False)

    def _evictable(self, *, only_rejected: bool) -> bytes | None:
        """The oldest value that nothing refers to; at most proposal, lock and agreed value are referred
        to."""
        for digest, candidate in self.candidates.items():
            if only_rejected and candidate.verdict is not False:
                continue
            if self.proposal is not None and self.proposal.digest == digest:
                continue
            if self.lock is not None and self.lock.digest == digest:
                continue
            if digest != self.committed_digest:
                return digest
        return None

    def proposable(self) -> bytes | None:
        """The requested value to propose: found true, oldest first, one that ended a view only if no
        other."""
        accepted = [d for d, c in self.candidates.items() if c.requested and c.verdict]
        return min(accepted, key=lambda digest: digest in self.hurried, default=None)


class Log:
    """The slots above the low watermark, the highest proven decision, and what was handed to the application.

    ``low`` is the last sequence number that is final on the chain *and* covered by a decision that can be
    shown to other members: below it a view change has nothing to claim. Slots exist up to
    ``low + 2 * window``.
    """

    def __init__(self, window: int) -> None:
        self._window = window
        self.slots: dict[int, Slot] = {}
        self.finalized = 0
        self.delivered = 0
        self.highest: Decision | None = None
        self.proven = 0  # the sequence number of the highest decision; every lower one is decided somewhere
        self._move()
        self._archive: dict[int, Decision] = {}
        self._pruned = 0  # what is at or below it has left the slots

    def _move(self) -> None:
        self.low = min(self.finalized, self.proven)
        self.propose_limit = self.low + self._window
        self.accept_limit = self.low + 2 * self._window

    def slot(self, seq: int) -> Slot:
        """The slot of ``seq``; the caller has checked that it is inside the window."""
        slot = self.slots.get(seq)
        if slot is None:
            slot = self.slots[seq] = Slot(seq=seq)
        return slot

    def open_slots(self) -> list[Slot]:
        """Slots above everything delivered, ascending."""
        delivered = self.delivered
        return [self.slots[seq] for seq in sorted(self.slots) if seq > delivered]

    def settled_slots(self) -> list[Slot]:
        """The slots that wait to be delivered and below which, as far as this replica knows, every value is
        fixed for ever: by what is final, by a decision (whose replies were given in order), or by Commits."""
        slots, last = [], self.accept_limit  # above it there are no slots
        seq, limit = self.delivered + 1, max(self.finalized, self.proven) + 1
        while seq <= limit and seq <= last:
            slot = self.slots.get(seq)
            if slot is not None:
                slots.append(slot)
                if seq == limit and not slot.open:
                    limit += 1
            seq += 1
        return slots

    def is_decided(self, seq: int) -> bool:
        """Whether the decision of ``seq`` itself is at hand, or was and is not needed any more."""
        if seq <= self.low:
            return True
        slot = self.slots.get(seq)
        return slot is not None and slot.decision is not None

    def slot_is_open(self, seq: int) -> bool:
        """Whether nothing is fixed at ``seq``, as far as its slot tells."""
        slot = self.slots.get(seq)
        return slot is None or slot.open

    def next_decision(self) -> Decision | None:
        """The decision that follows what was delivered, if it is at hand."""
        slot = self.slots.get(self.delivered + 1)
        return None if slot is None else slot.decision

    def decision(self, seq: int) -> Decision | None:
        """What shows that ``seq`` is decided: its own decision or, when that is gone, the highest one."""
        slot = self.slots.get(seq)
        if slot is not None and slot.decision is not None:
            return slot.decision
        archived = self._archive.get(seq)
        if archived is not None:
            return archived
        return self.highest if seq <= self.low else None

    def final_decisions(self, above: int) -> tuple[Decision, ...]:
        """Of the decisions that count as final, those of numbers greater than ``above`` that are kept."""
        kept = dict(self._archive)
        if self.highest is not None:
            kept[self.highest.seq] = self.highest
        return tuple(kept[seq] for seq in sorted(kept) if above < seq <= self.finalized)

    def add_decision(self, decision: Decision) -> None:
        if decision.seq > self.proven:
            self.highest, self.proven = decision, decision.seq
            self._move()
        if self.low < decision.seq <= self.accept_limit:
            self.slot(decision.seq).decision = decision
        self._prune()

    def finalize(self, seq: int) -> None:
        """Everything up to ``seq`` is final on the chain."""
        self.finalized = max(self.finalized, seq)
        self.delivered = max(self.delivered, seq)
        self._move()
        self._prune()

    def _prune(self) -> None:
        low = self.low
        if low == self._pruned:
            return
        self._pruned = low
        for seq in [seq for seq in self.slots if seq <= low]:
            slot = self.slots.pop(seq)
            if slot.decision is not None:
                self._archive[seq] = slot.decision
        while len(self._archive) > ARCHIVE:
            del self._archive[min(self._archive)]

    def claims(self) -> tuple[Claim, ...]:
        """What a view change must say: every Commit sent above the highest decision, ascending."""
        locks = (self.slots[seq].lock for seq in sorted(self.slots) if seq > self.proven)
        return tuple(lock.claim for lock in locks if lock is not None)
