"""Fault reports: a validator's signed word that a shard, re-executed, is not what its miner committed to."""

from dataclasses import dataclass
from typing import Any, Self

from eth_account.signers.local import LocalAccount

from protocol.batches import WHOLE, is_batch_number
from protocol.contribution import SignedContribution
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
from protocol.parsing import peer_value, uint
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
        ("batch", "uint32"),
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

    @classmethod
    def of(cls, signed: SignedContribution) -> Self:
        """The fault that ``signed`` would be."""
        c = signed.contribution
        return cls(
            round=c.round, shard=c.shard, miner=c.miner, gradient=c.gradient, parent_model=c.parent_model
        )

    def leaf(self) -> tuple[Any, ...]:
        return (self.round, self.shard, self.miner, self.gradient)

    def digest(self, domain: Domain, task_id: TaskId, batch: int = WHOLE) -> Digest:
        """The EIP-712 digest a reporting validator signs; ``batch`` says where it shows."""
        return domain.digest(
            FAULT_TYPE,
            {
                "taskId": task_id,
                "round": self.round,
                "shard": self.shard,
                "miner": self.miner,
                "gradient": self.gradient,
                "parentModel": self.parent_model,
                "batch": batch,
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
                round=RoundNo(uint(value["round"], 32)),
                shard=ShardNo(uint(value["shard"], 32)),
                miner=parse_address(value["miner"]),
                gradient=parse_sha256(value["gradient"]),
                parent_model=parse_sha256(value["parent_model"]),
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultReport:
    """One validator's signed word that ``contribution`` failed re-execution. It carries the miner's own
    signature, so that nobody can be blamed for work that he never claimed. The reporter is recovered, never
    stated. ``batch`` is the first micro-batch that fails, SUM or WHOLE (``protocol.batches``): whoever checks
    the report needs to compute no more than that."""

    contribution: SignedContribution
    batch: int = WHOLE
    signature: bytes

    @property
    def task_id(self) -> TaskId:
        return self.contribution.contribution.task_id

    @property
    def fault(self) -> Fault:
        return Fault.of(self.contribution)

    @classmethod
    def signed(
        cls, contribution: SignedContribution, domain: Domain, account: LocalAccount, batch: int = WHOLE
    ) -> Self:
        digest = Fault.of(contribution).digest(domain, contribution.contribution.task_id, batch)
        return cls(contribution=contribution, batch=batch, signature=sign(digest, account))

    def reporter(self, domain: Domain) -> Address:
        """Who reports. Raises PeerMisbehaved for a malformed signature, or when the named miner did not
        sign."""
        self.contribution.verify(domain)
        return recover(self.fault.digest(domain, self.task_id, self.batch), self.signature)

    def to_json(self) -> dict[str, Any]:
        return {
            "contribution": self.contribution.to_json(),
            "batch": self.batch,
            "signature": "0x" + self.signature.hex(),
        }

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Self:
        """Raises PeerMisbehaved when malformed."""
        with peer_value("fault report"):
            signature = parse_hex_bytes(value["signature"], 65)
            contribution, batch = value["contribution"], uint(value["batch"], 32)
            if not is_batch_number(batch):
                raise ValueError(f"no shard has a micro-batch {batch}")
        return cls(contribution=SignedContribution.from_json(contribution), batch=batch, signature=signature)
