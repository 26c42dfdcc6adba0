"""A committee, its network, its disks and its chain inside one event queue. No sockets, no sleeping, no
clock."""

import random
from dataclasses import dataclass, field
from functools import lru_cache
from heapq import heappop, heappush
from typing import Any

from committee.errors import MessageRefused
from committee.replica import Replica
from committee.state import NOTHING, Output, Record, ReplicaConfig, Send
from protocol.pbft_messages import Instance, Message, value_digest
from tests.simulation.checkers import Checkers, Violation
from tests.simulation.keys import committee
from tests.simulation.liar import Gossip, Liar
from tests.simulation.plan import Crash, Plan


@dataclass(slots=True)
class Node:
    """A member as the simulation runs it. Twins are two nodes with one ``index``. ``life`` counts restarts:
    what was scheduled for an earlier life is void."""

    index: int
    name: str
    honest: bool
    replica: Replica
    disk: list[Record] = field(default_factory=list)
    alive: bool = True
    life: int = 0
    crash: Crash | None = None
    deaf_to: frozenset[int] = frozenset()
    silent: bool = False
    others: "list[Node]" = field(default_factory=list)  # the nodes of all other members


@lru_cache(maxsize=1024)
def _config(instance: Instance, me: int, view_timeout: int, max_check: int, window: int) -> ReplicaConfig:
    return ReplicaConfig(
        instance=instance,
        me=me,
        view_timeout_ticks=view_timeout,
        max_check_ticks=max_check,
        retransmit_ticks=2,
        window=window,
    )


PATIENCE = 20.0
"""How many ticks after healing a scenario goes on that may be stuck, and rightly so."""
Event = tuple[float, int, Node | None, Any]
"""(when, ticket, node, message that reaches it), (when, ticket, node, life that ticks), or (when, ticket,
None, what to call and with what)."""


