"""Fault reports: a validator's signed word that a shard, re-executed, is not what its miner committed to."""

from dataclasses import dataclass
from typing import Any, Self

from eth_account.signers.local import LocalAccount

from protocol.ids import (
    Address,
    Digest,
    RoundNo,
    Sha256,
    ShardNo,
    TaskId,
    parse_address,
    parse_hex_bytes,
    parse_sha256,
)
from protocol.parsing import natural, peer_value
from protocol.signing import recover, sign
from protocol.typed_data import Domain, StructType

FAULT_TYPE = StructType(
    name="FaultReport",
    fields=(
        ("taskId", "uint256"),
        ("round", "uint32"),
        ("shard", "uint32"),
        ("miner", "address"),
        ("gradient", "bytes32"),
        ("parentModel", "bytes32"),
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Fault:
    """A shard that failed re-execution. Ordering is (round, shard, miner, gradient): the canonical leaf
    order."""

    round: RoundNo
    shard: ShardNo
    miner: Address
    gradient: Sha256
    parent_model: Sha256

    def leaf(self) -> tuple[Any, ...]:
        return (self.round, self.shard, self.miner, self.gradient)

    def digest(self, domain: Domain, task_id: TaskId) -> Digest:
        """The EIP-712 digest a reporting validator signs."""
        return domain.digest(
            FAULT_TYPE,
            {
                "taskId": task_id,
                "round": self.round,
                "shard": self.shard,
                "miner": self.miner,
                "gradient": self.gradient,
                "parentModel": self.parent_model,
            },
        )

    def to_json(self) -> dict[str, Any]:
        return {
            "round": self.round,
            "shard": self.shard,
            "miner": self.miner,
            "gradient": self.gradient.hex(),
            "parent_model": self.parent_model.hex(),
        }

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Self:
        """Raises PeerMisbehaved when malformed."""
        with peer_value("fault"):
            return cls(
                round=RoundNo(natural(value["round"])),
                shard=ShardNo(natural(value["shard"])),
                miner=parse_address(value["miner"]),
                gradient=parse_sha256(value["gradient"]),
                parent_model=parse_sha256(value["parent_model"]),
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultReport:
    """One validator's signed fault. ``reporter`` is recovered, never claimed."""

    task_id: TaskId
    fault: Fault
    signature: bytes

    @classmethod
    def signed(cls, fault: Fault, task_id: TaskId, domain: Domain, account: LocalAccount) -> Self:
        return cls(task_id=task_id, fault=fault, signature=sign(fault.digest(domain, task_id), account))

    def reporter(self, domain: Domain) -> Address:
        """Who signed. Raises PeerMisbehaved for a malformed signature."""
        return recover(self.fault.digest(domain, self.task_id), self.signature)

    def to_json(self) -> dict[str, Any]:
        return {
            "task_id": str(self.task_id),
            **self.fault.to_json(),
            "signature": "0x" + self.signature.hex(),
        }

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Self:
        """Raises PeerMisbehaved when malformed."""
        with peer_value("fault report"):
            task_id = TaskId(int(value["task_id"]))
            signature = parse_hex_bytes(value["signature"], 65)
        return cls(task_id=task_id, fault=Fault.from_json(value), signature=signature)
