"""A validator's verdict on a certificate it signed: which shards it executed, and what follows from that
alone.

The *attestation* is signed when the certificate is decided and names its evidence by hash. The evidence is
handed out when the task has ended: it shows which shards were the sample's, and who knows how much of a
sample is used up knows something of what is left (docs/adr/0026).
"""

import hashlib
import json
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any, Final, Self

from protocol.canonical import canonical_json, is_canonical
from protocol.errors import PeerMisbehaved
from protocol.ids import (
    Address,
    Digest,
    RoundNo,
    Sha256,
    ShardNo,
    TaskId,
    parse_hex_bytes,
    parse_sha256,
    sha256,
)
from protocol.parsing import amount, peer_value, uint
from protocol.signing import Signer, recover
from protocol.typed_data import Domain, StructType

ATTESTATION_TYPE: Final = StructType(
    name="Attestation",
    fields=(
        ("taskId", "uint256"),
        ("firstRound", "uint32"),
        ("lastRound", "uint32"),
        ("segment", "bytes32"),
        ("evidence", "bytes32"),
    ),
)
EVIDENCE_VERSION: Final = 1
MAX_EVIDENCE_BYTES: Final = 64 * 1024 * 1024
MAX_PROOF_BYTES: Final = 1_024
_PLACE: Final = b"ProofOfTraining/replay/1"
_SALT: Final = b"ProofOfTraining/replay/salt/1"


def witness_seed(domain: Domain, validator: Address, task_id: TaskId, round_number: int, shard: int) -> bytes:
    """What decides which numbers of a shard ``validator`` has to show: nobody else has to show the same."""
    place = round_number.to_bytes(4, "big") + shard.to_bytes(4, "big")
    who = bytes.fromhex(validator[2:])
    return hashlib.sha256(_PLACE + domain.separator + task_id.to_bytes(32, "big") + who + place).digest()


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class ShardProof:
    """What an execution of one shard left behind: ``proof`` is ``worker.training.witness``'s, and empty where
    the shard's numbers are too small to show any."""

    round: RoundNo
    shard: ShardNo
    proof: bytes


@dataclass(frozen=True, kw_only=True)
class ReplayEvidence:
    """The blob behind an attestation: the executed shards of one segment, ascending. ``salt`` keeps its hash
    from being guessed before it is shown."""

    task_id: TaskId
    segment: Sha256
    salt: Sha256
    shards: tuple[ShardProof, ...]

    @classmethod
    def of(cls, task_id: TaskId, segment: Sha256, seed: bytes, shards: tuple[ShardProof, ...]) -> Self:
        """The evidence of whoever holds the sampling ``seed``; the same again whenever it is made."""
        salt = sha256(_SALT + seed + segment)
        return cls(task_id=task_id, segment=segment, salt=salt, shards=tuple(sorted(shards)))

    @cached_property
    def blob(self) -> bytes:
        """The canonical JSON bytes whose sha256 is the attestation's ``evidence``."""
        return canonical_json(
            {
                "version": EVIDENCE_VERSION,
                "task_id": str(self.task_id),
                "segment": self.segment.hex(),
                "salt": self.salt.hex(),
                "shards": [[item.round, item.shard, "0x" + item.proof.hex()] for item in self.shards],
            }
        )

    @classmethod
    def from_blob(cls, data: bytes) -> Self:
        """Raises PeerMisbehaved when it is too large, malformed, not canonical or not ascending."""
        if len(data) > MAX_EVIDENCE_BYTES:
            raise PeerMisbehaved("evidence", f"{len(data)} bytes exceed the limit of {MAX_EVIDENCE_BYTES}")
        with peer_value("evidence"):
            value = json.loads(data)
            if not is_canonical(data, value) or value["version"] != EVIDENCE_VERSION:
                raise ValueError("not canonical JSON of a known version")
            shards = tuple(_shard_proof(item) for item in value["shards"])
            if any((b.round, b.shard) <= (a.round, a.shard) for a, b in pairwise(shards)):
                raise ValueError("its shards are not ascending")
            return cls(
                task_id=TaskId(uint(amount(value["task_id"]), 256)),
                segment=parse_sha256(value["segment"]),
                salt=parse_sha256(value["salt"]),
                shards=shards,
            )


def _shard_proof(item: Any) -> ShardProof:
    number, shard, proof = item
    data = bytes.fromhex(proof.removeprefix("0x"))
    if proof != "0x" + data.hex() or len(data) > MAX_PROOF_BYTES:
        raise ValueError("a proof is no hex text of bounded length")
    return ShardProof(round=RoundNo(uint(number, 32)), shard=ShardNo(uint(shard, 32)), proof=data)


@dataclass(frozen=True, slots=True, kw_only=True)
class Attestation:
    """A validator's signed word (EIP-712) on the certificate of ``segment``, the record's sha256. Who says it
    is recovered, never stated."""

    task_id: TaskId
    first_round: RoundNo
    last_round: RoundNo
    segment: Sha256
    evidence: Sha256
    signature: bytes = b""

    def digest(self, domain: Domain) -> Digest:
        """The EIP-712 digest the validator signs. Raises ValueError when a field does not fit its type."""
        return domain.digest(
            ATTESTATION_TYPE,
            {
                "taskId": self.task_id,
                "firstRound": self.first_round,
                "lastRound": self.last_round,
                "segment": self.segment,
                "evidence": self.evidence,
            },
        )

    @classmethod
    def signed(
        cls, evidence: ReplayEvidence, rounds: tuple[RoundNo, RoundNo], domain: Domain, signer: Signer
    ) -> Self:
        """``rounds`` are the segment's first and last."""
        fields: dict[str, Any] = {
            "task_id": evidence.task_id,
            "first_round": rounds[0],
            "last_round": rounds[1],
            "segment": evidence.segment,
            "evidence": sha256(evidence.blob),
        }
        return cls(**fields, signature=signer.sign(cls(**fields).digest(domain)))

    def validator(self, domain: Domain) -> Address:
        """Who attests. Raises PeerMisbehaved for a malformed signature."""
        return recover(self.digest(domain), self.signature)

    def to_json(self) -> dict[str, Any]:
        return {
            "task_id": str(self.task_id),
            "first_round": self.first_round,
            "last_round": self.last_round,
            "segment": self.segment.hex(),
            "evidence": self.evidence.hex(),
            "signature": "0x" + self.signature.hex(),
        }

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Self:
        """Raises PeerMisbehaved when malformed."""
        with peer_value("attestation"):
            return cls(
                task_id=TaskId(uint(amount(value["task_id"]), 256)),
                first_round=RoundNo(uint(value["first_round"], 32)),
                last_round=RoundNo(uint(value["last_round"], 32)),
                segment=parse_sha256(value["segment"]),
                evidence=parse_sha256(value["evidence"]),
                signature=parse_hex_bytes(value["signature"], 65),
            )
