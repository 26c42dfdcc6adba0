"""What ``decide`` sees of one task: a snapshot of the database, complete and frozen."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from coordinator.domain.lifecycle import RoundStatus, TaskStatus
from protocol.ids import Address, RoundNo, Sha256, ShardNo, TaskId


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """One miner's right to fill one shard. ``fence`` grows with every lease of the database, so a holder
    whose lease was taken away cannot be mistaken for the present one. ``sent_s`` is None while the broker has
    not taken the job: until then the lease does not run out.
    """

    shard: ShardNo
    miner: Address
    attempt: int
    fence: int
    granted_s: float
    sent_s: float | None
    lease_s: int
    past: frozenset[Address] = frozenset()

    def expired(self, now_s: float) -> bool:
        return self.sent_s is not None and now_s >= self.sent_s + self.lease_s


@dataclass(frozen=True, slots=True, kw_only=True)
class MinerView:
    """A staked miner. ``load`` counts the leases it holds in all tasks, ``strikes`` the leases in a row that
    it let run out; until ``benched_until_s`` others are asked first. It was last heard at ``last_seen_s`` and
    is taken for dead after ``silent_at_s``.
    """

    address: Address
    stake: int
    last_seen_s: float
    silent_at_s: float
    load: int = 0
    strikes: int = 0
    benched_until_s: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class RoundView:
    """One uncertified round. ``accepted`` maps shards to the miners whose contributions were accepted,
    ``leases`` the other shards to who has them.
    """

    number: RoundNo
    status: RoundStatus
    parent_model: Sha256
    model: Sha256 | None
    opened_s: float
    accepted: Mapping[ShardNo, Address]
    leases: Mapping[ShardNo, Lease]

    @property
    def computed(self) -> bool:
        return self.status is not RoundStatus.OPEN


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentView:
    """The segment before the committee. ``refusals`` counts the members that rejected it."""

    first_round: RoundNo
    last_round: RoundNo
    sent_s: float
    sends: int
    refusals: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The numbers of a spec that dispatch depends on; ``deadline_s`` is the task's, in Unix seconds."""

    rounds: int
    shards: int
    min_shards: int
    miner_stake: int
    round_deadline_s: int
    max_uncertified_rounds: int
    rounds_per_certificate: int
    deadline_s: int

    @property
    def lease_s(self) -> int:
        """Half the round's deadline: a shard that is lost once can be redone in time."""
        return max(1, self.round_deadline_s // 2)


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskView:
    """One task. ``rounds`` are the uncertified ones, consecutive from ``certified_round`` + 1. ``miners`` are
    all that live, or, where nothing depends on the others (``asks_everybody``), those with a lease of the
    task. ``unfit`` holds the miners with a certified or proven fault, ``tolerated`` is f of its committee,
    ``listening_since_s`` when this coordinator began to hear heartbeats. Before ``room_at_s`` the contract
    has no room for a certificate; ``crowded``: so many wait for their windows that each should cover more
    rounds.
    """

    task_id: TaskId
    status: TaskStatus
    plan: Plan
    certified_round: RoundNo
    certified_model: Sha256
    rounds: tuple[RoundView, ...]
    in_flight: SegmentView | None
    miners: tuple[MinerView, ...]
    unfit: frozenset[Address] = field(default=frozenset())
    tolerated: int = 1
    listening_since_s: float = 0.0
    room_at_s: float = 0.0
    crowded: bool = False
