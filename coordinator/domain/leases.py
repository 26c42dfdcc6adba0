"""Is this contribution the one we wait for? The lease decides, and saying it twice changes nothing."""

from enum import StrEnum

from coordinator.domain.view import Lease
from protocol.ids import Address, Sha256


class Verdict(StrEnum):
    """The answer to a contribution. ``DUPLICATE`` is as good as ``ACCEPTED``: it was taken before."""

    ACCEPTED = "accepted"
    DUPLICATE = "duplicate"
    LATE = "late"
    STALE = "stale"

    @property
    def taken(self) -> bool:
        return self in (Verdict.ACCEPTED, Verdict.DUPLICATE)


def judge(
    *,
    miner: Address,
    gradient: Sha256,
    fence: int,
    round_open: bool,
    lease: Lease | None,
    filled_by: tuple[Address, Sha256] | None,
) -> Verdict:
    """The verdict on ``gradient`` by ``miner`` under ``fence``.

    ``DUPLICATE`` when exactly this fills the shard already, ``LATE`` when something else does or the
    round takes nothing more, ``STALE`` unless ``miner`` holds the shard's present lease, else
    ``ACCEPTED``. A lease that has run out but was not given on is still its holder's.
    """
    if filled_by == (miner, gradient):
        return Verdict.DUPLICATE
    if filled_by is not None or not round_open:
        return Verdict.LATE
    if lease is None or (lease.miner, lease.fence) != (miner, fence):
        return Verdict.STALE
    return Verdict.ACCEPTED


def next_fence(last: int, now_s: float) -> int:
    """A fencing token above ``last``, and above those of an earlier database that was deleted."""
    return max(last + 1, int(now_s * 1000))