class World:
    """Runs one plan. ``trace`` collects a readable transcript when it is a list."""

    def __init__(self, plan: Plan, *, real: bool = False, trace: list[str] | None = None) -> None:
        self.plan = plan
        self.rng = random.Random(plan.seed ^ 0x5EED)
        self.instance, self.cryptos = committee(plan.n, real=real)
        self.trace = trace
        self.now = 0.0
        self._random = self.rng.random
        self._queue: list[Event] = []
        self._count = 0
        self.steps = 0
        self.chain_final = 0
        self._stuck = False
        self._moved = True  # somebody decided, rose, or the network healed
        self.checkers = Checkers(plan, self.instance, self.cryptos)
        self.nodes: list[Node] = []
        for index in range(plan.n):
            for twin in range(2 if plan.faulty.get(index) == "twins" else 1):
                name = f"{index}{'ab'[twin]}" if plan.faulty.get(index) == "twins" else str(index)
                self.nodes.append(self._make_node(index, name))
        self.by_index = {i: [node for node in self.nodes if node.index == i] for i in range(plan.n)}
        for node in self.nodes:
            node.others = [other for other in self.nodes if other.index != node.index]
        self.gossip: Gossip | None = None

    def _make_node(self, index: int, name: str) -> Node:
        fault = self.plan.faulty.get(index)
        node = Node(index, name, fault is None, self.make_replica(index, []), silent=fault == "silent")
        if fault in ("half-deaf", "liar", "twins"):
            others = [i for i in range(self.plan.n) if i != index]
            node.deaf_to = frozenset(self.rng.sample(others, self.rng.randint(0, len(others) - 1)))
        return node

    def make_replica(self, index: int, records: list[Record]) -> Replica:
        plan = self.plan
        config = _config(self.instance, index, plan.view_timeout, plan.max_check, plan.window)
        return Replica(config, self.cryptos[index], records)

    # ------------------------------------------------------------------ time

    def at(self, delay: float, *call: Any) -> None:
        """Do something later: ``call`` is a function and its arguments."""
        self._count += 1
        heappush(self._queue, (self.now + delay, self._count, None, call))

    def run(self) -> None:
        """Until every honest member has everything, or the horizon. Raises Violation."""
        for ask in self.plan.asks:
            self.at(ask.at, self._ask, ask.seq, ask.value, ask.of)
        self.at(10.0, self._ask_again)
        for crash in self.plan.crashes:
            self.at(crash.at, self._arm, crash)
        for node in self.nodes:
            self._start(node)
        self._let_liars_live()
        self.at(self.plan.heal_at, self._heal)
        self.at(self.plan.heal_at + PATIENCE, self._lose_patience)
        queue, feed, tick = self._queue, self.feed, self._tick
        horizon, heal_at = self.plan.horizon, self.plan.heal_at
        while queue:
            now, _, target, what = heappop(queue)
            self.now = now
            if target is not None:
                if what.__class__ is int:
                    tick(target, what)
                elif target.alive:
                    feed(target, what)
            elif now > horizon or self._stuck:
                break
            else:
                action, *arguments = what
                action(*arguments)
            if self._moved and now >= heal_at:
                self._moved = False
                if self._complete():
                    break
        self.checkers.at_end([node for node in self.nodes if node.honest], self.now, excused=self._stuck)

    def _heal(self) -> None:
        self._moved = True
        self.say("the network is calm")

    def _let_liars_live(self) -> None:
        liars = [node for node in self.nodes if self.plan.faulty.get(node.index) == "liar"]
        if liars:
            self.gossip = Gossip()
            for node in liars:
                self.at(self.rng.random() * 3, Liar(self, node, self.gossip).live)

    def _complete(self) -> bool:
        seqs = self.plan.seqs
        return all(n.alive and n.replica.log.delivered >= seqs for n in self.nodes if n.honest)

    def say(self, text: str) -> None:
        if self.trace is not None:
            self.trace.append(f"{self.now:8.2f}  {text}")

    # ------------------------------------------------------------------ nodes

    def _start(self, node: Node) -> None:
        self.checkers.born(node.name)
        self.apply(node, node.replica.start())
        self._count += 1
        heappush(self._queue, (self.now + self._random(), self._count, node, node.life))

    def _tick(self, node: Node, life: int) -> None:
        if node.alive and node.life == life:
            self._count += 1
            heappush(self._queue, (self.now + 1.0, self._count, node, life))
            output = node.replica.tick()
            if output is not NOTHING:
                self.apply(node, output)

    def _arm(self, crash: Crash) -> None:
        for node in self.by_index[crash.node]:
            node.crash = node.crash or crash

    def feed(self, node: Node, message: Message) -> None:
        """Deliver a message now to a node that is alive."""
        self.steps += 1
        if self.trace is not None:
            self.say(f"{node.name} <- {describe(message)}")
        try:
            output = node.replica.step(message)
        except MessageRefused as error:
            if self.trace is not None:
                self.say(f"{node.name}    refuses: {error}")
            return
        if output is not NOTHING:
            self.apply(node, output)

    def apply(self, node: Node, output: Output) -> None:
        """What a host does, and where it may die."""
        if output is NOTHING:
            return
        crash = node.crash
        if crash is not None and (output.persist or output.send) and node.replica.view > crash.above:
            self._die(node, output, crash)
            return
        if output.persist:
            self.persist(node, output.persist)
        if output.send:
            self._emit(node, output, output.send)
        for question in output.verify:
            self._check(node, question.seq, question.digest, question.value)
        for decided in output.decided:
            self._moved = True
            if self.trace is not None:
                self.say(f"{node.name} == decided {decided.seq}: {decided.value.decode()}")
            if node.honest:
                self.checkers.decided(node.name, decided, self.now)
                self._final_later(decided.seq)
        if output.view is not None:
            self.say(f"{node.name} == view {output.view}")
        if node.honest:
            for evidence in output.evidence:
                self.checkers.evidence(evidence)
        if output.behind is not None and self.plan.finality != "none":
            self._see_chain(node)

    def persist(self, node: Node, records: tuple[Record, ...]) -> None:
        node.disk.extend(records)
        if node.honest:
            self.checkers.persisted(node, records)

    def _emit(self, node: Node, output: Output, sends: tuple[Send, ...]) -> None:
        if node.honest:
            self.checkers.sent(node, output, sends)
        if node.silent:
            return
        calm = self.now >= self.plan.heal_at and not node.deaf_to
        for send in sends:
            message = send.message
            targets = node.others if send.to is None else self.by_index[send.to]
            if calm:
                self._carry_calmly(targets, message)
            else:
                for target in targets:
                    self.carry(node, target, message)
            if self.gossip is not None:
                self.gossip.hear(message)

    def _carry_calmly(self, targets: list[Node], message: Message) -> None:
        """``carry`` to several, when nothing can happen on the way."""
        now, delay, random, queue = self.now, self.plan.calm_delay, self._random, self._queue
        count = self._count
        for target in targets:
            count += 1
            heappush(queue, (now + random() * delay, count, target, message))
        self._count = count

    def _die(self, node: Node, output: Output, crash: Crash) -> None:
        rng = self.rng
        self.say(f"{node.name} -- dies {crash.point}")
        if crash.point == "torn persist":
            self.persist(node, output.persist[: rng.randint(0, len(output.persist))])
        elif crash.point in ("after persist", "while sending"):
            self.persist(node, output.persist)
            if crash.point == "while sending":
                self._emit(node, output, output.send[: rng.randint(0, len(output.send))])
        node.alive, node.crash = False, None
        node.life += 1
        self.at(crash.down, self._rise, node)

    def _rise(self, node: Node) -> None:
        if self.plan.faulty.get(node.index) == "forgetful":
            node.disk.clear()
        self.say(f"{node.name} -- rises with {len(node.disk)} records")
        if self.rng.random() < 0.3:
            node.disk = list(self.make_replica(node.index, node.disk).snapshot())
        node.replica = self.make_replica(node.index, node.disk)
        node.alive = self._moved = True
        self._start(node)
        if self.plan.finality != "none":
            self.at(self.rng.uniform(0, 5), self._see_chain, node)

    # ------------------------------------------------------------------ network

    def carry(self, source: Node, target: Node, message: Message, *, loud: bool = False) -> None:
        """One message on its way, perhaps. ``loud``: the sender wants it to arrive."""
        random, plan, now = self._random, self.plan, self.now
        if not loud and target.index in source.deaf_to:
            return
        wild = now < plan.heal_at
        if wild:
            if plan.drop and random() < plan.drop:
                return
            if plan.loses == type(message).__name__ and random() < 0.8:
                return
            if plan.cut is not None:
                side, start, end = plan.cut
                if start <= now < end and (source.index in side) != (target.index in side):
                    return
        delay = random() * (plan.wild_delay if wild else plan.calm_delay)
        self._count += 1
        heappush(self._queue, (now + delay, self._count, target, message))
        if plan.duplicate and wild and random() < plan.duplicate:
            self._count += 1
            heappush(self._queue, (now + delay + random() * 10, self._count, target, message))

    # ------------------------------------------------------------------ application, client, chain

    def _check(self, node: Node, seq: int, digest: bytes, value: bytes) -> None:
        plan, life = self.plan, node.life
        kind = value[:1]
        ok = kind in b"glx" or (kind == b"s" and node.index not in plan.abstaining)
        self.at(plan.check_delay * self.rng.random(), self._answer, node, life, seq, digest, ok)
        if kind == b"l":
            delay = plan.check_delay + plan.late * (0.5 + self.rng.random())
            self.at(delay, self._answer, node, life, seq, digest, False)

    def _answer(self, node: Node, life: int, seq: int, digest: bytes, ok: bool) -> None:
        if node.alive and node.life == life:
            if self.trace is not None:
                self.say(f"{node.name}    verdict on {seq} {digest[:3].hex()}: {ok}")
            self.checkers.verdict(node.name, seq, digest, ok)
            self.apply(node, node.replica.verdict(seq, digest, ok))

    def _ask(self, seq: int, value: bytes, of: tuple[int, ...]) -> None:
        self.checkers.asked(seq, value)
        if self.trace is not None:
            named = value_digest(value)[:3].hex()
            self.say(f"client asks for {value.decode()} at {seq} of {list(of)}: {named}")
        for index in of:
            for node in self.by_index[index]:
                if node.alive:
                    self.apply(node, node.replica.request(seq, value))

    def _ask_again(self) -> None:
        """A client repeats itself until it has what it wants."""
        everybody = tuple(range(self.plan.n))
        for ask in self.plan.asks:
            if ask.at <= self.now and ask.value[:1] in b"gs":
                self._ask(ask.seq, ask.value, everybody)
        self.at(15.0, self._ask_again)

    def _lose_patience(self) -> None:
        """A scenario that is stuck for ever, and rightly so, ends; no progress is asked of it."""
        self._stuck = self.checkers.locked_on_false([node for node in self.nodes if node.honest])
        self.at(PATIENCE, self._lose_patience)

    def _final_later(self, seq: int) -> None:
        plan = self.plan
        if plan.finality == "none" or seq <= self.chain_final:
            return
        if plan.finality == "batched" and seq % plan.window and seq != plan.seqs:
            return
        self.chain_final = seq
        self.say(f"chain: final up to {seq}")
        for node in self.nodes:
            self.at(self.rng.random() * 4, self._see_chain, node)

    def _see_chain(self, node: Node) -> None:
        if node.alive and self.chain_final > node.replica.log.finalized:
            self.checkers.finalized(node.name, self.chain_final)
            self._moved = True
            self.apply(node, node.replica.finalized(self.chain_final))


def describe(message: Message) -> str:
    """One line for the transcript."""
    vote = getattr(message, "vote", message)
    parts = [type(message).__name__]
    for name in ("sender", "view", "seq", "decided"):
        value = getattr(vote, name, None)
        if value is not None:
            parts.append(f"{name}={value}")
    digest = getattr(vote, "digest", None)
    value = getattr(message, "value", None)
    if digest is not None:
        parts.append(digest[:3].hex())
    if value is not None:
        parts.append(value[:24].decode(errors="replace"))
    for name in ("claims", "proposals"):
        listed = getattr(vote, name, ())
        parts.extend(f"{name[:-1]}({c.seq} {c.digest[:3].hex()})" for c in listed)
    return " ".join(parts)


__all__ = ["Node", "Violation", "World", "describe"]
