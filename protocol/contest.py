"""What is signed about a contest: a miner's commitment, and the committee's scores.

The domain of both is the contest contract's, not the market's.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Self

from eth_hash.auto import keccak

from protocol.ids import Address, Digest, EpochNo, Sha256
from protocol.multisig import check_quorum
from protocol.parsing import peer_value
from protocol.typed_data import Domain, StructType

NO_SCORE: Final = 2**32 - 1
"""Score of an entry that was not revealed, or is no usable model."""
MAX_ENTRIES: Final = 64

COMMITMENT_TYPE: Final = StructType(
    name="Commitment",
    fields=(
        ("contestId", "uint256"),
        ("miner", "address"),
        ("model", "bytes32"),
        ("traceRoot", "bytes32"),
        ("salt", "bytes32"),
    ),
)
SCORE_TYPE: Final = StructType(
    name="ScoreCertificate",
    fields=(
        ("contestId", "uint256"),
        ("instance", "uint32"),
        ("epoch", "uint32"),
        ("specHash", "bytes32"),
        ("testSet", "bytes32"),
        ("revealed", "uint64"),
        ("frauds", "uint64"),
        ("badTestSet", "bool"),
        ("scores", "bytes32"),
        ("transactions", "bytes32"),
        ("record", "bytes32"),
    ),
)
_FIELD_BYTES: Final = 32 * len(SCORE_TYPE.fields)


@dataclass(frozen=True, slots=True, kw_only=True)
class Commitment:
    """What a miner binds itself to before anybody can read the test set. ``trace`` is the sha256 of the
    training trace, zero without one; ``salt`` keeps the model from being guessed."""

    contest_id: int
    miner: Address
    model: Sha256
    trace: bytes
    salt: bytes

    def digest(self, domain: Domain) -> Digest:
        """The 32 bytes that go on the chain; a copy is worth nothing to another account."""
        return domain.digest(
            COMMITMENT_TYPE,
            {
                "contestId": self.contest_id,
                "miner": self.miner,
                "model": self.model,
                "traceRoot": self.trace,
                "salt": self.salt,
            },
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreCertificate:
    """A committee's word about one contest. Bits of ``revealed`` and ``frauds`` and places of ``scores``
    count entries in the order of their commitments; with ``bad_test_set`` there are no scores.
    ``instance`` 0 is the committee, 1 the court; ``record`` the sha256 of the score record."""

    contest_id: int
    instance: int
    epoch: EpochNo
    spec_hash: Sha256
    test_set: Sha256
    revealed: int
    frauds: int
    bad_test_set: bool
    scores: tuple[int, ...]
    transactions: bytes
    record: Sha256

    @property
    def scores_hash(self) -> bytes:
        """What stands for the scores in what is signed: the keccak256 of one word for each."""
        return keccak(b"".join(score.to_bytes(32, "big") for score in self.scores))

    @property
    def findings(self) -> tuple[bool, tuple[int, ...], int]:
        """What it says of the entries: what a court can overturn, as the contract compares it. Which payloads
        the block orders is no finding: every panel has its own list."""
        return self.bad_test_set, self.scores, self.frauds

    @property
    def unread(self) -> int:
        """Bitmap of the revealed entries of which it says nothing: neither a score nor a false trace."""
        silent = sum(1 << place for place, score in enumerate(self.scores) if score == NO_SCORE)
        return silent & self.revealed & ~self.frauds

    def gives_the_lie_to(self, first: "ScoreCertificate") -> bool:
        """Whether a court that found this slashes the signers of ``first``: not for entries that those could
        not read, as the contract has it."""
        scores = tuple(
            NO_SCORE if first.unread >> place & 1 else score for place, score in enumerate(self.scores)
        )
        return (self.bad_test_set, scores, self.frauds & ~first.unread) != first.findings

    def typed_values(self) -> dict[str, Any]:
        """The fields under their Solidity names, in declaration order."""
        return {
            "contestId": self.contest_id,
            "instance": self.instance,
            "epoch": self.epoch,
            "specHash": self.spec_hash,
            "testSet": self.test_set,
            "revealed": self.revealed,
            "frauds": self.frauds,
            "badTestSet": self.bad_test_set,
            "scores": self.scores_hash,
            "transactions": self.transactions,
            "record": self.record,
        }

    def digest(self, domain: Domain) -> Digest:
        """The EIP-712 digest that the members sign. Raises ValueError when a field does not fit its type."""
        return domain.digest(SCORE_TYPE, self.typed_values())

    def encode(self) -> bytes:
        """The value that the members agree on: the words of the fields, then one for each score."""
        return SCORE_TYPE.words(self.typed_values()) + b"".join(
            score.to_bytes(32, "big") for score in self.scores
        )

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Inverse of ``encode``; the only bytes that lead to the certificate. Raises PeerMisbehaved."""
        with peer_value("score certificate"):
            if not _FIELD_BYTES <= len(data) <= _FIELD_BYTES + 32 * MAX_ENTRIES or len(data) % 32:
                raise ValueError(f"it has {len(data)} bytes")
            words = [data[place : place + 32] for place in range(0, len(data), 32)]
            number = [int.from_bytes(word, "big") for word in words]
            if number[7] > 1:
                raise ValueError("badTestSet is no bool")
            made = cls(
                contest_id=number[0],
                instance=number[1],
                epoch=EpochNo(number[2]),
                spec_hash=Sha256(words[3]),
                test_set=Sha256(words[4]),
                revealed=number[5],
                frauds=number[6],
                bad_test_set=bool(number[7]),
                scores=tuple(number[len(SCORE_TYPE.fields) :]),
                transactions=words[9],
                record=Sha256(words[10]),
            )
            if made.encode() != data or any(score > NO_SCORE for score in made.scores):
                raise ValueError("it is not the canonical encoding")
        return made


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedScores:
    """A certificate with the signatures that make it count: bit i of ``signers`` is member i of the panel,
    ``signatures`` the 64-byte EIP-2098 signatures in that order, joined."""

    certificate: ScoreCertificate
    signers: int
    signatures: bytes

    def verify(self, domain: Domain, panel: Sequence[Address]) -> list[Address]:
        """The addresses that signed. Raises PeerMisbehaved unless a quorum of the ``panel`` did."""
        subject = f"scores of contest {self.certificate.contest_id}"
        digest = self.certificate.digest(domain)
        return check_quorum(subject, digest, panel, self.signers, self.signatures)


def winner_of(scores: Sequence[int], target: int, least: int) -> int | None:
    """The contract's rule: the place of the first entry that reaches ``target``; otherwise of the best one,
    the earlier of equals; None when nobody has ``least`` right answers."""
    usable = [place for place, score in enumerate(scores) if score != NO_SCORE and score >= least]
    for place in usable:
        if scores[place] >= target:
            return place
    return max(usable, key=lambda place: (scores[place], -place), default=None)
