"""The PBFT replica: messages, ticks, requests and verdicts go in, an ``Output`` comes out. No I/O, no clock,
no randomness; ``docs/pbft.md`` describes the protocol and argues why it is safe.

An input either returns an ``Output`` or raises: ``MessageRefused`` when a peer broke the rules (nothing has
changed), ``SafetyViolated`` when the committee is broken (stop).
"""

from collections import deque
from collections.abc import Callable, Iterable

from committee import phases, proposing, replies, views
from committee.catch_up import on_fetch, resend
from committee.errors import (
    BadSignature,
    MessageRefused,
    SafetyViolated,
    WrongInstance,
)
from committee.helper import Helper
from committee.log import Log, Slot
from committee.phases import on_checking, on_commit, on_pre_prepare, on_prepare, on_reject
from committee.proposing import on_request, take_request
from committee.replies import deliver, on_committed, on_decision, on_reply
from committee.restore import replay, snapshot
from committee.state import (
    MAX_EVIDENCE,
    MAX_REPLY_EVIDENCE,
    NOTHING,
    Crypto,
    Effects,
    Finalized,
    InView,
    Kept,
    Mode,
    Output,
    Record,
    ReplicaConfig,
)
from committee.timers import ViewTimer
from committee.view_change import (
    ViewVotes,
    floor_of,
)
from committee.views import on_new_view, on_view_change, try_new_view
from committee.waiting import check_runs, wait_key
from protocol.pbft_messages import (
    Checking,
    Commit,
    Committed,
    Decision,
    Evidence,
    Fetch,
    Message,
    NewView,
    Prepare,
    PrePrepare,
    Proposal,
    Reject,
    Reply,
    Request,
    ViewChange,
    value_digest,
    verify_signature,
)


