"""hypothesis plays the network, the disks, the chain, the clocks and one Byzantine member against three
honest replicas, and shrinks whatever breaks a promise to the few steps that do it.

The promises are checked by the simulation's checkers, from what honest members send, persist and hand out.
"""

import dataclasses
import random
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from committee.errors import MessageRefused
from committee.replica import Replica
from committee.state import NOTHING, Output, ReplicaConfig
from protocol.pbft_messages import Message, value_digest
from tests.simulation.checkers import Checkers
from tests.simulation.keys import committee
from tests.simulation.liar import Gossip, Liar
from tests.simulation.plan import Plan, draw
from tests.simulation.world import Node

N = 4
SEQS = 3
MAX_MAIL = 400
VALUES = (b"good", b"great", b"bad")


class Stage:
    """What a liar needs of a world."""

    def __init__(self, plan: Plan, rng: random.Random, machine: "CommitteeMachine") -> None:
        self.plan = plan
        self.rng = rng
        self.instance, self.cryptos = committee(N)
        self.now = 0.0
        self.nodes = machine.nodes


class CommitteeMachine(RuleBasedStateMachine):
    nodes: list[Node]

    @initialize(byz=st.integers(0, N - 1), window=st.sampled_from((1, 8)))
    def gather(self, byz: int, window: int) -> None:
        honest = tuple(i for i in range(N) if i != byz)
        plan = dataclasses.replace(
            draw(0, N), faulty={byz: "liar"}, honest=honest, seqs=SEQS, window=window, abstaining=frozenset()
        )
        self.byz, self.plan = byz, plan
        self.instance, self.cryptos = committee(N)
        self.checkers = Checkers(plan, self.instance, self.cryptos)
        self.mail: list[tuple[int, Message]] = []
        self.gossip = Gossip()
        self.final = 0
        self.nodes = [Node(i, str(i), i != byz, self._replica(i)) for i in range(N)]
        self.stage = Stage(plan, random.Random(0), self)
        self.liar = Liar(self.stage, self.nodes[byz], self.gossip)  # type: ignore[arg-type]
        for i in honest:
            self._start(i)
        self.ask(1, b"good", 3)

    def _replica(self, i: int) -> Replica:
        config = ReplicaConfig(
            instance=self.instance, me=i, view_timeout_ticks=4, max_check_ticks=8, retransmit_ticks=2,
            window=self.plan.window,
        )  # fmt: skip
        disk = self.nodes[i].disk if hasattr(self, "nodes") else ()
        return Replica(config, self.cryptos[i], disk)

    def _start(self, i: int) -> None:
        self.checkers.born(str(i))
        self._apply(i, self.nodes[i].replica.start())

    def _apply(self, i: int, output: Output, *, sends: int | None = None) -> None:
        """``sends``: the process dies after so many messages and before everything that follows them."""
        if output is NOTHING:
            return
        node = self.nodes[i]
        node.disk.extend(output.persist)
        self.checkers.persisted(node, output.persist)
        sent = output.send[:sends]
        self.checkers.sent(node, output, sent)
        for send in sent:
            self.gossip.hear(send.message)
            self._carry(send.message, range(N) if send.to is None else (send.to,), i)
        if sends is not None:
            return
        for decided in output.decided:
            self.checkers.decided(node.name, decided, 0.0)
            self.final = max(self.final, decided.seq)
        for evidence in output.evidence:
            self.checkers.evidence(evidence)
        for question in output.verify:
            self._answer(i, question.seq, question.digest, not question.value.startswith(b"bad"))

    def _answer(self, i: int, seq: int, digest: bytes, ok: bool) -> None:
        self.checkers.verdict(str(i), seq, digest, ok)
        self._apply(i, self.nodes[i].replica.verdict(seq, digest, ok))

    def _carry(self, message: Message, targets: Any, source: int) -> None:
        self.mail.extend((i, message) for i in targets if i not in (source, self.byz))
        del self.mail[:-MAX_MAIL]

    def _hear(self, i: int, message: Message) -> None:
        try:
            output = self.nodes[i].replica.step(message)
        except MessageRefused:
            return
        self._apply(i, output)

    def _honest(self, k: int) -> int:
        return self.plan.honest[k % len(self.plan.honest)]

    # ------------------------------------------------------------------ what may happen

    @rule(seq=st.integers(1, SEQS), value=st.sampled_from(VALUES), whom=st.integers(0, 3))
    def ask(self, seq: int, value: bytes, whom: int) -> None:
        """``whom`` 3: everybody."""
        self.checkers.asked(seq, value)
        self.gossip.values.setdefault(seq, {})[value_digest(value)] = value
        for i in self.plan.honest if whom == 3 else (self._honest(whom),):
            self._apply(i, self.nodes[i].replica.request(seq, value))

    @rule(whom=st.integers(0, 2), count=st.integers(1, 6))
    def wait(self, whom: int, count: int) -> None:
        for _ in range(count):
            self._apply(self._honest(whom), self.nodes[self._honest(whom)].replica.tick())

    @precondition(lambda self: self.mail)
    @rule(which=st.integers(0, MAX_MAIL), again=st.booleans())
    def deliver(self, which: int, again: bool) -> None:
        at = which % len(self.mail)
        target, message = self.mail[at] if again else self.mail.pop(at)
        self._hear(target, message)

    @precondition(lambda self: self.mail)
    @rule(count=st.integers(10, 200))
    def deliver_many(self, count: int) -> None:
        for _ in range(min(count, len(self.mail))):
            target, message = self.mail.pop(0)
            self._hear(target, message)

    @precondition(lambda self: self.mail)
    @rule(whom=st.integers(0, 2))
    def lose(self, whom: int) -> None:
        """Everything on its way to one member."""
        self.mail = [(i, message) for i, message in self.mail if i != self._honest(whom)]

    @rule(whom=st.integers(0, 2), snapshot=st.booleans())
    def crash(self, whom: int, snapshot: bool) -> None:
        i = self._honest(whom)
        node = self.nodes[i]
        if snapshot:
            node.disk = list(self._replica(i).snapshot())
        node.replica = self._replica(i)
        self._start(i)

    @precondition(lambda self: self.mail)
    @rule(sends=st.integers(0, 3))
    def crash_while_sending(self, sends: int) -> None:
        """The next message is taken in, its promises reach the disk, few of the answers leave."""
        target, message = self.mail.pop(0)
        try:
            output = self.nodes[target].replica.step(message)
        except MessageRefused:
            return
        self._apply(target, output, sends=sends)
        self.nodes[target].replica = self._replica(target)
        self._start(target)

    @rule(whom=st.integers(0, 2), seq=st.integers(1, SEQS), value=st.sampled_from(VALUES), ok=st.booleans())
    def change_its_mind(self, whom: int, seq: int, value: bytes, ok: bool) -> None:
        i = self._honest(whom)
        slot = self.nodes[i].replica.log.slots.get(seq)
        ok = ok and not value.startswith(b"bad")
        if slot is not None and value_digest(value) in slot.candidates:
            self._answer(i, seq, value_digest(value), ok)

    @precondition(lambda self: self.final)
    @rule(whom=st.integers(0, 2))
    def read_the_chain(self, whom: int) -> None:
        i = self._honest(whom)
        if self.final > self.nodes[i].replica.log.finalized:
            self.checkers.finalized(str(i), self.final)
            self._apply(i, self.nodes[i].replica.finalized(self.final))

    @rule(
        trick=st.integers(0, 11),
        rng=st.randoms(use_true_random=False),
        hearers=st.sets(st.integers(0, 2), min_size=1),
        at_once=st.booleans(),
    )
    def lie(self, trick: int, rng: random.Random, hearers: set[int], at_once: bool) -> None:
        """One of the tricks of a Byzantine member, for some and not for others."""
        self.liar.rng = rng
        message = self.liar.tricks[trick % len(self.liar.tricks)]()
        if message is None:
            return
        self.gossip.hear(message)
        for k in hearers:
            if at_once:
                self._hear(self._honest(k), message)
            else:
                self._carry(message, (self._honest(k),), self.byz)

    # ------------------------------------------------------------------ what must hold

    @invariant()
    def memory_is_bounded(self) -> None:
        for i in self.plan.honest if hasattr(self, "plan") else ():
            replica = self.nodes[i].replica
            assert len(replica.log.slots) <= 2 * self.plan.window
            assert all(len(slot.candidates) <= 8 for slot in replica.log.slots.values())
            assert all(len(kept) <= 32 for kept in replica.buffer.values())

    def teardown(self) -> None:
        """A disk gives back what it was given."""
        for i in self.plan.honest if hasattr(self, "plan") else ():
            risen = self._replica(i)
            again = Replica(risen.config, risen.crypto, risen.snapshot())
            assert again.snapshot() == risen.snapshot()


class LongCommitteeMachine(CommitteeMachine):
    """The same with more and longer lives."""


TestCommittee = CommitteeMachine.TestCase
TestCommittee.settings = settings(max_examples=60, stateful_step_count=60, deadline=None)
pytest.mark.timeout(200)(TestCommittee)

TestCommitteeAtLength = LongCommitteeMachine.TestCase
TestCommitteeAtLength.settings = settings(max_examples=400, stateful_step_count=100, deadline=None)
pytest.mark.slow(pytest.mark.timeout(1200)(TestCommitteeAtLength))
