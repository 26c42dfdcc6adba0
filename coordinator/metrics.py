"""What operators watch, for Prometheus: counters of this process, and gauges read from the database when
asked.
"""

from collections.abc import Callable, Iterable
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from sqlalchemy import func, select

from coordinator.store.chain_tables import Block, Task
from coordinator.store.unit_of_work import Store
from coordinator.store.work_tables import LeaseRow, MinerRow, Round, Segment
from protocol.errors import ServiceUnreachable

_TURN_BUCKETS: Final = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5)


class Metrics:
    """One registry per process."""

    def __init__(self, store: Store, now_s: Callable[[], float]) -> None:
        self.registry = CollectorRegistry(auto_describe=True)
        self.contributions = Counter(
            "pot_contributions", "Contributions handed in, by verdict", ["verdict"], registry=self.registry
        )
        self.uploads = Counter("pot_blob_upload_bytes", "Bytes stored by the gateway", registry=self.registry)
        self.turns = Histogram(
            "pot_turn_seconds",
            "Time of one turn of the rounds loop that did something",
            buckets=_TURN_BUCKETS,
            registry=self.registry,
        )
        self.registry.register(_StoreCollector(store, now_s))


class _StoreCollector(Collector):
    def __init__(self, store: Store, now_s: Callable[[], float]) -> None:
        self._store = store
        self._now_s = now_s

    def describe(self) -> Iterable[Metric]:
        return []

    def collect(self) -> Iterable[Metric]:
        up = GaugeMetricFamily("pot_database_up", "Whether the database answers")
        try:
            yield from self._read()
            up.add_metric([], 1)
        except ServiceUnreachable:
            up.add_metric([], 0)
        yield up

    def _read(self) -> Iterable[Metric]:
        with self._store.read() as tx:
            tasks = tx.session.execute(select(Task.status, func.count()).group_by(Task.status)).all()
            rounds = tx.session.execute(select(Round.status, func.count()).group_by(Round.status)).all()
            seen = MinerRow.silent_at_s >= self._now_s()
            figures = {
                ("pot_index_block", "Newest block indexed"): select(func.max(Block.number)),
                ("pot_index_block_time_seconds", "Its time, Unix seconds"): select(func.max(Block.timestamp)),
                ("pot_miners_live", "Miners with a recent heartbeat"): select(func.count()).where(seen),
                ("pot_leases", "Shards that are being computed"): select(func.count(LeaseRow.fence)),
                ("pot_jobs_waiting", "Jobs the broker has not taken"): select(func.count()).where(
                    LeaseRow.sent_s.is_(None)
                ),
                ("pot_segments_in_flight", "Segments before a committee"): select(func.count()).where(
                    Segment.state == "in flight"
                ),
            }
            values = {key: tx.session.scalar(query) or 0 for key, query in figures.items()}
        yield _labelled("pot_tasks", "Tasks by status", dict(tasks))
        yield _labelled("pot_rounds", "Rounds by status", dict(rounds))
        for (name, text), value in values.items():
            gauge = GaugeMetricFamily(name, text)
            gauge.add_metric([], value)
            yield gauge


def _labelled(name: str, text: str, values: dict[str, int]) -> Metric:
    gauge = GaugeMetricFamily(name, text, labels=["status"])
    for status, count in values.items():
        gauge.add_metric([status], count)
    return gauge
