"""The PBFT replica: messages, ticks, requests and verdicts go in, an ``Output`` comes out. No I/O, no clock,
no randomness; ``docs/pbft.md`` describes the protocol and argues why it is safe.

An input either returns an ``Output`` or raises: ``MessageRefused`` when a peer broke the rules (nothing has
changed), ``SafetyViolated`` when the committee is broken (stop).
"""

from collections import deque
from collections.abc import Callable, Iterable
from typing import TypeVar

from committee.errors import (
    BadProof,
    BadSignature,
    MessageRefused,
    NotPrimary,
    SafetyViolated,
    ValueUnusable,
    WrongInstance,
)
from committee.helper import Helper
from committee.log import Accepted, Log, Slot
from committee.proofs import check_committed, check_decision
from committee.restore import replay, snapshot
from committee.state import (
    MAX_BUFFERED,
    MAX_EVIDENCE,
    Crypto,
    Decided,
    Effects,
    Finalized,
    Kept,
    Learned,
    Locked,
    Mode,
    Output,
    Record,
    Rejected,
    ReplicaConfig,
    RequestStatus,
    Send,
    Sent,
    Verify,
)
from committee.timers import Stage, ViewTimer, WaitKey
from committee.view_change import (
    ViewVotes,
    build_new_view,
    check_new_view,
    check_view_change,
    choose,
    floor_of,
)
from committee.votes import VoteSet
from protocol.pbft_messages import (
    ZERO_DIGEST,
    Checking,
    Commit,
    Committed,
    Decision,
    Evidence,
    Fetch,
    Message,
    NewView,
    Phase,
    Prepare,
    PreparedCertificate,
    PrePrepare,
    Proposal,
    Reject,
    Reply,
    Request,
    ViewChange,
    ViewVote,
    value_digest,
    verify_signature,
)

InView = PrePrepare | Prepare | Commit | Reject | Checking
_V = TypeVar("_V", Prepare, Commit, Reject)
RESENT_SLOTS = 4  # sequence numbers whose messages are repeated together
QUIET_RESENDS = 24  # after so many repetitions without a known gap one member is asked whether there is one


