"""Miners that are or were alive."""

from sqlalchemy import select
from sqlalchemy.orm import Session

from coordinator.domain.assignment import bench_s
from coordinator.domain.view import MinerView
from coordinator.store.chain_tables import Stake
from coordinator.store.work_tables import MinerRow
from protocol.contribution import Heartbeat
from protocol.ids import Address

MAX_LIVE = 10_000


class Miners:
    """Rows of ``miners``, read together with their stakes."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def get(self, address: Address | str) -> MinerRow | None:
        return self._session.get(MinerRow, address)

    def beat(self, heartbeat: Heartbeat, now_s: float) -> bool:
        """Note a sign of life; False when one with this or a later time is known (a replayed one)."""
        row = self.get(heartbeat.miner)
        if row is None:
            row = MinerRow(address=heartbeat.miner, device="", beat_s=0, seen_s=0.0)
            self._session.add(row)
        if heartbeat.time_s <= row.beat_s:
            return False
        row.device, row.beat_s, row.seen_s = heartbeat.device, heartbeat.time_s, now_s
        return True

    def strike(self, address: Address | str, now_s: float) -> None:
        """The miner let a lease run out or sent what cannot be used."""
        row = self.get(address)
        if row is not None:
            row.strikes = (row.strikes or 0) + 1
            row.benched_until_s = now_s + bench_s(row.strikes)

    def absolve(self, address: Address | str) -> None:
        """The miner delivered."""
        row = self.get(address)
        if row is not None and row.strikes:
            row.strikes, row.benched_until_s = 0, 0.0

    def seen_since(self, since_s: float, loads: dict[str, int]) -> tuple[MinerView, ...]:
        """Miners heard of at or after ``since_s``, with their stakes and ``loads``."""
        query = (
            select(MinerRow, Stake.stake)
            .join(Stake, Stake.account == MinerRow.address, isouter=True)
            .where(MinerRow.seen_s >= since_s)
            .order_by(MinerRow.address)
            .limit(MAX_LIVE)
        )
        return tuple(
            MinerView(
                address=Address(row.address),
                stake=stake or 0,
                last_seen_s=row.seen_s,
                load=loads.get(row.address, 0),
                strikes=row.strikes,
                benched_until_s=row.benched_until_s,
            )
            for row, stake in self._session.execute(query)
        )
