"""Events about canaries: what was planted and opened, who is accused, cleared, punished."""

from dataclasses import dataclass

from protocol.chain.canaries import CanaryPlan
from protocol.chain.event_base import Builder, Event, events
from protocol.ids import Address, RoundNo, ShardNo, TaskId, Wei


@dataclass(frozen=True, slots=True, kw_only=True)
class CanariesPlanted(Event):
    task_id: TaskId
    plan: CanaryPlan


@dataclass(frozen=True, slots=True, kw_only=True)
class SeedCommitted(Event):
    task_id: TaskId
    member: Address
    commitment: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class CanaryOpened(Event):
    """The marked gradients of ``miner`` are canaries; ``salt`` is 32 bytes."""

    task_id: TaskId
    miner: Address
    salt: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class CanaryPardoned(Event):
    """The fault with this 32-byte leaf hash was a canary and can never be slashed."""

    task_id: TaskId
    miner: Address
    leaf: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberAccused(Event):
    """``answer_by`` is Unix time; ``key`` (32 bytes) names the accusation."""

    task_id: TaskId
    member: Address
    key: bytes
    round: RoundNo
    shard: ShardNo
    miner: Address
    answer_by: int


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberCleared(Event):
    task_id: TaskId
    member: Address
    key: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberPunished(Event):
    task_id: TaskId
    member: Address
    key: bytes
    round: RoundNo
    shard: ShardNo
    amount: Wei


CanaryEvent = (
    CanariesPlanted
    | SeedCommitted
    | CanaryOpened
    | CanaryPardoned
    | MemberAccused
    | MemberCleared
    | MemberPunished
)

CANARY_EVENTS: dict[str, Builder] = {
    "CanariesPlanted": lambda w, a: CanariesPlanted(
        where=w,
        task_id=a["taskId"],
        plan=CanaryPlan(
            root=bytes(a["terms"]["root"]),
            sample_ppm=a["terms"]["samplePpm"],
            penalty=a["terms"]["penalty"],
        ),
    ),
    **events(SeedCommitted, CanaryOpened, CanaryPardoned, MemberAccused, MemberCleared, MemberPunished),
}