class Replica:
    """One member of one instance. Build it with the records of its log, call ``start`` once, then feed it."""

    def __init__(self, config: ReplicaConfig, crypto: Crypto, records: Iterable[Record] = ()) -> None:
        self.config = config
        self.instance = config.instance
        self.crypto = crypto
        self.me = config.me
        self.members = config.members
        self.view = 0
        self.mode = Mode.ACTIVE
        self.floor = 0
        self.log = Log(config.window)
        self.new_view: NewView | None = None
        self.own_view_change: ViewChange | None = None
        self.evidence: list[Evidence] = []
        self.now = 0
        self._broken: SafetyViolated | None = None
        self._inherited: dict[int, tuple[Proposal, bytes]] = {}
        self._view_votes = ViewVotes()
        self._buffer: dict[int, deque[InView]] = {}
        self._timer = ViewTimer(
            timeout_ticks=config.view_timeout_ticks, max_check_ticks=config.max_check_ticks
        )
        self._helper = Helper()
        self._interval = config.retransmit_ticks
        self._resend_at = config.retransmit_ticks
        self._quorum_since: int | None = None  # when a quorum of view votes was complete at this new primary
        self._ahead = False  # somebody has moved on without us
        self._quiet = 0  # repetitions since something was known to be missing
        self._fetched = 0  # the sequence number asked for last
        self._unwatched = True  # something happened that may end the present wait
        self._out = Effects()
        replay(self, records)

    # ------------------------------------------------------------------ inputs

    def start(self) -> Output:
        """Once, after construction: what a replica with this log has to do first."""
        self._ahead = True  # the others may have gone on: ask
        self._apply_inherited()
        self._deliver()
        for slot in self.log.open_slots():
            for digest in {p.digest for p in (slot.lock, slot.proposal) if p is not None}:
                self._ask(slot, digest)
            if slot.committed_digest is not None:
                self._ask(slot, slot.committed_digest)
        return self._finish()

    def step(self, message: Message) -> Output:
        """A message from another member (or from anybody, if it is a Request). Raises MessageRefused."""
        if message.task != self.instance.task:
            raise WrongInstance(type(message).__name__, None, f"task {message.task}")
        _HANDLERS[type(message)](self, message)
        return self._finish()

    def tick(self) -> Output:
        """Time goes on by one tick."""
        self.now += 1
        if self._check_runs():
            self._timer.sign_of_life(self.now)
        if self.mode is Mode.CHANGING:
            self._try_new_view()
        if self._timer.expired(self.now):
            self._change_view(self.view + 1, failed=True)
        if self.now >= self._resend_at:
            self._resend()
        return self._finish()

    def request(self, seq: int, value: bytes) -> Output:
        """Somebody asks for ``value`` at ``seq``; ``Output.status`` is the answer."""
        self._out.status = self._request(seq, value)
        return self._finish()

    def verdict(self, seq: int, digest: bytes, ok: bool) -> Output:
        """The application has checked a value. It may change its mind: the last word counts for what is still
        to be signed, and a value found false is not prepared, committed or endorsed from then on."""
        slot = self.log.slots.get(seq)
        candidate = None if slot is None else slot.candidates.get(digest)
        if slot is not None and candidate is not None and candidate.verdict is not ok:
            candidate.verdict = ok
            self._unwatched = True
            self._moved()
            self._advance(slot)
            self._propose()
        return self._finish()

    def finalized(self, seq: int) -> Output:
        """Everything up to ``seq`` is final on the chain; the application has read it there."""
        if seq > self.log.finalized:
            self._unwatched = True
            self._out.persist.append(Finalized(seq=seq))
            self.log.finalize(seq)
            self._timer.progress()
            self._apply_inherited()
            self._deliver()
            self._reply_in_order()
            self._propose()
        return self._finish()

    def snapshot(self) -> tuple[Record, ...]:
        """The fewest records from which a replica can be built that has promised and knows the same."""
        return snapshot(self)

    @property
    def primary(self) -> int:
        """The member that leads the current view."""
        return self.members.primary(self.view)

    # ------------------------------------------------------------------ requests and proposals

    def _request(self, seq: int, value: bytes) -> RequestStatus:
        log = self.log
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
        self._unwatched = True
        self._ask(slot, digest)
        if not repeated:
            self._moved()
        if candidate.verdict is False:
            return RequestStatus.REJECTED
        self._propose()
        return RequestStatus.KNOWN if repeated else RequestStatus.CHECKING

    def _on_request(self, message: Request) -> None:
        self._out.status = self._request(message.seq, message.value)

    def _ask(self, slot: Slot, digest: bytes) -> None:
        candidate = slot.candidates.get(digest)
        if candidate is not None and not candidate.asked:
            candidate.asked = True
            self._out.verify.append(Verify(slot.seq, digest, candidate.value))

    def _propose(self) -> None:
        """As primary, propose what was requested and found true, once per sequence number and view."""
        if self.mode is not Mode.ACTIVE or self.primary != self.me:
            return
        for slot in self.log.open_slots():
            if slot.proposal is None and slot.open and self.floor < slot.seq <= self.log.propose_limit:
                digest = slot.proposable()
                if digest is not None:
                    self._propose_at(slot, digest)

    def _propose_at(self, slot: Slot, digest: bytes) -> None:
        signed = self.instance.signing_digest(Phase.PRE_PREPARE, self.view, slot.seq, digest, self.me)
        slot.proposal = Accepted(digest=digest, signature=self.crypto.signer.sign(signed), inherited=False)
        message = self._own_proposal(slot, slot.proposal)
        self._out.persist.append(Sent(message=message))
        self._out.send.append(Send(message))
        self._advance(slot)

    def _own_proposal(self, slot: Slot, proposal: Accepted) -> PrePrepare:
        return PrePrepare(
            task=self.instance.task,
            view=self.view,
            seq=slot.seq,
            digest=proposal.digest,
            sender=self.me,
            signature=proposal.signature,
            value=slot.candidates[proposal.digest].value,
        )

    # ------------------------------------------------------------------ the three phases

    def _admit(self, message: InView) -> Slot | None:
        """The slot a message of a view belongs to, or None when it is early (kept), late or of no use.

        Accepted when: the sender is another member; nothing is decided there; it is inside the window; it
        is of the view that this replica takes part in."""
        self._check_sender(message)
        if message.sender == self.me:
            return None
        if message.seq > self.log.accept_limit:
            self._ahead = True
            return None
        if message.seq <= self.log.low or self.log.is_decided(message.seq):
            self._help_with_decision(message.sender, message.seq)
            return None
        if message.view < self.view:
            self._help_with_view(message.sender, message.view + 1)
            return None
        if message.view > self.view or self.mode is Mode.CHANGING:
            self._keep_for_later(message)
            return None
        return self.log.slot(message.seq)

    def _check_sender(self, message: InView | Fetch | Reply) -> None:
        if message.sender >= self.members.n:
            raise MessageRefused(type(message).__name__, message.sender, "there is no such member")

    def _authenticate(self, message: InView | Fetch | Reply) -> None:
        if not verify_signature(self.instance, self.crypto.verifier, message):
            raise BadSignature(type(message).__name__, message.sender, "not signed by it")

    def _keep_for_later(self, message: InView) -> None:
        kept = self._buffer.setdefault(message.sender, deque(maxlen=MAX_BUFFERED))
        if message not in kept:
            self._authenticate(message)
            kept.append(message)
            self._ahead = self._ahead or message.view > self.view

    def _on_pre_prepare(self, message: PrePrepare) -> None:
        """Accepted when: the sender leads that view; the value has the stated digest; ``_admit``; above the
        floor; nothing else is proposed or inherited there; the sender signed it."""
        if message.sender != self.members.primary(message.view):
            raise NotPrimary("PrePrepare", message.sender, f"does not lead view {message.view}")
        if message.digest != value_digest(message.value):
            raise BadProof("PrePrepare", message.sender, "the value does not have this digest")
        slot = self._admit(message)
        if slot is None or message.seq <= self.floor:
            return
        known, own = slot.proposal, slot.prepares.vote_of(self.me)
        if known is not None and known.digest == message.digest:
            return
        self._authenticate(message)
        if known is not None:
            self._accuse(self._first_proposal(slot, known, message), message)
            return
        if (own is not None and own[0] != message.digest) or slot.committed_digest not in (
            None,
            message.digest,
        ):
            return
        slot.learn(message.digest, message.value)
        slot.proposal = Accepted(digest=message.digest, signature=message.signature, inherited=False)
        self._ask(slot, message.digest)
        self._advance(slot)

    def _first_proposal(self, slot: Slot, known: Accepted, second: PrePrepare) -> PrePrepare:
        return PrePrepare(
            task=second.task,
            view=second.view,
            seq=second.seq,
            digest=known.digest,
            sender=second.sender,
            signature=known.signature,
            value=slot.candidates[known.digest].value,
        )

    def _on_prepare(self, message: Prepare) -> None:
        slot = self._admit(message)
        if slot is not None and self._count(slot.prepares, message):
            self._advance(slot)

    def _on_commit(self, message: Commit) -> None:
        slot = self._admit(message)
        if slot is not None and self._count(slot.commits, message):
            self._advance(slot)

    def _count(self, votes: VoteSet, message: Prepare | Commit | Reject) -> bool:
        """Count a vote. A repeated one, and one more than a quorum needs, are not even checked."""
        known = votes.vote_of(message.sender)
        if known is None and votes.count(message.digest) >= self.members.quorum:
            return False
        if known is not None and known[0] == message.digest:
            return False
        self._authenticate(message)
        if known is not None:
            if not isinstance(message, Reject):
                first = type(message)(
                    task=message.task,
                    view=message.view,
                    seq=message.seq,
                    digest=known[0],
                    sender=message.sender,
                    signature=known[1],
                )
                self._accuse(first, message)
            return False
        votes.add(message.sender, message.digest, message.signature)
        return True

    def _accuse(
        self, first: PrePrepare | Prepare | Commit | Reply, second: PrePrepare | Prepare | Commit | Reply
    ) -> None:
        evidence = Evidence(first=first, second=second)
        if len(self.evidence) < MAX_EVIDENCE and evidence not in self.evidence:
            self.evidence.append(evidence)
            self._out.persist.append(Kept(evidence=evidence))
            self._out.evidence.append(evidence)

    def _advance(self, slot: Slot) -> None:
        """Sign whatever has become right to sign at this sequence number, in the order of the phases."""
        self._unwatched = True
        if slot.decision is not None or slot.seq <= self.log.finalized:
            return
        if self.mode is Mode.ACTIVE and slot.proposal is not None and slot.seq > self.floor:
            self._advance_votes(slot, slot.proposal)
        if slot.committed is None:
            self._try_committed(slot)
        self._reply_in_order()

    def _advance_votes(self, slot: Slot, proposal: Accepted) -> None:
        digest = proposal.digest
        if slot.committed_digest not in (None, digest):
            return
        match slot.verdict(digest):
            case None:
                return
            case False:
                self._reject(slot, proposal)
                return
        if not slot.prepared:
            slot.prepared = True
            self._vote(slot.prepares, Prepare, slot.seq, digest)
        if not slot.committing and slot.prepares.count(digest) >= self.members.quorum:
            self._commit(slot, proposal)

    def _vote(self, votes: VoteSet, kind: type[Prepare] | type[Commit], seq: int, digest: bytes) -> None:
        message = kind.signed(
            self.instance, self.crypto.signer, sender=self.me, view=self.view, seq=seq, digest=digest
        )
        votes.add(self.me, digest, message.signature)
        self._out.persist.append(Sent(message=message))
        self._out.send.append(Send(message))
        self._moved()

    def _commit(self, slot: Slot, proposal: Accepted) -> None:
        signers, signatures = slot.prepares.proof(proposal.digest, self.members.quorum)
        slot.lock = PreparedCertificate(
            seq=slot.seq,
            view=self.view,
            digest=proposal.digest,
            proposal=proposal.signature,
            signers=signers,
            signatures=signatures,
        )
        value = slot.candidates[proposal.digest].value
        self._out.persist.append(Locked(certificate=slot.lock, value=value))
        slot.committing = True
        self._vote(slot.commits, Commit, slot.seq, proposal.digest)

    def _try_committed(self, slot: Slot) -> None:
        """A quorum of Commits of one view fixes the value, whatever this replica thinks of it."""
        digest = slot.commits.agreed(self.members.quorum)
        value = None if digest is None else slot.value(digest)
        if digest is None or value is None:
            return
        signers, signatures = slot.commits.proof(digest, self.members.quorum)
        self._set_committed(
            slot,
            digest,
            Committed(
                task=self.instance.task,
                view=self.view,
                seq=slot.seq,
                value=value,
                signers=signers,
                signatures=signatures,
            ),
        )

    def _set_committed(self, slot: Slot, digest: bytes, proof: Committed) -> None:
        self._unwatched = True
        slot.committed, slot.committed_digest = proof, digest
        self._out.persist.append(Learned(message=proof))
        self._timer.progress()
        self._moved()
        self._ask(slot, digest)

    def _reject(self, slot: Slot, proposal: Accepted) -> None:
        """Say once per view that the proposal is false. f + 1 such words end the view at once: a quorum for
        it is then impossible without somebody who lied, and another value needs another view. An inherited
        proposal, and one that has ended a view before, have to wait for the timer: no two members can chase
        the committee through the views."""
        digest = proposal.digest
        if not slot.rejecting and slot.open:
            slot.rejecting = True
            message = Reject.signed(
                self.instance,
                self.crypto.signer,
                sender=self.me,
                view=self.view,
                seq=slot.seq,
                digest=digest,
            )
            slot.rejects.add(self.me, digest, message.signature)
            self._out.send.append(Send(message))
            self._out.rejected.append(Rejected(slot.seq, digest, (self.me,)))
        self._try_hurry(slot, proposal)

    def _on_reject(self, message: Reject) -> None:
        slot = self._admit(message)
        if slot is not None and self._count(slot.rejects, message) and slot.proposal is not None:
            self._try_hurry(slot, slot.proposal)

    def _try_hurry(self, slot: Slot, proposal: Accepted) -> None:
        weak = self.members.max_faulty + 1
        digest = proposal.digest
        if not slot.open or slot.rejects.count(digest) < weak or digest in slot.hurried:
            return
        slot.hurried.add(digest)
        against, _ = slot.rejects.proof(digest, self.members.n)
        self._out.rejected.append(Rejected(slot.seq, digest, against))
        if not proposal.inherited:
            self._change_view(self.view + 1, failed=False)

    def _on_checking(self, message: Checking) -> None:
        """A sign of life: of the primary while its proposal is awaited, of any member while votes are."""
        slot = self._admit(message)
        key = self._timer.key
        if slot is None or key is None or key[1] != message.seq:
            return
        if key[2] is Stage.PREPARES or (key[2] is Stage.PROPOSAL and message.sender == self.primary):
            self._authenticate(message)
            self._timer.sign_of_life(self.now)

    # ------------------------------------------------------------------ replies and decisions

    def _reply_in_order(self) -> None:
        """Endorse what is fixed, in order: a reply says that everything below is fixed as well."""
        for slot in self.log.settled_slots():
            digest = slot.committed_digest
            if slot.committed is not None and digest is not None and slot.decision is None:
                if slot.replied is None and slot.verdict(digest):
                    self._reply(slot, digest, slot.committed.value)
                self._try_decide(slot)

    def _reply(self, slot: Slot, digest: bytes, value: bytes) -> None:
        signer = self.crypto.signer
        signed = self.instance.signing_digest(Phase.REPLY, 0, slot.seq, digest, self.me)
        reply = Reply(
            task=self.instance.task,
            seq=slot.seq,
            digest=digest,
            sender=self.me,
            signature=signer.sign(signed),
            endorsement=signer.sign(self.crypto.endorsement_digest(slot.seq, value)),
        )
        slot.replied = reply
        slot.replies.add(self.me, digest, reply.signature + reply.endorsement)
        self._out.persist.append(Sent(message=reply))
        self._out.send.append(Send(reply))
        self._moved()

    def _on_reply(self, message: Reply) -> None:
        """Accepted when: the sender is a member; nothing is decided there; inside the window; it is the
        sender's first; it signed the statement; and, as soon as the value is known, the endorsement is its
        own."""
        self._check_sender(message)
        seq = message.seq
        if message.sender == self.me:
            return
        if seq > self.log.accept_limit:
            self._ahead = True
            return
        if seq <= self.log.low or self.log.is_decided(seq):
            self._help_with_decision(message.sender, seq)
            return
        slot = self.log.slot(seq)
        known = slot.replies.vote_of(message.sender)
        if known is not None and known[0] == message.digest:
            return
        self._authenticate(message)
        if known is not None:
            self._accuse(self._first_reply(known, message), message)
            return
        proof = message.signature + message.endorsement
        slot.replies.add(message.sender, message.digest, proof)
        self._try_decide(slot)

    def _first_reply(self, known: tuple[bytes, bytes], second: Reply) -> Reply:
        digest, proof = known
        return Reply(
            task=second.task,
            seq=second.seq,
            digest=digest,
            sender=second.sender,
            signature=proof[:65],
            endorsement=proof[65:],
        )

    def _try_decide(self, slot: Slot) -> None:
        """A quorum of replies whose endorsements hold is the decision."""
        quorum = self.members.quorum
        digest = slot.replies.agreed(quorum)
        value = None if digest is None else slot.value(digest)
        if slot.decision is not None or digest is None or value is None:
            return
        try:
            endorsed = self.crypto.endorsement_digest(slot.seq, value)
        except ValueUnusable:
            return
        signers, proofs = slot.replies.proof(digest, self.members.n)
        good = [
            (signer, proof[:65], proof[65:])
            for signer, proof in zip(signers, proofs, strict=True)
            if self.crypto.verifier(endorsed, proof[65:], self.members.addresses[signer])
        ][:quorum]
        if len(good) == quorum:
            members, signatures, endorsements = zip(*good, strict=True)
            decision = Decision(
                task=self.instance.task,
                seq=slot.seq,
                value=value,
                signers=members,
                signatures=signatures,
                endorsements=endorsements,
            )
            self._decide(decision, digest)

    def _decide(self, decision: Decision, digest: bytes) -> None:
        slot = self.log.slots.get(decision.seq)
        if slot is not None and slot.committed_digest not in (None, digest):
            self._broken = SafetyViolated(decision.seq, slot.committed_digest or b"", digest)
            raise self._broken
        self._unwatched = True
        self._out.persist.append(Learned(message=decision))
        self.log.add_decision(decision)
        self._timer.progress()
        self._moved()
        self._apply_inherited()
        self._deliver()
        self._reply_in_order()
        self._propose()

    def _deliver(self) -> None:
        while (decision := self.log.next_decision()) is not None:
            self.log.delivered = decision.seq
            self._out.decided.append(
                Decided(decision.seq, decision.value, decision.signers, decision.endorsements)
            )

    def _on_decision(self, message: Decision) -> None:
        """Accepted when it says something that is not known, and proves it."""
        if message.seq <= self.log.low or self.log.is_decided(message.seq):
            return
        if self.log.low < message.seq <= self.log.accept_limit or message.seq > self.log.proven:
            self._decide(message, check_decision(self.instance, self.crypto, message))
            if self._missing() is not None:
                self._resend_at = self.now + 1

    def _on_committed(self, message: Committed) -> None:
        """Accepted when nothing is fixed there yet, it is inside the window, and it proves itself."""
        seq = message.seq
        if not self.log.low < seq <= self.log.accept_limit or not self.log.slot_is_open(seq):
            return
        digest = check_committed(self.instance, self.crypto, message)
        slot = self.log.slot(seq)
        slot.learn(digest, message.value)
        self._set_committed(slot, digest, message)
        self._reply_in_order()

    # ------------------------------------------------------------------ view changes

    def _change_view(self, view: int, *, failed: bool) -> None:
        """Leave the current view for ``view``: promise it on disk, tell everybody what was committed
        before."""
        if failed:
            self._timer.failed(view - self.view)
        claims = self.log.claims()
        decided = self.log.proven
        signed = self.instance.signing_digest(
            Phase.VIEW_CHANGE, view, decided, ViewVote.body(claims), self.me
        )
        vote = ViewVote(
            view=view,
            decided=decided,
            claims=claims,
            sender=self.me,
            signature=self.crypto.signer.sign(signed),
        )
        locks = [self.log.slots[claim.seq].lock for claim in claims]
        change = ViewChange(
            task=self.instance.task,
            vote=vote,
            decision=self.log.highest,
            certificates=tuple(lock for lock in locks if lock is not None),
            values=tuple(self.log.slots[claim.seq].candidates[claim.digest].value for claim in claims),
        )
        self._unwatched = True
        self.leave_for(change)
        self._out.persist.append(Sent(message=change))
        self._out.send.append(Send(change))
        self._moved()
        self._try_new_view()

    def leave_for(self, change: ViewChange) -> None:
        """State after our own view change (also when the log is read)."""
        self.view, self.mode = change.vote.view, Mode.CHANGING
        self.own_view_change = change
        self._view_votes.add(change)
        self._quorum_since = None
        for slot in self.log.slots.values():
            slot.reset_view()

    def _on_view_change(self, message: ViewChange) -> None:
        """Accepted when: the sender is another member; it wants a view that is not open yet; it has not voted
        for that or a later one; the vote proves itself. f + 1 such members are followed."""
        vote = message.vote
        if vote.sender >= self.members.n:
            raise MessageRefused("ViewChange", vote.sender, "there is no such member")
        if vote.sender == self.me:
            return
        if vote.view < self.view or (vote.view == self.view and self.mode is Mode.ACTIVE):
            self._help_with_view(vote.sender, vote.view)
            return
        if vote.view <= self._view_votes.view_of(vote.sender):
            if vote.decided < self.log.proven:
                self._help_with_decision(vote.sender, vote.decided + 1)
            return
        check_view_change(self.instance, self.crypto, message)
        self._unwatched = True
        self._view_votes.add(message)
        if message.decision is not None:
            self._on_decision(message.decision)
        wanted = self._view_votes.wanted(self.members.max_faulty + 1)
        if wanted > self.view:
            self._change_view(wanted, failed=True)
        self._try_new_view()

    def _try_new_view(self) -> None:
        """As primary of the view that is waited for: open it when a quorum has voted for it.

        When what follows is a value this member has found false, more votes may free it: they are waited for,
        for half a view timeout."""
        changes = self._view_votes.for_view(self.view)
        if self.mode is not Mode.CHANGING or self.primary != self.me or len(changes) < self.members.quorum:
            return
        if self._quorum_since is None:
            self._quorum_since = self.now
        grace_over = self.now - self._quorum_since >= self.config.view_timeout_ticks // 2
        if len(changes) < self.members.n and not grace_over and self._inherits_false(changes):
            return
        message = build_new_view(self.instance, self.crypto, self.me, changes)
        self._out.send.append(Send(message))
        self._enter_view(message)

    def _inherits_false(self, changes: tuple[ViewChange, ...]) -> bool:
        claims = choose(tuple(change.vote for change in changes), self.members.quorum)
        slots = self.log.slots
        return any(c.seq in slots and slots[c.seq].verdict(c.digest) is False for c in claims)

    def _on_new_view(self, message: NewView) -> None:
        """Accepted when it is of a later view than the one taken part in, and everything in it is true."""
        if message.view < self.view or (message.view == self.view and self.mode is Mode.ACTIVE):
            return
        check_new_view(self.instance, self.crypto, message)
        self._enter_view(message)

    def _enter_view(self, message: NewView) -> None:
        self._out.persist.append(Learned(message=message))
        self._out.view = message.view
        self._unwatched = True
        self.open_view(message)
        self._moved()
        if message.decision is not None:
            self._on_decision(message.decision)
        self._apply_inherited()
        for kept in self._buffer.values():
            for early in [m for m in kept if m.view == self.view]:
                self._replay_early(early)
        self._drop_old_buffers()
        self._propose()

    def open_view(self, message: NewView) -> None:
        """State after a new view was accepted (also when the log is read)."""
        self.view, self.mode = message.view, Mode.ACTIVE
        self.new_view = message
        self.floor = floor_of(message.votes)
        values = {value_digest(value): value for value in message.values}
        self._inherited = {p.seq: (p, values[p.digest]) for p in message.proposals}
        self._ahead = False
        for slot in self.log.slots.values():
            slot.reset_view()

    def _replay_early(self, message: InView) -> None:
        if self.mode is Mode.ACTIVE and message.view == self.view:
            _HANDLERS[type(message)](self, message)

    def _drop_old_buffers(self) -> None:
        for sender, kept in self._buffer.items():
            later = (m for m in kept if m.view > self.view)
            self._buffer[sender] = deque(later, maxlen=MAX_BUFFERED)

    def _apply_inherited(self) -> None:
        """Accept the proposals that came with the view, as far as the window reaches."""
        if self.mode is not Mode.ACTIVE:
            return
        reached = [seq for seq in self._inherited if seq <= self.log.accept_limit]
        for seq in reached:
            proposal, value = self._inherited.pop(seq, (None, b""))
            if proposal is None:  # a decision on the way has been here already
                continue
            if seq <= self.log.low or self.log.is_decided(seq):
                continue
            slot = self.log.slot(seq)
            slot.learn(proposal.digest, value)
            slot.proposal = Accepted(digest=proposal.digest, signature=proposal.signature, inherited=True)
            self._ask(slot, proposal.digest)
            self._advance(slot)

    # ------------------------------------------------------------------ helping and being helped

    def _help_with_decision(self, member: int, seq: int) -> None:
        if self._helper.is_stuck(member, seq, self.now):
            self._send_decision(member, seq)

    def _help_with_view(self, member: int, view: int) -> None:
        """``member`` would be helped by the opening of ``view`` or a later one."""
        shown = self.new_view
        if shown is not None and shown.view >= view and self._helper.is_stuck(member, 0, self.now):
            self._out.send.append(Send(shown, member))

    def _on_fetch(self, message: Fetch) -> None:
        """Accepted when: the sender is another member; it has not asked within the last tick; it signed."""
        self._check_sender(message)
        if message.sender == self.me or not self._helper.may_answer(message.sender, self.now):
            return
        self._authenticate(message)
        self._send_decision(message.sender, message.seq)
        if message.view < self.view and self.new_view is not None:
            self._out.send.append(Send(self.new_view, message.sender))

    def _send_decision(self, member: int, seq: int) -> None:
        """What is known from ``seq`` on, a few at a time, and the highest decision: how much there is to
        ask."""
        log, shown = self.log, set()
        for wanted in (*range(seq, seq + RESENT_SLOTS), max(seq, log.proven)):
            decision, slot = log.decision(wanted), log.slots.get(wanted)
            if decision is not None and decision.seq not in shown:
                shown.add(decision.seq)
                self._out.send.append(Send(decision, member))
            elif decision is None and slot is not None and slot.committed and wanted not in shown:
                shown.add(wanted)
                self._out.send.append(Send(slot.committed, member))

    def _missing(self) -> int | None:
        """The sequence number whose decision this replica should ask for."""
        log = self.log
        first = log.delivered + 1
        if log.proven < log.finalized:
            return log.finalized
        if log.proven >= first or self._ahead:
            return first
        slot = log.slots.get(first)
        if slot is not None and slot.decision is None:
            agreed = (slot.commits.agreed(self.members.quorum), slot.replies.agreed(self.members.quorum))
            if any(digest is not None and slot.value(digest) is None for digest in agreed):
                return first
        return None

    def _moved(self) -> None:
        """Something happened: repeat soon if it gets lost."""
        self._interval = self.config.retransmit_ticks
        self._resend_at = self.now + self._interval

    def _resend(self) -> None:
        """Repeat what may have been lost, ever less often, but often enough that a sign of life outruns the
        view timeout of others."""
        self._interval = max(
            self.config.retransmit_ticks, min(2 * self._interval, self.config.view_timeout_ticks // 3)
        )
        self._resend_at = self.now + self._interval
        seq = self._missing()
        self._quiet = self._quiet + 1 if seq is None else 0
        if seq is not None:
            self._fetch(seq, None)
        elif self._quiet % QUIET_RESENDS == 0:
            self._fetch(self.log.delivered + 1, self._somebody())
        if self.mode is Mode.CHANGING:
            if self.own_view_change is not None:
                self._out.send.append(Send(self.own_view_change))
            return
        for index, slot in enumerate(self.log.open_slots()):
            if index == RESENT_SLOTS:
                break
            if slot.decision is None:
                self._resend_slot(slot)

    def _somebody(self) -> int:
        """Another member, each in turn."""
        turn = self._quiet // QUIET_RESENDS % (self.members.n - 1)
        return (self.me + 1 + turn) % self.members.n

    def _fetch(self, seq: int, to: int | None) -> None:
        if to is None and seq == self._fetched:
            self._out.behind = seq
        self._fetched, self._ahead = seq, False
        message = Fetch.signed(
            self.instance,
            self.crypto.signer,
            sender=self.me,
            view=self.view,
            seq=seq,
            digest=ZERO_DIGEST,
        )
        self._out.send.append(Send(message, to))

    def _resend_slot(self, slot: Slot) -> None:
        send = self._out.send
        if slot.proposal is None and self.primary != self.me and self._stage(slot) is Stage.PROPOSAL:
            digest = slot.proposable()
            if digest is not None:
                value = slot.candidates[digest].value
                send.append(Send(Request(task=self.instance.task, seq=slot.seq, value=value), self.primary))
        send.extend(Send(vote) for vote in self.own_votes(slot))
        rejected = slot.rejects.vote_of(self.me)
        if rejected is not None:
            send.append(Send(self._vote_message(Reject, slot.seq, *rejected)))
        if slot.replied is not None:
            send.append(Send(slot.replied))
        self._resend_sign_of_life(slot)

    def own_votes(self, slot: Slot) -> list[PrePrepare | Prepare | Commit]:
        """What this replica has signed in the current view at one sequence number."""
        own: list[PrePrepare | Prepare | Commit] = []
        if slot.proposal is not None and not slot.proposal.inherited and self.primary == self.me:
            own.append(self._own_proposal(slot, slot.proposal))
        prepared, committed = slot.prepares.vote_of(self.me), slot.commits.vote_of(self.me)
        if prepared is not None:
            own.append(self._vote_message(Prepare, slot.seq, *prepared))
        if committed is not None:
            own.append(self._vote_message(Commit, slot.seq, *committed))
        return own

    def _vote_message(self, kind: type[_V], seq: int, digest: bytes, signature: bytes) -> _V:
        return kind(
            task=self.instance.task,
            view=self.view,
            seq=seq,
            digest=digest,
            sender=self.me,
            signature=signature,
        )

    def _resend_sign_of_life(self, slot: Slot) -> None:
        """Say that a check runs: of the proposal, or, as primary, of what is to be proposed."""
        digest = slot.proposal.digest if slot.proposal is not None else None
        if digest is None and self.primary == self.me:
            waiting = (d for d, c in slot.candidates.items() if c.requested and c.verdict is None)
            digest = next(waiting, None)
        if digest is not None and slot.open and slot.verdict(digest) is None:
            message = Checking.signed(
                self.instance,
                self.crypto.signer,
                sender=self.me,
                view=self.view,
                seq=slot.seq,
                digest=digest,
            )
            self._out.send.append(Send(message))

    # ------------------------------------------------------------------ waiting

    def _check_runs(self) -> bool:
        """Whether the wait is for a proposal that this replica itself is still checking."""
        key = self._timer.key
        if key is None or key[2] is not Stage.PREPARES:
            return False
        slot = self.log.slots.get(key[1])
        return slot is not None and slot.proposal is not None and slot.verdict(slot.proposal.digest) is None

    def _stage(self, slot: Slot) -> Stage | None:
        """What the primary or the others owe at this sequence number; None when nothing."""
        if not slot.open or not max(self.log.finalized, self.floor) < slot.seq <= self.log.accept_limit:
            return None
        proposal = slot.proposal
        if proposal is None or slot.verdict(proposal.digest) is False:
            wanted = slot.proposable() is not None and slot.seq <= self.log.propose_limit
            return Stage.PROPOSAL if wanted else None
        return Stage.COMMITS if slot.committing else Stage.PREPARES

    def _wait_key(self) -> WaitKey | None:
        if self.mode is Mode.CHANGING:
            complete = self._view_votes.at_least(self.view) >= self.members.quorum
            return (self.view, 0, Stage.NEW_VIEW) if complete else None
        for slot in self.log.open_slots():
            stage = self._stage(slot)
            if stage is not None:
                return (self.view, slot.seq, stage)
        return None

    def _finish(self) -> Output:
        if self._broken is not None:
            raise self._broken
        if self._unwatched:
            self._unwatched = False
            self._timer.watch(self._wait_key(), self.now)
        return self._out.take()


_HANDLERS: dict[type, Callable[..., None]] = {
    PrePrepare: Replica._on_pre_prepare,
    Prepare: Replica._on_prepare,
    Commit: Replica._on_commit,
    Reject: Replica._on_reject,
    Checking: Replica._on_checking,
    Fetch: Replica._on_fetch,
    Request: Replica._on_request,
    Reply: Replica._on_reply,
    Decision: Replica._on_decision,
    Committed: Replica._on_committed,
    ViewChange: Replica._on_view_change,
    NewView: Replica._on_new_view,
}
