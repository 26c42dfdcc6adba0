"""The segment record: the public data behind one certificate, stored as a blob under the certificate's
``segment``."""

import json
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

from protocol import merkle
from protocol.attestation import Attestation
from protocol.canonical import canonical_json, is_canonical
from protocol.certificate import RoundCertificate
from protocol.contribution import SignedContribution
from protocol.errors import PeerMisbehaved
from protocol.evidence import Fault, FaultReport
from protocol.ids import Address, EpochNo, RoundNo, Sha256, TaskId, Wei, parse_address, parse_sha256, sha256
from protocol.parsing import amount, peer_value, uint
from protocol.typed_data import Domain

RECORD_VERSION = 2
MAX_RECORD_BYTES = 64 * 1024 * 1024
MAX_SEGMENT_ROUNDS = 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class RoundRecord:
    """One round: the contributions that were aggregated, ascending by shard, and the models before and
    after."""

    round: RoundNo
    parent_model: Sha256
    model: Sha256
    contributions: tuple[SignedContribution, ...]

    @property
    def miners(self) -> dict[int, Address]:
        """Who computed which shard."""
        return {signed.contribution.shard: signed.contribution.miner for signed in self.contributions}

    def to_json(self) -> dict[str, Any]:
        return {
            "round": self.round,
            "parent_model": self.parent_model.hex(),
            "model": self.model.hex(),
            "contributions": [signed.to_json() for signed in self.contributions],
        }

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Self:
        """Raises PeerMisbehaved when malformed."""
        with peer_value("segment record round"):
            return cls(
                round=RoundNo(uint(value["round"], 32)),
                parent_model=parse_sha256(value["parent_model"]),
                model=parse_sha256(value["model"]),
                contributions=tuple(SignedContribution.from_json(item) for item in value["contributions"]),
            )


@dataclass(frozen=True, kw_only=True)
class SegmentRecord:
    """Everything a certificate's roots are made of. ``faults`` and ``payouts`` are cumulative over the task;
    ``fault_evidence`` holds the signed reports for the faults this segment adds, ``attestations`` what
    signers of the certificate before this one say that they executed for it."""

    task_id: TaskId
    spec_hash: Sha256
    rounds: tuple[RoundRecord, ...]
    faults: tuple[Fault, ...]
    fault_evidence: tuple[FaultReport, ...]
    payouts: dict[Address, Wei]
    attestations: tuple[Attestation, ...] = ()

    def __post_init__(self) -> None:
        if not 1 <= len(self.rounds) <= MAX_SEGMENT_ROUNDS:
            raise PeerMisbehaved(
                "segment record", f"it covers {len(self.rounds)} rounds, 1..{MAX_SEGMENT_ROUNDS} are allowed"
            )

    @property
    def first_round(self) -> RoundNo:
        return self.rounds[0].round

    @property
    def last_round(self) -> RoundNo:
        return self.rounds[-1].round

    @property
    def places(self) -> frozenset[tuple[int, int]]:
        """(round, shard) of every contribution."""
        return frozenset(
            (s.contribution.round, s.contribution.shard) for r in self.rounds for s in r.contributions
        )

    @property
    def parent_model(self) -> Sha256:
        return self.rounds[0].parent_model

    @property
    def model(self) -> Sha256:
        return self.rounds[-1].model

    def to_json(self) -> dict[str, Any]:
        return {
            "version": RECORD_VERSION,
            "task_id": str(self.task_id),
            "spec_hash": self.spec_hash.hex(),
            "rounds": [item.to_json() for item in self.rounds],
            "faults": [item.to_json() for item in self.faults],
            "fault_evidence": [item.to_json() for item in self.fault_evidence],
            "payouts": [[account, str(wei)] for account, wei in self.payouts.items()],
            "attestations": [item.to_json() for item in self.attestations],
        }

    @cached_property
    def blob(self) -> bytes:
        """The canonical JSON bytes whose sha256 is the certificate's ``segment``."""
        return canonical_json(self.to_json())

    @classmethod
    def from_blob(cls, data: bytes) -> Self:
        """Parse a record. Raises PeerMisbehaved when it is too large, malformed or not in canonical form."""
        if len(data) > MAX_RECORD_BYTES:
            raise PeerMisbehaved(
                "segment record", f"{len(data)} bytes exceed the limit of {MAX_RECORD_BYTES}"
            )
        with peer_value("segment record"):
            value = json.loads(data)
            if not is_canonical(data, value) or value["version"] != RECORD_VERSION:
                raise ValueError("not canonical JSON of a known version")
            return cls(
                task_id=TaskId(uint(amount(value["task_id"]), 256)),
                spec_hash=parse_sha256(value["spec_hash"]),
                rounds=tuple(RoundRecord.from_json(item) for item in value["rounds"]),
                faults=tuple(Fault.from_json(item) for item in value["faults"]),
                fault_evidence=tuple(FaultReport.from_json(item) for item in value["fault_evidence"]),
                payouts={
                    parse_address(account): Wei(uint(amount(wei), 128)) for account, wei in value["payouts"]
                },
                attestations=tuple(Attestation.from_json(item) for item in value["attestations"]),
            )

    def contribution_leaves(self, domain: Domain) -> list[merkle.Leaf]:
        return [
            (c.round, c.shard, c.miner, c.gradient, c.digest(domain))
            for item in self.rounds
            for c in (signed.contribution for signed in item.contributions)
        ]

    def fault_leaves(self) -> list[merkle.Leaf]:
        return [fault.leaf() for fault in self.faults]

    def payout_leaves(self) -> list[merkle.Leaf]:
        return [(account, wei) for account, wei in self.payouts.items()]

    def certificate(self, domain: Domain, epoch: EpochNo) -> RoundCertificate:
        """The certificate this record implies: every root recomputed, nothing copied from a claim."""
        return RoundCertificate(
            task_id=self.task_id,
            first_round=self.first_round,
            last_round=self.last_round,
            epoch=epoch,
            spec_hash=self.spec_hash,
            parent_model=self.parent_model,
            model=self.model,
            contributions_root=merkle.root(self.contribution_leaves(domain), merkle.CONTRIBUTION_LEAF),
            faults_root=merkle.root(self.fault_leaves(), merkle.FAULT_LEAF),
            payouts_root=merkle.root(self.payout_leaves(), merkle.PAYOUT_LEAF),
            paid_total=sum(self.payouts.values()),
            segment=sha256(self.blob),
        )
