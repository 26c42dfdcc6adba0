"""Miners that are or were alive."""

from collections.abc import Collection, Mapping

from sqlalchemy import ColumnElement, func, or_, select
from sqlalchemy.orm import Session

from coordinator.domain.assignment import bench_s
from coordinator.domain.liveness import patience_s
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

    def beat(self, heartbeat: Heartbeat, now_s: float, pause_s: float) -> bool:
        """Note a sign of life, the next one of which is due after ``pause_s``; False when one with this or a
        later time is known (a replayed one)."""
        row = self.get(heartbeat.miner)
        if row is None:
            row = MinerRow(address=heartbeat.miner, device="", beat_s=0, seen_s=0.0, silent_at_s=0.0)
            self._session.add(row)
        if heartbeat.time_s <= row.beat_s:
            return False
        row.device, row.beat_s, row.seen_s = heartbeat.device, heartbeat.time_s, now_s
        row.silent_at_s = now_s + patience_s(pause_s)
        return True

    def count_live(self, now_s: float) -> int:
        """How many are not taken for dead."""
        query = select(func.count()).select_from(MinerRow).where(MinerRow.silent_at_s >= now_s)
        return self._session.scalar(query) or 0

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

    def live(
        self, now_s: float, loads: Mapping[str, int] | None = None, holders: Collection[str] = ()
    ) -> tuple[MinerView, ...]:
        """Miners that are not taken for dead, ``holders`` in any case, with their stakes and ``loads``."""
        return self._views(or_(MinerRow.silent_at_s >= now_s, MinerRow.address.in_(holders)), loads or {})

    def these(self, holders: Collection[str]) -> tuple[MinerView, ...]:
        """``holders``, dead or alive, without their loads."""
        return self._views(MinerRow.address.in_(holders), {})

    def _views(self, chosen: ColumnElement[bool], loads: Mapping[str, int]) -> tuple[MinerView, ...]:
        # Columns, not entities: these may be thousands of rows many times a second.
        query = (
            select(
                MinerRow.address,
                Stake.stake,
                MinerRow.seen_s,
                MinerRow.silent_at_s,
                MinerRow.strikes,
                MinerRow.benched_until_s,
            )
            .join(Stake, Stake.account == MinerRow.address, isouter=True)
            .where(chosen)
            .order_by(MinerRow.address)
            .limit(MAX_LIVE)
        )
        return tuple(
            MinerView(
                address=Address(address),
                stake=stake or 0,
                last_seen_s=seen_s,
                silent_at_s=silent_at_s,
                load=loads.get(address, 0),
                strikes=strikes,
                benched_until_s=benched_until_s,
            )
            for address, stake, seen_s, silent_at_s, strikes, benched_until_s in self._session.execute(query)
        )
