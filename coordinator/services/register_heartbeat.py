"""A miner says that it is alive."""

from typing import Any, Final

from coordinator.domain.liveness import pause_s
from coordinator.services.context import Context
from protocol.contribution import Heartbeat
from protocol.errors import PeerMisbehaved, Refused
from protocol.ids import Address

MAX_CLOCK_SKEW_S: Final = 300


def register_heartbeat(ctx: Context, address: Address, document: dict[str, Any]) -> float:
    """Note a signed heartbeat of ``address``; returns the seconds after which the next one is due.

    Accepted when: the miner signed it, it is for this address, its clock is within MAX_CLOCK_SKEW_S of ours,
    and the miner has stake (strangers could fill the table). Raises PeerMisbehaved or Refused. A replayed one
    changes nothing.
    """
    beat = Heartbeat.verified(document, ctx.domain)
    if beat.miner != address:
        raise PeerMisbehaved("heartbeat", f"it is {beat.miner}'s, not {address}'s")
    now_s = ctx.now_s()
    if abs(beat.time_s - now_s) > MAX_CLOCK_SKEW_S:
        raise Refused(
            f"The heartbeat's time is {round(beat.time_s - now_s)} s from ours: set the clock.", "Clock"
        )
    with ctx.store.write() as tx:
        if tx.chain.stake(address) == 0:
            raise Refused(f"{address} has no stake in the vault: run `pot miner stake` first.", "NoStake")
        known = tx.miners.get(address)
        back = known is None or now_s - known.seen_s > MAX_CLOCK_SKEW_S
        pause = pause_s(tx.miners.count_live(now_s))
        if tx.miners.beat(beat, now_s, pause) and back:
            tx.feed.add("miner.live", now_s, None, miner=address, device=beat.device)
    return pause