class Replica:
    """One member of one instance. Build it with the records of its log, call ``start`` once, then feed it.

    The attributes are the state that the parts of the replica share; whoever embeds a replica reads
    them, and changes it by its inputs alone."""

    def __init__(self, config: ReplicaConfig, crypto: Crypto, records: Iterable[Record] = ()) -> None:
        self.config = config
        self.instance = config.instance
        self.crypto = crypto
        self.me = config.me
        self.members = config.members
        self._task = config.instance.task
        self.view = 0
        self.mode = Mode.ACTIVE
        self.primary = config.members.primary(0)  # leads the current view
        self.floor = 0
        self.log = Log(config.window)
        self.new_view: NewView | None = None
        self.own_view_change: ViewChange | None = None
        self.evidence: list[Evidence] = []
        self.now = 0
        self.broken: SafetyViolated | None = None
        self.inherited: dict[int, tuple[Proposal, bytes]] = {}
        self.view_votes = ViewVotes()
        self.buffer: dict[int, deque[InView]] = {}
        self.timer = ViewTimer(
            timeout_ticks=config.view_timeout_ticks, max_check_ticks=config.max_check_ticks
        )
        self.helper = Helper()
        self.interval = config.retransmit_ticks
        self.resend_at = config.retransmit_ticks
        self.quorum_since: int | None = None  # when a quorum of view votes was complete at this new primary
        self.ahead = False  # somebody has moved on without us
        self.quiet = 0  # repetitions since something was known to be missing
        self.fetched = 0  # the sequence number asked for last
        self.unwatched = True  # something happened that may end the present wait
        self.out = Effects()
        replay(self, records)

    def start(self) -> Output:
        """Once, after construction: what a replica with this log has to do first."""
        self.ahead = True  # the others may have gone on: ask
        self.apply_inherited()
        deliver(self)
        for slot in self.log.open_slots():
            for digest in {p.digest for p in (slot.lock, slot.proposal) if p is not None}:
                self.ask(slot, digest)
            if slot.committed_digest is not None:
                self.ask(slot, slot.committed_digest)
        return self._finish()

    def step(self, message: Message) -> Output:
        """A message from another member (or from anybody, if it is a Request). Raises MessageRefused."""
        if message.task != self._task:
            raise WrongInstance(type(message).__name__, None, f"task {message.task}")
        _HANDLERS[type(message)](self, message)
        return self._finish() if self.unwatched or self.out.some or self.broken is not None else NOTHING

    def tick(self) -> Output:
        """Time goes on by one tick."""
        now = self.now = self.now + 1
        if self.timer.key is not None:
            if check_runs(self):
                self.timer.sign_of_life(now)
            if self.mode is Mode.CHANGING:
                try_new_view(self)
            if self.timer.expired(now):
                self.change_view(self.view + 1, failed=True)
        if now >= self.resend_at:
            resend(self)
        return self._finish() if self.unwatched or self.out.some or self.broken is not None else NOTHING

    def request(self, seq: int, value: bytes) -> Output:
        """Somebody asks for ``value`` at ``seq``; ``Output.status`` is the answer."""
        self.out.answer(take_request(self, seq, value))
        return self._finish()

    def verdict(self, seq: int, digest: bytes, ok: bool) -> Output:
        """The application has checked a value. It may change its mind: the last word counts for what is still
        to be signed, and a value found false is not prepared, committed or endorsed from then on."""
        slot = self.log.slots.get(seq)
        candidate = None if slot is None else slot.candidates.get(digest)
        if slot is not None and candidate is not None and candidate.verdict is not ok:
            candidate.verdict = ok
            self.touched(seq)
            self.moved()
            self.advance(slot)
            proposing.propose_slot(self, slot)
        return self._finish()

    def finalized(self, seq: int) -> Output:
        """Everything up to ``seq`` is final on the chain; the application has read it there."""
        if seq > self.log.finalized:
            self.unwatched = True
            self.out.persist(Finalized(seq=seq))
            self.log.finalize(seq)
            self.apply_inherited()
            deliver(self)
            self.reply_in_order()
            self.propose()
        return self._finish()

    def snapshot(self) -> tuple[Record, ...]:
        """The fewest records from which a replica can be built that has promised and knows the same."""
        return snapshot(self)

    # ------------------------------------------------------------------ for the parts of a replica

    def advance(self, slot: Slot) -> None:
        """Sign whatever has become right to sign at this sequence number."""
        phases.advance(self, slot)

    def propose(self) -> None:
        """As primary, propose what may be proposed."""
        proposing.propose(self)

    def reply_in_order(self) -> None:
        """Endorse what is fixed, in order."""
        replies.reply_in_order(self)

    def learn(self, decision: Decision) -> None:
        """Take in a decision that somebody shows."""
        replies.on_decision(self, decision)

    def change_view(self, view: int, *, failed: bool) -> None:
        """Leave the current view for ``view``."""
        views.change_view(self, view, failed=failed)

    def apply_inherited(self) -> None:
        """Accept what the window now reaches of the proposals that came with the view."""
        views.apply_inherited(self)

    def ask(self, slot: Slot, digest: bytes) -> None:
        """Have the application check a value, once."""
        candidate = slot.candidates.get(digest)
        if candidate is not None and not candidate.asked:
            candidate.asked = True
            self.out.verify(slot.seq, digest, candidate.value)

    def check_sender(self, message: InView | Fetch | Reply) -> None:
        """Raises MessageRefused unless the named sender is a member."""
        if message.sender >= self.members.n:
            raise MessageRefused(type(message).__name__, message.sender, "there is no such member")

    def authenticate(self, message: InView | Fetch | Reply) -> None:
        """Raises BadSignature unless the named sender signed the message."""
        if not verify_signature(self.instance, self.crypto.statements, message):
            raise BadSignature(type(message).__name__, message.sender, "not signed by it")

    def accuse(
        self, first: PrePrepare | Prepare | Commit | Reply, second: PrePrepare | Prepare | Commit | Reply
    ) -> None:
        """Keep two contradicting words of one member."""
        evidence = Evidence(first=first, second=second)
        if evidence not in self.evidence and self._has_room_for(evidence):
            self.evidence.append(evidence)
            self.out.persist(Kept(evidence=evidence))
            self.out.accuse(evidence)

    def _has_room_for(self, evidence: Evidence) -> bool:
        """Replies cost a stake and are counted by member, so that nothing else can push them out."""
        second, replies = evidence.second, [e.second for e in self.evidence if isinstance(e.second, Reply)]
        if isinstance(second, Reply):
            return sum(known.sender == second.sender for known in replies) < MAX_REPLY_EVIDENCE
        return len(self.evidence) - len(replies) < MAX_EVIDENCE

    def _turn_to(self, view: int, mode: Mode) -> None:
        self.view = self.timer.view = view
        self.mode = mode
        self.primary = self.members.primary(view)

    def leave_for(self, change: ViewChange) -> None:
        """State after our own view change (also when the log is read)."""
        self._turn_to(change.vote.view, Mode.CHANGING)
        self.own_view_change = change
        self.view_votes.add(change)
        self.quorum_since = None
        for slot in self.log.slots.values():
            slot.reset_view()

    def open_view(self, message: NewView) -> None:
        """State after a new view was accepted (also when the log is read)."""
        self._turn_to(message.view, Mode.ACTIVE)
        self.new_view = message
        self.floor = floor_of(message.votes)
        values = {value_digest(value): value for value in message.values}
        self.inherited = {p.seq: (p, values[p.digest]) for p in message.proposals}
        self.ahead = False
        for slot in self.log.slots.values():
            slot.reset_view()

    def replay_early(self, message: InView) -> None:
        """Take up a message that came before its view was open."""
        if self.mode is Mode.ACTIVE and message.view == self.view:
            _HANDLERS[type(message)](self, message)

    def touched(self, seq: int) -> None:
        """Something happened at ``seq``. What is waited for is the lowest number with work, so what happens
        above it changes nothing."""
        key = self.timer.key
        if key is None or seq <= key[1]:
            self.unwatched = True

    def moved(self) -> None:
        """Something happened: repeat soon if it gets lost. What is due is not put off: work on one sequence
        number must not keep back the signs of life of another."""
        self.interval = self.config.retransmit_ticks
        self.resend_at = min(self.resend_at, self.now + self.interval)

    def _finish(self) -> Output:
        if self.broken is not None:
            raise self.broken
        if self.unwatched:
            self.unwatched = False
            self.timer.watch(wait_key(self), self.now)
        return self.out.take()


_HANDLERS: dict[type, Callable[..., None]] = {
    PrePrepare: on_pre_prepare,
    Prepare: on_prepare,
    Commit: on_commit,
    Reject: on_reject,
    Checking: on_checking,
    Fetch: on_fetch,
    Request: on_request,
    Reply: on_reply,
    Decision: on_decision,
    Committed: on_committed,
    ViewChange: on_view_change,
    NewView: on_new_view,
}
