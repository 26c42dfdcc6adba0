"""What a miner signs: a shard's contribution, and the heartbeat that says it is alive."""

from dataclasses import asdict, dataclass
from typing import Any, Self

from eth_account.signers.local import LocalAccount

from protocol.batches import MAX_MICRO_BATCHES, batches_root
from protocol.errors import PeerMisbehaved
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
from protocol.parsing import amount, peer_value, uint
from protocol.signing import recover, sign
from protocol.typed_data import Domain, StructType

CONTRIBUTION_TYPE = StructType(
    name="Contribution",
    fields=(
        ("taskId", "uint256"),
        ("round", "uint32"),
        ("shard", "uint32"),
        ("miner", "address"),
        ("specHash", "bytes32"),
        ("parentModel", "bytes32"),
        ("gradient", "bytes32"),
        ("batches", "bytes32"),
        ("samples", "uint32"),
        ("lossMicros", "uint64"),
    ),
)
HEARTBEAT_TYPE = StructType(
    name="Heartbeat", fields=(("miner", "address"), ("time", "uint64"), ("device", "string"))
)
MAX_DEVICE_NAME = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Contribution:
    """One shard's work: ``gradient`` names the blob of codes, ``batches`` the blobs of its micro-batches'
    gradients in their order, of which the miner signs the Merkle root (``protocol.batches``); ``loss_micros``
    is the shard's mean loss in 1e-6 nats."""

    task_id: TaskId
    round: RoundNo
    shard: ShardNo
    miner: Address
    spec_hash: Sha256
    parent_model: Sha256
    gradient: Sha256
    batches: tuple[Sha256, ...]
    samples: int
    loss_micros: int

    def digest(self, domain: Domain) -> Digest:
        """The EIP-712 digest. Raises ValueError when a field does not fit its Solidity type."""
        return domain.digest(CONTRIBUTION_TYPE, self.typed_values())

    def typed_values(self) -> dict[str, Any]:
        """The fields under their Solidity names, in declaration order."""
        return {
            "taskId": self.task_id,
            "round": self.round,
            "shard": self.shard,
            "miner": self.miner,
            "specHash": self.spec_hash,
            "parentModel": self.parent_model,
            "gradient": self.gradient,
            "batches": batches_root(self.batches),
            "samples": self.samples,
            "lossMicros": self.loss_micros,
        }

    def sign(self, domain: Domain, account: LocalAccount) -> "SignedContribution":
        return SignedContribution(contribution=self, signature=sign(self.digest(domain), account))


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedContribution:
    """A contribution and its miner's 65-byte signature; check it with ``verify`` before believing a word."""

    contribution: Contribution
    signature: bytes

    def verify(self, domain: Domain) -> None:
        """Raises PeerMisbehaved unless the named miner signed exactly this."""
        c = self.contribution
        signer = recover(c.digest(domain), self.signature)
        if signer != c.miner:
            raise PeerMisbehaved(
                f"contribution to round {c.round} shard {c.shard}",
                f"it names {c.miner} but {signer} signed it",
            )

    def to_json(self) -> dict[str, Any]:
        c = self.contribution
        return {
            "task_id": str(c.task_id),
            "round": c.round,
            "shard": c.shard,
            "miner": c.miner,
            "spec_hash": c.spec_hash.hex(),
            "parent_model": c.parent_model.hex(),
            "gradient": c.gradient.hex(),
            "batches": [name.hex() for name in c.batches],
            "samples": c.samples,
            "loss_micros": c.loss_micros,
            "signature": "0x" + self.signature.hex(),
        }

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Self:
        """Raises PeerMisbehaved when a field is missing, of another type or malformed."""
        with peer_value("contribution"):
            contribution = Contribution(
                task_id=TaskId(uint(amount(value["task_id"]), 256)),
                round=RoundNo(uint(value["round"], 32)),
                shard=ShardNo(uint(value["shard"], 32)),
                miner=parse_address(value["miner"]),
                spec_hash=parse_sha256(value["spec_hash"]),
                parent_model=parse_sha256(value["parent_model"]),
                gradient=parse_sha256(value["gradient"]),
                batches=_parse_batches(value["batches"]),
                samples=uint(value["samples"], 32),
                loss_micros=uint(value["loss_micros"], 64),
            )
            return cls(contribution=contribution, signature=parse_hex_bytes(value["signature"], 65))


def _parse_batches(value: Any) -> tuple[Sha256, ...]:
    """Raises ValueError unless it is a list of 1..MAX_MICRO_BATCHES hashes."""
    if not isinstance(value, list) or not 1 <= len(value) <= MAX_MICRO_BATCHES:
        raise ValueError(f"its micro-batches are not a list of 1..{MAX_MICRO_BATCHES}")
    return tuple(parse_sha256(name) for name in value)


@dataclass(frozen=True, slots=True, kw_only=True)
class Heartbeat:
    """A miner's signed sign of life; ``time_s`` is Unix seconds, ``device`` a name such as ``cpu`` or
    ``cuda:0``."""

    miner: Address
    time_s: int
    device: str

    def digest(self, domain: Domain) -> Digest:
        values = {"miner": self.miner, "time": self.time_s, "device": self.device}
        return domain.digest(HEARTBEAT_TYPE, values)

    def sign(self, domain: Domain, account: LocalAccount) -> dict[str, Any]:
        """The JSON document a miner posts to a coordinator."""
        signature = sign(self.digest(domain), account)
        return {**asdict(self), "signature": "0x" + signature.hex()}

    @classmethod
    def verified(cls, value: dict[str, Any], domain: Domain) -> Self:
        """Parse and check a posted heartbeat. Raises PeerMisbehaved when it is malformed or not the
        miner's."""
        with peer_value("heartbeat"):
            beat = cls(
                miner=parse_address(value["miner"]),
                time_s=uint(value["time_s"], 64),
                device=str(value["device"]),
            )
            signature = parse_hex_bytes(value["signature"], 65)
        if len(beat.device) > MAX_DEVICE_NAME:
            raise PeerMisbehaved("heartbeat", f"its device name is longer than {MAX_DEVICE_NAME} characters")
        if recover(beat.digest(domain), signature) != beat.miner:
            raise PeerMisbehaved("heartbeat", f"{beat.miner} did not sign it")
        return beat
