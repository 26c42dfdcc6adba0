"""What must hold, checked from outside: from what honest members send, persist and hand out. Nothing here
calls the code under test to judge the code under test."""

import hashlib
from typing import TYPE_CHECKING

from committee.state import Decided, Learned, Output, Record, Send, Sent
from protocol.pbft_messages import (
    Checking,
    Commit,
    Committed,
    Decision,
    Evidence,
    Fetch,
    Instance,
    NewView,
    Prepare,
    PreparedCertificate,
    PrePrepare,
    Reject,
    Reply,
    Request,
    ViewChange,
    ViewVote,
)
from tests.simulation.plan import Plan

if TYPE_CHECKING:
    from committee.state import Crypto
    from tests.simulation.world import Node


class Violation(Exception):
    """A promise that was broken; the first argument says which."""


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
        self._verdicts: dict[tuple[str, int, bytes], bool] = {}
        self._said: dict[tuple[object, ...], bytes] = {}
        self._left = dict.fromkeys(range(plan.n), 0)
        self._highest_view = 0  # that any honest member has been in or asked for
        self._commits: dict[int, dict[int, Commit]] = {i: {} for i in range(plan.n)}

    # ------------------------------------------------------------------ what happened

    def asked(self, seq: int, value: bytes) -> None:
        self._asked.add((seq, value))

    def born(self, name: str) -> None:
        """A process starts: it may hand out what is not final again."""
        self._delivered[name] = -1
        for key in [key for key in self._verdicts if key[0] == name]:
            del self._verdicts[key]

    def verdict(self, name: str, seq: int, digest: bytes, ok: bool) -> None:
        self._verdicts[(name, seq, digest)] = ok

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
        if len(set(signers)) < self._quorum or list(signers) != sorted(set(signers)):
            raise Violation("quorum", f"{signers} endorse {seq}")
        digest = hashlib.sha256(b"endorse" + value).digest()
        for signer, endorsement in zip(signers, endorsements, strict=True):
            address = self._instance.members.addresses[signer]
            if not self._cryptos[signer].verifier(digest, endorsement, address):
                raise Violation("quorum", f"{signer} did not endorse {value!r} at {seq}")
            if signer in self._plan.honest and (signer, "Reply", seq) not in self._said:
                raise Violation("forgery", f"{signer} never replied at {seq}")

    def persisted(self, node: "Node", records: tuple[Record, ...]) -> None:
        """What is on an honest member's disk counts as said: it never contradicts itself."""
        for record in records:
            match record:
                case Sent(message=ViewChange(vote=vote)):
                    self._say(node, "ViewChange", vote.view, vote.signature)
                    self._leaves(node, vote)
                case Sent(message=Reply(seq=seq, digest=digest)):
                    self._say(node, "Reply", seq, digest)
                case Sent(message=(PrePrepare() | Prepare() | Commit()) as vote):
                    if vote.view < self._left[node.index]:
                        raise Violation("left view", f"{node.name} votes in view {vote.view} after all")
                    self._say(node, type(vote).__name__, vote.view, vote.seq, vote.digest)
                    if isinstance(vote, Commit):
                        self._commits[node.index][vote.seq] = vote
                case Learned(message=NewView() as opened):
                    self._left[node.index] = max(self._left[node.index], opened.view)
                    self._follows(node, opened)
                case Learned(message=Committed() as proof):
                    self._unforged_commits(proof)

    def _leaves(self, node: "Node", vote: ViewVote) -> None:
        """Views are left one by one, by somebody honest first; and what was committed is claimed."""
        if vote.view > self._highest_view + 1:
            raise Violation("chased", f"{node.name} asks for view {vote.view}; nobody honest was near it")
        self._highest_view = max(self._highest_view, vote.view)
        self._left[node.index] = max(self._left[node.index], vote.view)
        claims = {(c.seq, c.view, c.digest) for c in vote.claims}
        for seq, commit in self._commits[node.index].items():
            if seq > vote.decided and (seq, commit.view, commit.digest) not in claims:
                raise Violation("amnesia", f"{node.name} hides its Commit at {seq}, view {commit.view}")

    def _follows(self, node: "Node", opened: NewView) -> None:
        """A view that an honest member enters has a quorum's votes and proposes what they demand: found
        here by asking, for each claim, whether a quorum of Commits for it is still possible."""
        votes = {vote.sender: vote for vote in opened.votes}
        if len(votes) < self._quorum:
            raise Violation("new view", f"{node.name} enters view {opened.view} on {len(votes)} votes")
        for sender in set(votes).intersection(self._plan.honest):
            if self._said.get((sender, "ViewChange", opened.view)) != votes[sender].signature:
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
            message = send.message
            match message:
                case Prepare() | Commit() | Reply():
                    self._promised(node, message)
                    self._believed(node, output, message)
                case PrePrepare():
                    self._promised(node, message)
                case ViewChange():
                    self._promised(node, message)
                case NewView():
                    if message.sender == node.index:
                        self._say(node, "NewView", message.view, message.signature)
                case Committed():
                    self._unforged_commits(message)
                case Decision():
                    self._true_quorum(message.seq, message.value, message.signers, message.endorsements)
                case Reject() | Checking() | Fetch() | Request():
                    pass

    def _say(self, node: "Node", *place_and_word: object) -> None:
        *place, word = place_and_word
        key = (node.index, *place)
        known = self._said.setdefault(key, word)  # type: ignore[arg-type]
        if known != word:
            raise Violation("double word", f"{node.name} signs {place} twice")

    def _promised(self, node: "Node", message: PrePrepare | Prepare | Commit | Reply | ViewChange) -> None:
        match message:
            case ViewChange(vote=vote):
                said = self._said.get((node.index, "ViewChange", vote.view)) == vote.signature
            case Reply(seq=seq, digest=digest):
                said = self._said.get((node.index, "Reply", seq)) == digest
            case _:
                place = (node.index, type(message).__name__, message.view, message.seq)
                said = self._said.get(place) == message.digest
        if not said:
            raise Violation(
                "unpersisted", f"{node.name} sends {type(message).__name__} before the disk has it"
            )

    def _believed(self, node: "Node", output: Output, message: Prepare | Commit | Reply) -> None:
        """Only what is signed in this very output is judged: a repetition is not a new statement."""
        convinced = self._verdicts.get((node.name, message.seq, message.digest)) is True
        if not convinced and Sent(message=message) in output.persist:
            what = type(message).__name__
            raise Violation("belief", f"{node.name} signs {what} at {message.seq} unconvinced")

    def _unforged(self, certificate: PreparedCertificate) -> None:
        signers = set(certificate.signers)
        if len(signers) < self._quorum:
            raise Violation("forgery", f"a certificate of {sorted(signers)} passes")
        for signer in signers.intersection(self._plan.honest):
            word = self._said.get((signer, "Prepare", certificate.view, certificate.seq))
            if word != certificate.digest:
                raise Violation("forgery", f"{signer} never prepared what a certificate says")

    def _unforged_commits(self, proof: Committed) -> None:
        signers = set(proof.signers)
        digest = hashlib.sha256(proof.value).digest()
        if len(signers) < self._quorum:
            raise Violation("forgery", f"a commit certificate of {sorted(signers)} passes")
        for signer in signers.intersection(self._plan.honest):
            if self._said.get((signer, "Commit", proof.view, proof.seq)) != digest:
                raise Violation("forgery", f"{signer} never committed what a certificate says")

    def evidence(self, evidence: Evidence) -> None:
        if evidence.first.sender in self._plan.honest:
            raise Violation("slander", f"evidence against honest member {evidence.first.sender}")
        if not evidence.verify(self._instance, self._cryptos[0].verifier):
            raise Violation("slander", "evidence that does not verify")

    # ------------------------------------------------------------------ at the end

    def at_end(self, honest: "list[Node]", now: float) -> None:
        """Progress after healing, bounded memory, and what the disks hold."""
        self._bounded(honest)
        missing = [n.name for n in honest if not n.alive or n.replica.log.delivered < self._plan.seqs]
        if missing and not self.locked_on_false(honest):
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
