"""The score record: one canonical JSON blob from which a score certificate can be repeated.

It holds no prose, so that members who find the same write the same bytes.
"""

import json
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final, Self

from protocol.canonical import canonical_json, is_canonical
from protocol.errors import PeerMisbehaved
from protocol.ids import Address, Sha256, parse_address, parse_sha256, sha256
from protocol.parsing import peer_value, uint

MAX_RECORD_BYTES: Final = 64 * 1024
_VERSION: Final = 1


class Standing(StrEnum):
    """What became of an entry: counted; never revealed; no model that this miner may hand in; not to be had
    in time; or with a training trace that is false."""

    SCORED = "scored"
    NOT_REVEALED = "not-revealed"
    UNUSABLE = "unusable"
    WITHHELD = "withheld"
    FRAUD = "fraud"


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryResult:
    """``correct`` counts right answers, 0 unless the entry was scored."""

    miner: Address
    model: bytes
    trace: bytes
    standing: Standing
    correct: int = 0

    def to_json(self) -> dict[str, Any]:
        return {
            "miner": self.miner,
            "model": self.model.hex(),
            "trace": self.trace.hex(),
            "standing": self.standing.value,
            "correct": self.correct,
        }

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Self:
        return cls(
            miner=parse_address(value["miner"]),
            model=parse_sha256(value["model"]),
            trace=parse_sha256(value["trace"]),
            standing=Standing(value["standing"]),
            correct=uint(value["correct"], 32),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreRecord:
    """One contest's findings, its entries in the order of their commitments. ``key`` opened the test set."""

    contest_id: int
    spec_hash: Sha256
    test_set: Sha256
    key: bytes
    bad_test_set: bool
    entries: tuple[EntryResult, ...]

    @property
    def blob(self) -> bytes:
        """The canonical bytes."""
        return canonical_json(
            {
                "version": _VERSION,
                "contest_id": str(self.contest_id),
                "spec": self.spec_hash.hex(),
                "test_set": self.test_set.hex(),
                "key": self.key.hex(),
                "bad_test_set": self.bad_test_set,
                "entries": [entry.to_json() for entry in self.entries],
            }
        )

    @property
    def hash(self) -> Sha256:
        return sha256(self.blob)

    @classmethod
    def parse(cls, data: bytes) -> Self:
        """Raises PeerMisbehaved for anything but the canonical bytes of a record."""
        if len(data) > MAX_RECORD_BYTES:
            raise PeerMisbehaved("score record", f"it has {len(data)} bytes")
        with peer_value("score record"):
            value = json.loads(data)
            made = cls(
                contest_id=int(value["contest_id"]),
                spec_hash=parse_sha256(value["spec"]),
                test_set=parse_sha256(value["test_set"]),
                key=parse_sha256(value["key"]),
                bad_test_set=bool(value["bad_test_set"]),
                entries=tuple(EntryResult.from_json(entry) for entry in value["entries"]),
            )
            if value["version"] != _VERSION or not is_canonical(data, value) or made.blob != data:
                raise ValueError("it is not canonical")
        return made
