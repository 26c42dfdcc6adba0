"""A coordinator that censors one miner, for demonstrations and tests: it never gives it work.

Nothing in the honest path knows of it. Each turn in which somebody is hidden leaves a line that begins with
``WRONG`` in the log, once for each victim.
"""

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Final

import structlog

from coordinator.bootstrap import Coordinator, run
from coordinator.config import CoordinatorConfig
from coordinator.domain.view import MinerView
from coordinator.rounds import RoundsLoop
from coordinator.services.context import Context
from coordinator.store.miners import Miners
from coordinator.store.unit_of_work import Store, Transaction
from coordinator.web.desk import Desk
from protocol.errors import ConfigurationError
from protocol.ids import Address

WRONG: Final = "WRONG"
KINDS: Final = ("censoring-coordinator",)
log = structlog.get_logger("coordinator.adversary")


class CensoredMiners(Miners):
    """Never shows the miner with the lowest address of those that are alive."""

    hidden: set[Address]

    def live(
        self, now_s: float, loads: Mapping[str, int] | None = None, holders: Collection[str] = ()
    ) -> tuple[MinerView, ...]:
        seen = super().live(now_s, loads, holders)
        if len(seen) < 2:
            return seen
        victim = min((miner.address for miner in seen), key=str.lower)
        if victim not in self.hidden:
            self.hidden.add(victim)
            log.warning(f"{WRONG}: {victim} is given no work")
        return tuple(miner for miner in seen if miner.address != victim)


class CensoringStore(Store):
    """The same database, read without the victim."""

    def __init__(self, honest: Store) -> None:
        super().__init__(honest._engine, honest.bell)
        self._hidden: set[Address] = set()

    @contextmanager
    def read(self) -> Iterator[Transaction]:
        with super().read() as transaction:
            transaction.miners = CensoredMiners(transaction.session)
            transaction.miners.hidden = self._hidden
            yield transaction


class CensoringCoordinator(Coordinator):
    """Decides who works on the censored view; everything else is the honest coordinator."""

    def _make_rounds(self, ctx: Context) -> RoundsLoop:
        return super()._make_rounds(replace(ctx, store=CensoringStore(self.store)))


def run_censor(config: CoordinatorConfig, kind: str, desk: Desk | None = None) -> int:
    """Coordinate and censor until SIGTERM or SIGINT. Raises ConfigurationError for an unknown kind, and what
    ``coordinator.bootstrap.run`` raises."""
    if kind not in KINDS:
        raise ConfigurationError(f"{kind!r} is no adversary; known are {', '.join(KINDS)}.")
    return run(config, desk, CensoringCoordinator)
