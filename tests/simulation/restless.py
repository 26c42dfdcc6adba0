"""Scenarios of members that die again and again: how soon after the last trouble a committee gets on.

Nobody lies here. Up to f members are silent for ever, the others crash, many times, in a network that loses
most of what is sent; then the network heals, the last member comes back, and from then on time is counted.
"""

import random
from dataclasses import dataclass

from committee.timers import MAX_DOUBLINGS
from protocol.members import max_faulty
from tests.simulation.checkers import Violation
from tests.simulation.plan import CRASH_POINTS, Ask, Crash, Plan
from tests.simulation.world import Node, World

SEQS = 3


def draw_restless(seed: int, n: int | None = None) -> Plan:
    """The scenario of ``seed``; the same one every time."""
    rng = random.Random(seed)
    if n is None:
        n = rng.choice((4, 4, 7))
    f = max_faulty(n)
    silent = rng.sample(range(n), rng.choice((0, f, f)))
    honest = tuple(i for i in range(n) if i not in silent)
    heal_at = rng.choice((rng.uniform(20, 150), rng.uniform(100, 400)))
    crashes = [_crash(rng, rng.choice(honest), rng.uniform(0, heal_at)) for _ in range(rng.randint(n, 4 * n))]
    if rng.random() < 0.4:  # and at the end all at once
        crashes += [_crash(rng, member, heal_at) for member in honest]
    side = frozenset(rng.sample(range(n), rng.randint(1, n - 1)))
    cut = (side, rng.uniform(0, heal_at / 2), heal_at) if rng.random() < 0.5 else None
    everybody = tuple(range(n))
    return Plan(
        seed=seed,
        n=n,
        faulty=dict.fromkeys(silent, "silent"),
        seqs=SEQS,
        window=8,
        heal_at=heal_at,
        drop=rng.choice((0.3, 0.5, 0.7, 0.9)),
        loses=None,
        duplicate=0.0,
        wild_delay=rng.choice((2.0, 10.0)),
        calm_delay=1.0,
        cut=cut,
        crashes=tuple(crashes),
        asks=tuple(Ask(at=0.0, seq=seq, value=b"g%d" % seq, of=everybody) for seq in range(1, SEQS + 1)),
        check_delay=0.0,
        late=1.0,
        abstaining=frozenset(),
        finality=rng.choice(("none", "prompt")),
        horizon=20_000.0,
        honest=honest,
    )


def _crash(rng: random.Random, node: int, at: float) -> Crash:
    return Crash(node=node, at=at, point=rng.choice(CRASH_POINTS), down=rng.uniform(0.5, 30))


@dataclass(frozen=True, slots=True, kw_only=True)
class Calm:
    """The committee at the moment of its last trouble: when, the views that its honest members are in, and
    how many views ago the most patient of them has seen something come about."""

    at: float
    views: tuple[int, ...]
    patience: int

    @property
    def apart(self) -> int:
        return max(self.views) - min(self.views)


class Restless(World):
    """A world that remembers its last trouble, and judges how much time was needed from then on."""

    def __init__(self, plan: Plan, *, trace: list[str] | None = None) -> None:
        super().__init__(plan, trace=trace)
        self.calm = Calm(at=plan.heal_at, views=(0,), patience=0)  # all may be over before

    def _heal(self) -> None:
        super()._heal()
        self._take_down()

    def _rise(self, node: Node) -> None:
        super()._rise(node)
        if self.now >= self.plan.heal_at:
            self._take_down()

    def _take_down(self) -> None:
        replicas = [node.replica for node in self.nodes if node.honest]
        self.calm = Calm(
            at=self.now,
            views=tuple(replica.view for replica in replicas),
            patience=max(replica.timer.view - replica.timer.fruitful for replica in replicas),
        )

    def run(self) -> None:
        super().run()
        ticks, most_ticks = self.now - self.calm.at, self.most_ticks
        if ticks <= 0:
            return  # all was over when the network healed
        views = max(node.replica.view for node in self.nodes if node.honest) - max(self.calm.views)
        if views > self.most_views:
            raise Violation("slow", f"{views} views after the last trouble, of at most {self.most_views}")
        if ticks > most_ticks:
            raise Violation("slow", f"{ticks:.0f} ticks after the last trouble, of at most {most_ticks}")

    @property
    def most_views(self) -> int:
        """The views that may still fail: those that the members are apart, and one for each silent primary in
        a row; and the one that brings it about."""
        return self.calm.apart + max_faulty(self.plan.n) + 1

    @property
    def most_ticks(self) -> int:
        """Each of those views may last as long as the most patient member waits; some ticks are for the
        messages."""
        waits = (
            self.plan.view_timeout << min(self.calm.patience + failed, MAX_DOUBLINGS)
            for failed in range(self.most_views + 1)
        )
        return sum(waits) + 2 * self.plan.view_timeout
