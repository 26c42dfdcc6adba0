"""What ``decide`` wants done; each is one use case of ``coordinator.services``."""

from dataclasses import dataclass

from protocol.ids import Address, RoundNo, ShardNo


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenRound:
    """Start ``round`` on the latest known model."""

    round: RoundNo


@dataclass(frozen=True, slots=True, kw_only=True)
class AssignShard:
    """Lease a shard that nobody has to ``miner``."""

    round: RoundNo
    shard: ShardNo
    miner: Address
    attempt: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ReassignExpired:
    """Take the lease with ``fence`` from ``holder`` and give the shard to ``miner``. ``strike``: the holder
    let the lease run out, rather than falling silent.
    """

    round: RoundNo
    shard: ShardNo
    holder: Address
    fence: int
    miner: Address
    attempt: int
    strike: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class CloseRound:
    """Aggregate the accepted shards and compute the next model."""

    round: RoundNo


@dataclass(frozen=True, slots=True, kw_only=True)
class ProposeSegment:
    """Ask the committee to certify the rounds ``first_round..last_round``."""

    first_round: RoundNo
    last_round: RoundNo


@dataclass(frozen=True, slots=True, kw_only=True)
class ResendSegment:
    """Ask again for the segment in flight: requests may be lost, and members restart."""

    first_round: RoundNo
    last_round: RoundNo


@dataclass(frozen=True, slots=True, kw_only=True)
class RollBack:
    """Reopen ``to_round`` without the contributions of ``without`` (of anybody, when ``everything``) and
    discard all rounds after it. The model before ``to_round`` stays.
    """

    to_round: RoundNo
    without: frozenset[Address]
    everything: bool = False


Action = OpenRound | AssignShard | ReassignExpired | CloseRound | ProposeSegment | ResendSegment | RollBack
