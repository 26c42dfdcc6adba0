"""n replicas on one table: messages are delivered one by one, in order, to whom the test allows."""

from collections import deque
from collections.abc import Callable

from committee.replica import Replica
from committee.state import Decided, Output, Record, Rejected, ReplicaConfig, Send, Verify
from protocol.pbft_messages import Evidence, Message, value_digest
from tests.simulation.keys import committee

Filter = Callable[[int, int, Message], bool]


class Cluster:
    """Verdicts are asked of ``verdict(member, seq, value)``: True, False, or None for "not yet"."""

    def __init__(self, n: int, *, window: int = 8, view_timeout_ticks: int = 8, real: bool = False) -> None:
        self.n = n
        self.instance, self.cryptos = committee(n, real=real)
        self.configs = [
            ReplicaConfig(
                instance=self.instance, me=i, view_timeout_ticks=view_timeout_ticks, max_check_ticks=40,
                retransmit_ticks=2, window=window,
            )
            for i in range(n)
        ]  # fmt: skip
        self.replicas = [Replica(c, self.cryptos[i]) for i, c in enumerate(self.configs)]
        self.disks: list[list[Record]] = [[] for _ in range(n)]
        self.decided: list[list[Decided]] = [[] for _ in range(n)]
        self.rejected: list[list[Rejected]] = [[] for _ in range(n)]
        self.evidence: list[Evidence] = []
        self.down: set[int] = set()
        self.passes: Filter = lambda source, target, message: True
        self.verdict: Callable[[int, int, bytes], bool | None] = lambda member, seq, value: True
        self.asked: list[tuple[int, Verify]] = []
        self.sent: list[tuple[int, Send]] = []
        self._mail: deque[tuple[int, int, Message]] = deque()
        for i, replica in enumerate(self.replicas):
            self.apply(i, replica.start())

    def apply(self, i: int, output: Output) -> Output:
        self.disks[i].extend(output.persist)
        for send in output.send:
            self.sent.append((i, send))
            for target in range(self.n) if send.to is None else (send.to,):
                if target != i:
                    self._mail.append((i, target, send.message))
        self.decided[i].extend(output.decided)
        self.rejected[i].extend(output.rejected)
        self.evidence.extend(output.evidence)
        for question in output.verify:
            self.asked.append((i, question))
            ok = self.verdict(i, question.seq, question.value)
            if ok is not None:
                self.apply(i, self.replicas[i].verdict(question.seq, question.digest, ok))
        return output

    def settle(self) -> None:
        """Deliver until nothing is on its way."""
        for _ in range(200_000):
            if not self._mail:
                return
            source, target, message = self._mail.popleft()
            if source not in self.down and target not in self.down and self.passes(source, target, message):
                self.apply(target, self.replicas[target].step(message))
        raise AssertionError("the replicas never stop talking")

    def ask(self, seq: int, value: bytes, *, of: list[int] | None = None) -> None:
        for i in range(self.n) if of is None else of:
            if i not in self.down:
                self.apply(i, self.replicas[i].request(seq, value))

    def tick(self, count: int = 1) -> None:
        for _ in range(count):
            for i, replica in enumerate(self.replicas):
                if i not in self.down:
                    self.apply(i, replica.tick())
            self.settle()

    def say(self, i: int, seq: int, value: bytes, ok: bool) -> None:
        self.apply(i, self.replicas[i].verdict(seq, value_digest(value), ok))

    def restart(self, i: int) -> None:
        """Kill -9: only the disk is left."""
        self.replicas[i] = Replica(self.configs[i], self.cryptos[i], self.disks[i])
        self.apply(i, self.replicas[i].start())

    def values(self, i: int) -> list[bytes]:
        return [decided.value for decided in self.decided[i]]

    def kinds_sent(self, i: int, since: int = 0) -> list[str]:
        return [type(send.message).__name__ for who, send in self.sent[since:] if who == i]
