"""What an audit found: a line per statement checked, and the first lie, if there was one."""

from dataclasses import dataclass, field
from typing import Any

from protocol.batches import WHOLE
from protocol.chain.appeals import CaseKind
from protocol.errors import VerificationFailed
from protocol.ids import Address


class WrongLeaf(VerificationFailed):
    """A lie that can be challenged: what a certificate says of the work of ``miner`` on a shard. ``batch``
    is where wrong work shows (``protocol.batches``)."""

    def __init__(
        self,
        subject: str,
        detail: str,
        *,
        kind: CaseKind,
        round_number: int,
        shard: int,
        miner: Address,
        batch: int = WHOLE,
    ) -> None:
        super().__init__(subject, detail)
        self.kind = kind
        self.round_number = round_number
        self.shard = shard
        self.miner = miner
        self.batch = batch

    def to_json(self) -> dict[str, Any]:
        return {
            "kind": self.kind.name.lower(),
            "round": self.round_number,
            "shard": self.shard,
            "miner": self.miner,
            "batch": self.batch,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditLine:
    """One statement that was checked; ``detail`` says against what. ``validator`` made it, where the
    statement is about its own checking and about nothing that was certified."""

    subject: str
    ok: bool
    detail: str
    validator: Address | None = None


@dataclass(slots=True, kw_only=True)
class AuditReport:
    """Grows while the audit runs; after the first lie nothing more is checked. ``notes`` are false statements
    that change neither money nor model, ``wrong`` is the lie if it can be challenged, ``verdicts`` what each
    validator says that it executed. ``certificates`` are those found true, in the market at ``market`` on
    chain ``chain_id``."""

    task_id: int
    chain_id: int
    market: Address
    certificates: list[dict[str, Any]] = field(default_factory=list)
    lines: list[AuditLine] = field(default_factory=list)
    rounds_replayed: int = 0
    shards_replayed: int = 0
    rounds_certified: int = 0
    notes: list[str] = field(default_factory=list)
    wrong: WrongLeaf | None = None
    verdicts: list[dict[str, Any]] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        return bool(self.lines) and all(line.ok for line in self.lines)

    @property
    def lie(self) -> AuditLine | None:
        return next((line for line in self.lines if not line.ok), None)

    @property
    def false_verdicts(self) -> list[Address]:
        """The validators that lied about what they executed."""
        return [line.validator for line in self.lines if line.validator is not None and not line.ok]

    def passed(self, subject: str, detail: str) -> None:
        self.lines.append(AuditLine(subject=subject, ok=True, detail=detail))

    def failed(self, subject: str, detail: str, validator: Address | None = None) -> None:
        self.lines.append(AuditLine(subject=subject, ok=False, detail=detail, validator=validator))

    def to_json(self) -> dict[str, Any]:
        lie = self.lie
        return {
            "task_id": str(self.task_id),
            "chain_id": self.chain_id,
            "market": self.market,
            "certificates": self.certificates,
            "ok": self.ok,
            "rounds_certified": self.rounds_certified,
            "rounds_replayed": self.rounds_replayed,
            "shards_replayed": self.shards_replayed,
            "lie": None if lie is None else {"subject": lie.subject, "detail": lie.detail},
            "wrong": None if self.wrong is None else self.wrong.to_json(),
            "notes": self.notes,
            "verdicts": self.verdicts,
            "checks": [
                {"subject": line.subject, "ok": line.ok, "detail": line.detail} for line in self.lines
            ],
        }
