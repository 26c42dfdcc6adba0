"""The round certificate: what a committee swears to, and the only thing that moves escrow.

It extends protocol section 5 by ``segment`` (ADR 0001): the sha256 of the segment record, so that an
auditor who holds only events and blobs can find every contribution behind the roots.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

from protocol.errors import PeerMisbehaved
from protocol.ids import Address, Digest, EpochNo, RoundNo, Sha256, TaskId
from protocol.multisig import KeyOf, check_quorum
from protocol.typed_data import Domain, StructType

CERTIFICATE_TYPE = StructType(
    name="RoundCertificate",
    fields=(
        ("taskId", "uint256"),
        ("firstRound", "uint32"),
        ("lastRound", "uint32"),
        ("epoch", "uint32"),
        ("specHash", "bytes32"),
        ("parentModel", "bytes32"),
        ("model", "bytes32"),
        ("contributionsRoot", "bytes32"),
        ("faultsRoot", "bytes32"),
        ("payoutsRoot", "bytes32"),
        ("paidTotal", "uint128"),
        ("segment", "bytes32"),
    ),
)
ENCODED_BYTES = 32 * len(CERTIFICATE_TYPE.fields)
_UINT_FIELDS = frozenset(name for name, kind in CERTIFICATE_TYPE.fields if kind.startswith("uint"))


@dataclass(frozen=True, slots=True, kw_only=True)
class RoundCertificate:
    """The committee's statement about rounds ``first_round..last_round`` of one task. Hashes are 32 bytes;
    ``faults_root`` and ``payouts_root`` are cumulative over the task; ``paid_total`` is the sum of all
    payouts."""

    task_id: TaskId
    first_round: RoundNo
    last_round: RoundNo
    epoch: EpochNo
    spec_hash: Sha256
    parent_model: Sha256
    model: Sha256
    contributions_root: bytes
    faults_root: bytes
    payouts_root: bytes
    paid_total: int
    segment: Sha256

    def typed_values(self) -> dict[str, Any]:
        """The fields under their Solidity names, in declaration order."""
        return {
            "taskId": self.task_id,
            "firstRound": self.first_round,
            "lastRound": self.last_round,
            "epoch": self.epoch,
            "specHash": self.spec_hash,
            "parentModel": self.parent_model,
            "model": self.model,
            "contributionsRoot": self.contributions_root,
            "faultsRoot": self.faults_root,
            "payoutsRoot": self.payouts_root,
            "paidTotal": self.paid_total,
            "segment": self.segment,
        }

    def digest(self, domain: Domain) -> Digest:
        """The EIP-712 digest the committee signs. Raises ValueError when a field does not fit its type."""
        return domain.digest(CERTIFICATE_TYPE, self.typed_values())

    def encode(self) -> bytes:
        """The ABI encoding (12 words): PBFT's value."""
        return CERTIFICATE_TYPE.words(self.typed_values())

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Inverse of ``encode``. Raises PeerMisbehaved for any other length or an integer out of range."""
        if len(data) != ENCODED_BYTES:
            raise PeerMisbehaved("certificate", f"its encoding has {len(data)} bytes, not {ENCODED_BYTES}")
        values: dict[str, Any] = {}
        for index, (name, _) in enumerate(CERTIFICATE_TYPE.fields):
            word = data[32 * index : 32 * index + 32]
            values[name] = int.from_bytes(word, "big") if name in _UINT_FIELDS else word
        try:
            certificate = cls.from_typed_values(values)
            certificate.encode()
        except ValueError as error:
            raise PeerMisbehaved("certificate", f"a field is out of range ({error})") from error
        return certificate

    @classmethod
    def from_typed_values(cls, values: dict[str, Any]) -> Self:
        """Build one from Solidity-named fields, as a chain event or a call carries them."""
        return cls(
            task_id=TaskId(values["taskId"]),
            first_round=RoundNo(values["firstRound"]),
            last_round=RoundNo(values["lastRound"]),
            epoch=EpochNo(values["epoch"]),
            spec_hash=Sha256(bytes(values["specHash"])),
            parent_model=Sha256(bytes(values["parentModel"])),
            model=Sha256(bytes(values["model"])),
            contributions_root=bytes(values["contributionsRoot"]),
            faults_root=bytes(values["faultsRoot"]),
            payouts_root=bytes(values["payoutsRoot"]),
            paid_total=int(values["paidTotal"]),
            segment=Sha256(bytes(values["segment"])),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedCertificate:
    """A certificate with the signatures that make it count: bit i of ``signers`` is member i of the
    committee's ascending list, ``signatures`` the 64-byte EIP-2098 signatures in that order, joined, or the
    96-byte BLS sum of theirs."""

    certificate: RoundCertificate
    signers: int
    signatures: bytes

    def verify(
        self, domain: Domain, members: Sequence[Address], key_of: KeyOf | None = None
    ) -> list[Address]:
        """The addresses that signed. Raises PeerMisbehaved unless a quorum of distinct ``members`` did;
        without ``key_of`` a BLS sum is refused."""
        subject = f"certificate of round {self.certificate.last_round}"
        digest = self.certificate.digest(domain)
        return check_quorum(subject, digest, members, self.signers, self.signatures, key_of)
