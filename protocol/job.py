"""What a coordinator asks of one miner: one JSON argument of one Celery task on the miner's own queue.

A job is a request, not an authority: whoever works on it checks every field against the chain. The end of its
lease travels as Celery's own ``expires`` header (``apply_async(..., expires=job.lease_s)``), so that a job
delivered late or twice dies by itself.
"""

from dataclasses import asdict, dataclass
from typing import Any, Final, Self

from protocol.ids import Address, RoundNo, Sha256, ShardNo, TaskId, parse_sha256
from protocol.parsing import amount, natural, peer_value

TRAIN_SHARD: Final = "pot.train_shard"
ENTER_CONTEST: Final = "pot.enter_contest"
MAX_LEASE_S: Final = 86_400
MAX_URL_LENGTH: Final = 2_000
_UINT32: Final = 2**32
_INT64: Final = 2**63


def queue_of(miner: Address) -> str:
    """The queue that only ``miner`` reads."""
    return f"miner.{miner}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ShardJob:
    """Compute one shard. ``fence`` is the lease's fencing token, ``lease_s`` its length in seconds;
    ``api_url`` says where the sender listens (a miner answers only to the coordinator that its owner
    configured)."""

    task_id: TaskId
    round: RoundNo
    shard: ShardNo
    attempt: int
    fence: int
    spec_hash: Sha256
    parent_model: Sha256
    api_url: str
    lease_s: int

    def to_json(self) -> dict[str, Any]:
        hexed = {"spec_hash": self.spec_hash.hex(), "parent_model": self.parent_model.hex()}
        return asdict(self) | hexed | {"task_id": str(self.task_id)}

    @classmethod
    def from_json(cls, value: Any) -> Self:
        """Accepted when: exactly these fields are there, each of its type and in its range. Raises
        PeerMisbehaved."""
        with peer_value("job"):
            if not isinstance(value, dict) or value.keys() != _FIELDS:
                raise ValueError("its fields are not those of a job")
            task_id = value["task_id"]
            if not isinstance(task_id, str) or len(task_id) > len(str(1 << 256)):
                raise ValueError("task_id is not a decimal uint256")
            api_url = value["api_url"]
            if not isinstance(api_url, str) or len(api_url) > MAX_URL_LENGTH:
                raise ValueError(f"api_url is not text of at most {MAX_URL_LENGTH} characters")
            return cls(
                task_id=TaskId(_between(amount(task_id), 1, 1 << 256)),
                round=RoundNo(_between(value["round"], 1, _UINT32)),
                shard=ShardNo(_between(value["shard"], 0, _UINT32)),
                attempt=_between(value["attempt"], 0, _UINT32),
                fence=_between(value["fence"], 0, _INT64),
                spec_hash=parse_sha256(value["spec_hash"]),
                parent_model=parse_sha256(value["parent_model"]),
                api_url=api_url,
                lease_s=_between(value["lease_s"], 1, MAX_LEASE_S + 1),
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class ContestJob:
    """Train a whole model for a contest and commit to it. That is all anybody needs to say: everything else
    is on the chain."""

    contest_id: int

    def to_json(self) -> dict[str, Any]:
        return {"contest_id": str(self.contest_id)}

    @classmethod
    def from_json(cls, value: Any) -> Self:
        """Accepted when exactly this field is there, a decimal uint256. Raises PeerMisbehaved."""
        with peer_value("contest job"):
            if not isinstance(value, dict) or value.keys() != {"contest_id"}:
                raise ValueError("its fields are not those of a job")
            number = value["contest_id"]
            if not isinstance(number, str) or len(number) > len(str(1 << 256)):
                raise ValueError("contest_id is not a decimal uint256")
            return cls(contest_id=_between(amount(number), 1, 1 << 256))


_FIELDS: Final = frozenset(ShardJob.__dataclass_fields__)


def _between(value: Any, low: int, end: int) -> int:
    if not low <= natural(value) < end:
        raise ValueError(f"{value} is not in {low}..{end - 1}")
    return int(value)
