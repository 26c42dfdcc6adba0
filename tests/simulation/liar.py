"""A Byzantine member that knows everything and signs anything that its own key can sign.

It runs an honest replica beside itself (so that the committee gets anywhere), hears every message the
moment it is sent, and at random moments says something it should not: votes for several values, proposes
twice, shows old certificates, opens views that do not follow, repeats the words of others in other places.
"""

import random
from collections.abc import Callable
from typing import TYPE_CHECKING

from msgspec import structs

from committee.view_change import build_new_view
from protocol.pbft_messages import (
    Checking,
    Claim,
    Commit,
    Committed,
    Decision,
    Message,
    NewView,
    Prepare,
    PreparedCertificate,
    PrePrepare,
    Reject,
    Reply,
    ViewChange,
    ViewVote,
    value_digest,
)
from tests.simulation.checkers import dumb_quorum
from tests.simulation.keys import TASK, endorsement_digest

if TYPE_CHECKING:
    from tests.simulation.world import Node, World

MEMORY = 400
FOLLOWED_UP_S = 20.0  # after healing a liar tires, so that scenarios end


class Gossip:
    """What all liars of a scenario have heard."""

    def __init__(self) -> None:
        self.values: dict[int, dict[bytes, bytes]] = {}
        self.view = 0
        self.votes: dict[tuple[type, int, int, bytes], dict[int, bytes]] = {}
        self.proposals: dict[tuple[int, int, bytes], bytes] = {}
        self.changes: dict[int, dict[int, ViewChange]] = {}
        self.decisions: dict[int, Decision] = {}
        self.heard: list[Message] = []

    def hear(self, message: Message) -> None:
        self.heard.append(message)
        if len(self.heard) > MEMORY:
            del self.heard[: MEMORY // 2]
        match message:
            case PrePrepare():
                self.values.setdefault(message.seq, {})[message.digest] = message.value
                self.proposals[(message.view, message.seq, message.digest)] = message.signature
                self.view = max(self.view, message.view)
            case Prepare() | Commit():
                key = (type(message), message.view, message.seq, message.digest)
                self.votes.setdefault(key, {})[message.sender] = message.signature
            case ViewChange():
                vote = message.vote
                self.changes.setdefault(vote.view, {})[vote.sender] = message
                self.view = max(self.view, vote.view)
            case NewView():
                self.view = max(self.view, message.view)
                for proposal in message.proposals:
                    place = (message.view, proposal.seq, proposal.digest)
                    self.proposals[place] = proposal.signature
            case Decision():
                self.decisions[message.seq] = message


class Liar:
    """One node's dark side. ``act`` is called again and again with the world's randomness."""

    def __init__(self, world: "World", node: "Node", gossip: Gossip) -> None:
        self.world = world
        self.node = node
        self.gossip = gossip
        self.rng: random.Random = world.rng
        self.me = node.index
        self.instance = world.instance
        self.signer = world.cryptos[node.index].signer
        self.quorum = dumb_quorum(world.plan.n)
        self.tricks: tuple[Callable[[], Message | None], ...] = (
            self.vote,
            self.vote,
            self.vote,
            self.propose,
            self.propose,
            self.reply,
            self.change_view,
            self.change_view,
            self.open_view,
            self.open_view,
            self.repeat,
            self.misplace,
            self.show_proof,
        )

    def live(self) -> None:
        """Act now, and again soon."""
        if self.world.now > self.world.plan.heal_at + FOLLOWED_UP_S:
            return
        for _ in range(self.rng.randint(1, 3)):
            self.act()
        self.world.at(self.rng.expovariate(1.5), self.live)

    def act(self) -> None:
        message = self.rng.choice(self.tricks)()
        if message is None:
            return
        self.gossip.hear(message)
        others = [node for node in self.world.nodes if node.index != self.me]
        for target in self.rng.sample(others, self.rng.randint(1, len(others))):
            self.world.carry(self.node, target, message, loud=True)

    # ------------------------------------------------------------------ tricks

    def _somewhere(self) -> tuple[int, int, bytes, bytes] | None:
        """(view, seq, digest, value): near what is going on."""
        seqs = list(self.gossip.values)
        if not seqs:
            return None
        seq = self.rng.choice(seqs)
        values = self.gossip.values[seq]
        if self.rng.random() < 0.2 and len(values) < 6:
            value = b"x%d.%d" % (seq, len(values))
            values[value_digest(value)] = value
        digest = self.rng.choice(list(values))
        view = max(0, self.gossip.view + self.rng.choice((-1, 0, 0, 0, 1)))
        return view, seq, digest, values[digest]

    def vote(self) -> Message | None:
        place = self._somewhere()
        if place is None:
            return None
        view, seq, digest, _ = place
        kind = self.rng.choice((Prepare, Prepare, Commit, Commit, Reject, Checking))
        return kind.signed(self.instance, self.signer, sender=self.me, view=view, seq=seq, digest=digest)

    def propose(self) -> Message | None:
        """In a view of its own, another value for each listener; now and then in somebody else's view."""
        place = self._somewhere()
        if place is None:
            return None
        view, seq, digest, value = place
        while self.instance.members.primary(view) != self.me and self.rng.random() < 0.9:
            view += 1
        if view > self.gossip.view + 1:
            return None
        signature = self.signer.sign(
            self.instance.signing_digest(PrePrepare.phase, view, seq, digest, self.me)
        )
        return PrePrepare(
            task=TASK, view=view, seq=seq, digest=digest, sender=self.me, signature=signature, value=value
        )

    def reply(self) -> Message | None:
        place = self._somewhere()
        if place is None:
            return None
        _, seq, digest, value = place
        signature = self.signer.sign(self.instance.signing_digest(Reply.phase, 0, seq, digest, self.me))
        endorsement = self.signer.sign(endorsement_digest(seq, value))
        if self.rng.random() < 0.3:
            endorsement = bytes(65)
        return Reply(
            task=TASK, seq=seq, digest=digest, sender=self.me, signature=signature, endorsement=endorsement
        )

    def _certificates(self) -> list[PreparedCertificate]:
        """Every certificate that what was heard, and the own hand, amount to."""
        made = []
        for (kind, view, seq, digest), votes in list(self.gossip.votes.items()):
            if kind is not Prepare or (view, seq, digest) not in self.gossip.proposals:
                continue
            own = Prepare.signed(
                self.instance, self.signer, sender=self.me, view=view, seq=seq, digest=digest
            )
            signed = {**votes, self.me: own.signature}
            short = self.rng.random() < 0.2  # one signature less than it takes
            absent = [member for member in range(self.world.plan.n) if member not in signed]
            if absent and self.rng.random() < 0.3:  # or one that nobody made
                signed[self.rng.choice(absent)] = bytes(65)
            members = tuple(sorted(signed))[: self.quorum - short]
            if len(members) >= self.quorum - short:
                made.append(
                    PreparedCertificate(
                        seq=seq,
                        view=view,
                        digest=digest,
                        proposal=self.gossip.proposals[(view, seq, digest)],
                        signers=members,
                        signatures=tuple(signed[member] for member in members),
                    )
                )
        return made

    def change_view(self) -> Message | None:
        """A vote for any view near by."""
        view = self.gossip.view + self.rng.choice((0, 0, 1, 1, 2))
        return None if view == 0 else self._change_to(view)

    def _change_to(self, view: int) -> ViewChange:
        """A vote with any certificates, or with none."""
        certificates: dict[int, PreparedCertificate] = {}
        made = self._certificates()
        self.rng.shuffle(made)
        for certificate in made:
            if self.rng.random() < 0.7:
                certificates.setdefault(certificate.seq, certificate)
        decision = None
        if self.gossip.decisions and self.rng.random() < 0.3:
            decision = self.rng.choice(list(self.gossip.decisions.values()))
        decided = decision.seq if decision is not None else 0
        if self.rng.random() < 0.05:
            decided += 1
        chosen = [c for seq, c in sorted(certificates.items()) if seq > decided]
        return self._signed_change(view, decided, chosen, decision)

    def _signed_change(
        self, view: int, decided: int, chosen: list[PreparedCertificate], decision: Decision | None
    ) -> ViewChange:
        claims = tuple(c.claim for c in chosen)
        if self.rng.random() < 0.1:
            claims = tuple(Claim(seq=c.seq, view=c.view + 1, digest=c.digest) for c in claims)
        digest = self.instance.signing_digest(ViewVote.phase, view, decided, ViewVote.body(claims), self.me)
        vote = ViewVote(
            view=view, decided=decided, claims=claims, sender=self.me, signature=self.signer.sign(digest)
        )
        values = tuple(
            self.gossip.values[c.seq][c.digest] for c in chosen if c.digest in self.gossip.values[c.seq]
        )
        return ViewChange(task=TASK, vote=vote, decision=decision, certificates=tuple(chosen), values=values)

    def open_view(self) -> Message | None:
        """A new view from the votes that suit, perhaps with other proposals than follow from them."""
        mine = [view for view in self.gossip.changes if self.instance.members.primary(view) == self.me]
        if not mine:
            return None
        view = max(mine)
        own = self._change_to(view)
        votes = dict(self.gossip.changes[view])
        votes.setdefault(self.me, own)
        members = sorted(self.rng.sample(sorted(votes), min(len(votes), self.quorum)))
        if len(members) < self.quorum and self.rng.random() < 0.5:
            return None
        try:
            crypto = self.world.cryptos[self.me]
            changes = tuple(votes[member] for member in members)
            message = build_new_view(self.instance, crypto, self.me, changes)
        except KeyError:
            return None
        return self._bent(message) if self.rng.random() < 0.5 else message

    def _bent(self, message: NewView) -> NewView:
        """Leave an inherited proposal out, or put another value in its place."""
        proposals = list(message.proposals)
        values = list(message.values)
        if not proposals:
            return message
        index = self.rng.randrange(len(proposals))
        old = proposals.pop(index)
        if self.rng.random() < 0.5:
            known = self.gossip.values.get(old.seq, {})
            other = next((d for d in known if d != old.digest), None)
            if other is not None:
                digest = self.instance.signing_digest(PrePrepare.phase, message.view, old.seq, other, self.me)
                bent = structs.replace(old, digest=other, signature=self.signer.sign(digest))
                proposals.insert(index, bent)
                values.append(known[other])
        return structs.replace(message, proposals=tuple(proposals), values=tuple(values))

    def repeat(self) -> Message | None:
        """Something heard, once more."""
        return self.rng.choice(self.gossip.heard) if self.gossip.heard else None

    def misplace(self) -> Message | None:
        """Somebody's true signature under another phase, view or sequence number."""
        votes = [m for m in self.gossip.heard[-60:] if isinstance(m, Prepare | Commit | Reject)]
        if not votes:
            return None
        vote = self.rng.choice(votes)
        match self.rng.randrange(3):
            case 0:
                kind = Commit if isinstance(vote, Prepare) else Prepare
                return kind(
                    task=TASK,
                    view=vote.view,
                    seq=vote.seq,
                    digest=vote.digest,
                    sender=vote.sender,
                    signature=vote.signature,
                )
            case 1:
                return structs.replace(vote, view=vote.view + 1)
            case _:
                return structs.replace(vote, seq=vote.seq + 1)

    def show_proof(self) -> Message | None:
        """A decision under another number, or Prepares shown as Commits."""
        if self.gossip.decisions and self.rng.random() < 0.5:
            decision = self.rng.choice(list(self.gossip.decisions.values()))
            return structs.replace(decision, seq=decision.seq + self.rng.choice((-1, 0, 1)) or 1)
        for (kind, view, seq, digest), votes in reversed(list(self.gossip.votes.items())):
            value = self.gossip.values.get(seq, {}).get(digest)
            if len(votes) >= self.quorum - 1 and value is not None:
                own = (Prepare if kind is Prepare else Commit).signed(
                    self.instance, self.signer, sender=self.me, view=view, seq=seq, digest=digest
                )
                signed = {**votes, self.me: own.signature}
                members = tuple(sorted(signed))[: self.quorum]
                return Committed(
                    task=TASK,
                    view=view,
                    seq=seq,
                    value=value,
                    signers=members,
                    signatures=tuple(signed[member] for member in members),
                )
        return None
