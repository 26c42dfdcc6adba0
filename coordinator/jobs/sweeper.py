"""What must be tidied from time to time: entries that nobody will read again."""

from typing import Final

from coordinator.services.context import Context

KEPT_NEWS: Final = 100_000
SWEEP_EVERY_S: Final = 60.0


class Sweeper:
    """Sweeps at most once in SWEEP_EVERY_S."""

    def __init__(self, ctx: Context, kept_news: int = KEPT_NEWS) -> None:
        self._ctx = ctx
        self._kept_news = kept_news
        self._next_s = 0.0

    def sweep(self, now_s: float) -> bool:
        """Prune the feed and leases without a round; False when it is too early. Raises
        ServiceUnreachable.
        """
        if now_s < self._next_s:
            return False
        self._next_s = now_s + SWEEP_EVERY_S
        with self._ctx.store.write() as tx:
            tx.feed.prune(self._kept_news)
            tx.shards.drop_orphans()
        return True
