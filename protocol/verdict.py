"""The verdict of a court: which cases of a dispute are right, as its members sign it (EIP-712)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

from protocol.errors import PeerMisbehaved
from protocol.ids import Address, Digest, TaskId
from protocol.multisig import KeyOf, check_quorum
from protocol.typed_data import Domain, StructType

VERDICT_TYPE = StructType(
    name="Verdict",
    fields=(
        ("taskId", "uint256"),
        ("certificateIndex", "uint32"),
        ("dispute", "uint32"),
        ("upheld", "uint64"),
    ),
)
ENCODED_BYTES = 32 * len(VERDICT_TYPE.fields)


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """A court's statement about dispute number ``dispute`` of a task. Bit i of ``upheld`` is case i;
    ``certificate_index`` is the lowest index of a challenged certificate."""

    task_id: TaskId
    certificate_index: int
    dispute: int
    upheld: int

    def typed_values(self) -> dict[str, Any]:
        """The fields under their Solidity names, in declaration order."""
        return {
            "taskId": self.task_id,
            "certificateIndex": self.certificate_index,
            "dispute": self.dispute,
            "upheld": self.upheld,
        }

    def digest(self, domain: Domain) -> Digest:
        """The EIP-712 digest the court signs. Raises ValueError when a field does not fit its type."""
        return domain.digest(VERDICT_TYPE, self.typed_values())

    def encode(self) -> bytes:
        """The ABI encoding (4 words): the value that a court agrees on."""
        return VERDICT_TYPE.words(self.typed_values())

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Inverse of ``encode``. Raises PeerMisbehaved for any other length or an integer out of range."""
        if len(data) != ENCODED_BYTES:
            raise PeerMisbehaved("verdict", f"its encoding has {len(data)} bytes, not {ENCODED_BYTES}")
        words = [int.from_bytes(data[at : at + 32], "big") for at in range(0, ENCODED_BYTES, 32)]
        verdict = cls(task_id=TaskId(words[0]), certificate_index=words[1], dispute=words[2], upheld=words[3])
        try:
            verdict.encode()
        except ValueError as error:
            raise PeerMisbehaved("verdict", f"a field is out of range ({error})") from error
        return verdict

    def is_upheld(self, case: int) -> bool:
        """Whether case number ``case`` is right."""
        return bool(self.upheld >> case & 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedVerdict:
    """A verdict with the signatures that make it count: bit i of ``signers`` is member i of the court,
    ``signatures`` the 64-byte EIP-2098 signatures in that order, joined, or the 96-byte BLS sum of theirs."""

    verdict: Verdict
    signers: int
    signatures: bytes

    def verify(self, domain: Domain, court: Sequence[Address], key_of: KeyOf | None = None) -> list[Address]:
        """The addresses that signed. Raises PeerMisbehaved unless a quorum of the ``court`` did; without
        ``key_of`` a BLS sum is refused."""
        subject = f"verdict of dispute {self.verdict.dispute} of task {self.verdict.task_id}"
        digest = self.verdict.digest(domain)
        return check_quorum(subject, digest, court, self.signers, self.signatures, key_of)
