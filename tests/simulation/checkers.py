"""What must hold, checked from outside: from what honest members send, persist and hand out. Nothing here
calls the code under test to judge the code under test."""

import hashlib
from collections.abc import Callable
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from committee.state import Decided, Learned, Output, Record, Send, Sent
from protocol.pbft_messages import (
    Commit,
    Committed,
    Decision,
    Evidence,
    Instance,
    NewView,
    Prepare,
    PreparedCertificate,
    PrePrepare,
    Reply,
    ViewChange,
    ViewVote,
)
from tests.simulation.plan import Plan

if TYPE_CHECKING:
    from committee.state import Crypto
    from tests.simulation.world import Node


class Violation(Exception):
    """A promise that was broken; the first argument says which."""


Place = tuple[object, ...]
"""Where a member says at most one word: (member, kind of message, view or sequence number, ...)."""


@lru_cache(maxsize=128)
def dumb_quorum(n: int) -> int:
    """The smallest q at which two groups of q overlap in more than f members."""
    f = max(k for k in range(n) if 3 * k + 1 <= n)
    return min(q for q in range(1, n + 1) if 2 * q - n > f)


class Checkers:
    """One scenario's observations."""

    def __init__(self, plan: Plan, instance: Instance, cryptos: "tuple[Crypto, ...]") -> None:
        self._plan = plan
        self._instance = instance
        self._cryptos = cryptos
        self._quorum = dumb_quorum(plan.n)
        self._asked: set[tuple[int, bytes]] = set()
        self._decided: dict[int, bytes] = {}
        self._delivered: dict[str, int] = {}
        self._verdicts: dict[str, dict[tuple[int, bytes], bool]] = {}
        self._said: dict[Place, bytes] = {}
        self._proven: set[tuple[object, ...]] = set()  # what was judged before, and is immutable
        self._left = dict.fromkeys(range(plan.n), 0)
        self._highest_view = 0  # that any honest member has been in or asked for
        self._commits: dict[int, dict[int, Commit]] = {i: {} for i in range(plan.n)}

    # ------------------------------------------------------------------ what happened

    def asked(self, seq: int, value: bytes) -> None:
        self._asked.add((seq, value))

    def born(self, name: str) -> None:
        """A process starts: it may hand out what is not final again."""
        self._delivered[name] = -1
        self._verdicts[name] = {}

    def verdict(self, name: str, seq: int, digest: bytes, ok: bool) -> None:
        self._verdicts[name][(seq, digest)] = ok

    def finalized(self, name: str, seq: int) -> None:
        self._delivered[name] = max(self._delivered[name], seq)

    # ------------------------------------------------------------------ safety

    def decided(self, name: str, decided: Decided, now: float) -> None:
        """Agreement, validity, order, once, and a true quorum."""
        seq, value = decided.seq, decided.value
        if self._decided.setdefault(seq, value) != value:
            raise Violation("agreement", f"{seq}: {self._decided[seq]!r} and, at {name}, {value!r}")
        if value[:1] == b"b":
            raise Violation("validity", f"{value!r}, false for everybody, is decided")
        if (seq, value) not in self._asked and value[:1] != b"x":
            raise Violation("validity", f"nobody asked for {value!r} at {seq}")
        last = self._delivered[name]
        if last >= 0 and seq != last + 1:
            raise Violation("order", f"{name} hands out {seq} after {last}")
        self._delivered[name] = seq
        self._true_quorum(seq, value, decided.signers, decided.endorsements)

    def _true_quorum(
        self, seq: int, value: bytes, signers: tuple[int, ...], endorsements: tuple[bytes, ...]
    ) -> None:
        judged = (seq, value, signers, endorsements)
        if judged in self._proven:
            return
        if len(set(signers)) < self._quorum or list(signers) != sorted(set(signers)):
            raise Violation("quorum", f"{signers} endorse {seq}")
        digest = hashlib.sha256(b"endorse" + value).digest()
        for signer, endorsement in zip(signers, endorsements, strict=True):
            address = self._instance.members.addresses[signer]
            if not self._cryptos[signer].verifier(digest, endorsement, address):
                raise Violation("quorum", f"{signer} did not endorse {value!r} at {seq}")
            if signer in self._plan.honest and (signer, Reply, seq) not in self._said:
                raise Violation("forgery", f"{signer} never replied at {seq}")
        self._proven.add(judged)

    def persisted(self, node: "Node", records: tuple[Record, ...]) -> None:
        """What is on an honest member's disk counts as said: it never contradicts itself."""
        for record in records:
            kind = type(record)
            if kind is Sent or kind is Learned:
                judge = _ON_DISK.get(type(record.message))  # type: ignore[union-attr]
                if judge is not None:
                    judge(self, node, record.message)  # type: ignore[union-attr]

    def _keeps_vote(self, node: "Node", vote: PrePrepare | Prepare | Commit) -> None:
        if vote.view < self._left[node.index]:
            raise Violation("left view", f"{node.name} votes in view {vote.view} after all")
        kind = type(vote)
        self._say(node, (node.index, kind, vote.view, vote.seq), vote.digest)
        if kind is Commit:
            self._commits[node.index][vote.seq] = vote  # type: ignore[assignment]

    def _keeps_reply(self, node: "Node", reply: Reply) -> None:
        self._say(node, (node.index, Reply, reply.seq), reply.digest)

    def _keeps_view_change(self, node: "Node", change: ViewChange) -> None:
        self._say(node, (node.index, ViewChange, change.vote.view), change.vote.signature)
        self._leaves(node, change.vote)

    def _keeps_new_view(self, node: "Node", opened: NewView) -> None:
        self._left[node.index] = max(self._left[node.index], opened.view)
        self._follows(node, opened)

    def _keeps_commits(self, node: "Node", proof: Committed) -> None:
        self._unforged_commits(proof)

    def _leaves(self, node: "Node", vote: ViewVote) -> None:
        """Views are left one by one, by somebody honest first; and what was committed is claimed."""
        if vote.view > self._highest_view + 1:
            raise Violation("chased", f"{node.name} asks for view {vote.view}; nobody honest was near it")
        self._highest_view = max(self._highest_view, vote.view)
        self._left[node.index] = max(self._left[node.index], vote.view)
        claims = {c.seq: c for c in vote.claims}
        for seq, commit in self._commits[node.index].items():
            if seq <= vote.decided:
                continue
            claim = claims.get(seq)
            if claim is not None and claim.view > commit.view:  # a later lock is on disk, its Commit got lost
                continue
            if claim is None or (claim.view, claim.digest) != (commit.view, commit.digest):
                raise Violation("amnesia", f"{node.name} hides its Commit at {seq}, view {commit.view}")

    def _follows(self, node: "Node", opened: NewView) -> None:
        """A view that an honest member enters has a quorum's votes and proposes what they demand: found
        here by asking, for each claim, whether a quorum of Commits for it is still possible."""
        votes = {vote.sender: vote for vote in opened.votes}
        if len(votes) < self._quorum:
            raise Violation("new view", f"{node.name} enters view {opened.view} on {len(votes)} votes")
        for sender in set(votes).intersection(self._plan.honest):
            if self._said.get((sender, ViewChange, opened.view)) != votes[sender].signature:
                raise Violation("forgery", f"{sender} never voted so for view {opened.view}")
        for certificate in opened.certificates:
            self._unforged(certificate)
        floor = max(vote.decided for vote in votes.values())
        demanded: dict[int, bytes] = {}
        claims = [(c.view, c.seq, c.digest) for vote in votes.values() for c in vote.claims if c.seq > floor]
        for view, seq, digest in sorted(claims):
            never = sum(
                1
                for vote in votes.values()
                if all(c.seq != seq or (c.view, c.digest) < (view, b"") for c in vote.claims)
                or any(c.seq == seq and c.view == view and c.digest != digest for c in vote.claims)
            )
            if never < self._quorum:
                demanded[seq] = digest
        proposed = {p.seq: p.digest for p in opened.proposals}
        if proposed != demanded:
            raise Violation("new view", f"{node.name} enters view {opened.view} with other proposals")

    def sent(self, node: "Node", output: Output, sends: tuple[Send, ...]) -> None:
        """An honest member has promised on disk what leaves it, believes what it signs, and passes on no
        certificate that names an honest member who never said so."""
        for send in sends:
            judge = _ON_THE_WAY.get(type(send.message))
            if judge is not None:
                judge(self, node, output, send.message)

    def _sends_vote(self, node: "Node", output: Output, vote: PrePrepare | Prepare | Commit) -> None:
        kind = type(vote)
        self._promised(node, (node.index, kind, vote.view, vote.seq), vote.digest)
        if kind is not PrePrepare:
            self._believed(node, output, vote)  # type: ignore[arg-type]

    def _sends_reply(self, node: "Node", output: Output, reply: Reply) -> None:
        self._promised(node, (node.index, Reply, reply.seq), reply.digest)
        self._believed(node, output, reply)

    def _sends_view_change(self, node: "Node", output: Output, change: ViewChange) -> None:
        self._promised(node, (node.index, ViewChange, change.vote.view), change.vote.signature)

    def _sends_new_view(self, node: "Node", output: Output, opened: NewView) -> None:
        if opened.sender == node.index:
            self._say(node, (node.index, NewView, opened.view), opened.signature)

    def _sends_commits(self, node: "Node", output: Output, proof: Committed) -> None:
        self._unforged_commits(proof)

    def _sends_decision(self, node: "Node", output: Output, message: Decision) -> None:
        self._true_quorum(message.seq, message.value, message.signers, message.endorsements)

    def _say(self, node: "Node", place: Place, word: bytes) -> None:
        if self._said.setdefault(place, word) != word:
            raise Violation("double word", f"{node.name} signs {place} twice")

    def _promised(self, node: "Node", place: Place, word: bytes) -> None:
        if self._said.get(place) != word:
            raise Violation("unpersisted", f"{node.name} sends {place} before the disk has it")

    def _believed(self, node: "Node", output: Output, message: Prepare | Commit | Reply) -> None:
        """Only what is signed in this very output is judged: a repetition is not a new statement."""
        if self._verdicts[node.name].get((message.seq, message.digest)) is True:
            return
        if Sent(message=message) in output.persist:
            what = type(message).__name__
            raise Violation("belief", f"{node.name} signs {what} at {message.seq} unconvinced")

    def _unforged(self, certificate: PreparedCertificate) -> None:
        signers = set(certificate.signers)
        if len(signers) < self._quorum:
            raise Violation("forgery", f"a certificate of {sorted(signers)} passes")
        for signer in signers.intersection(self._plan.honest):
            word = self._said.get((signer, Prepare, certificate.view, certificate.seq))
            if word != certificate.digest:
                raise Violation("forgery", f"{signer} never prepared what a certificate says")

    def _unforged_commits(self, proof: Committed) -> None:
        judged = (proof.view, proof.seq, proof.value, proof.signers)
        if judged in self._proven:
            return
        signers = set(proof.signers)
        digest = hashlib.sha256(proof.value).digest()
        if len(signers) < self._quorum:
            raise Violation("forgery", f"a commit certificate of {sorted(signers)} passes")
        for signer in signers.intersection(self._plan.honest):
            if self._said.get((signer, Commit, proof.view, proof.seq)) != digest:
                raise Violation("forgery", f"{signer} never committed what a certificate says")
        self._proven.add(judged)

    def evidence(self, evidence: Evidence) -> None:
        if evidence.first.sender in self._plan.honest:
            raise Violation("slander", f"evidence against honest member {evidence.first.sender}")
        if not evidence.verify(self._instance, self._cryptos[0].verifier):
            raise Violation("slander", "evidence that does not verify")

    # ------------------------------------------------------------------ at the end

    def at_end(self, honest: "list[Node]", now: float, *, excused: bool) -> None:
        """Progress after healing (``excused``: there is a reason to ask for none), and bounded memory."""
        self._bounded(honest)
        missing = [n.name for n in honest if not n.alive or n.replica.log.delivered < self._plan.seqs]
        if missing and not excused and not self.locked_on_false(honest):
            views = {n.name: n.replica.view for n in honest}
            raise Violation("progress", f"at {now:.0f} members {missing} still lack something; views {views}")
        for node in honest:
            if node.replica.view > (0 if self._plan.peaceful else 60):
                raise Violation("calm", f"{node.name} has reached view {node.replica.view}")

    def locked_on_false(self, honest: "list[Node]") -> bool:
        """A value that was committed and then found false may be stuck: ``docs/pbft.md`` says when."""
        for node in honest:
            for slot in node.replica.log.slots.values():
                for digest in (slot.lock.digest if slot.lock else None, slot.committed_digest):
                    if digest is not None and slot.verdict(digest) is not True:
                        return True
        return False

    def _bounded(self, honest: "list[Node]") -> None:
        for node in honest:
            log = node.replica.log
            if len(log.slots) > 2 * self._plan.window:
                raise Violation("bounds", f"{node.name} keeps {len(log.slots)} slots")
            if any(len(slot.candidates) > 8 for slot in log.slots.values()):
                raise Violation("bounds", f"{node.name} keeps too many candidates")


Judge = Callable[..., None]
_ON_DISK: dict[Any, Judge] = {
    PrePrepare: Checkers._keeps_vote,
    Prepare: Checkers._keeps_vote,
    Commit: Checkers._keeps_vote,
    Reply: Checkers._keeps_reply,
    ViewChange: Checkers._keeps_view_change,
    NewView: Checkers._keeps_new_view,
    Committed: Checkers._keeps_commits,
}
_ON_THE_WAY: dict[Any, Judge] = {
    PrePrepare: Checkers._sends_vote,
    Prepare: Checkers._sends_vote,
    Commit: Checkers._sends_vote,
    Reply: Checkers._sends_reply,
    ViewChange: Checkers._sends_view_change,
    NewView: Checkers._sends_new_view,
    Committed: Checkers._sends_commits,
    Decision: Checkers._sends_decision,
}
