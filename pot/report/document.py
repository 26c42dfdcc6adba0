"""What a run has to say: every field of ``report.json``, typed.

Amounts are decimal strings in the token's smallest unit. Each part has a default that says "nothing
happened", so that a run which fails early still writes a whole report.
"""

import math
from typing import Any

import msgspec


class _Part(msgspec.Struct, kw_only=True):
    """Base of every part: named fields only."""


class Certificate(_Part, kw_only=True):
    """One certificate the chain accepted. ``signers`` are addresses, ``gas_used`` the whole transaction's."""

    first_round: int
    last_round: int
    tx_hash: str
    block_number: int
    signers: list[str]
    gas_used: int
    posted_by: str = ""


class Round(_Part, kw_only=True):
    """One certified round: mean training loss of its shards (nats), test accuracy after it (0..1), how
    many shards by how many miners it is made of, and when its certificate was seen, in seconds after the
    funding.
    """

    round: int
    loss: float
    accuracy: float
    shards: int
    miners: int
    model_sha256: str
    seconds: float = 0.0


class Accuracy(_Part, kw_only=True):
    """Test accuracy in 0..1; None where that model was never reached."""

    network: float | None = None
    centralized: float | None = None


class Seconds(_Part, kw_only=True):
    """Wall-clock seconds: until every process is ready; funded task to last certificate; everything."""

    setup: float = 0.0
    training: float = 0.0
    total: float = 0.0


class Escrow(_Part, kw_only=True):
    """Decimal strings; the books balance when funded = paid + refunded."""

    funded: str = "0"
    paid: str = "0"
    refunded: str = "0"

    @property
    def balances(self) -> bool:
        return int(self.funded) == int(self.paid) + int(self.refunded)


class Slash(_Part, kw_only=True):
    """Stake taken from ``miner`` for a fault in one shard, as the chain's event says."""

    miner: str
    round: int
    shard: int
    amount: str
    bounty: str
    sent_by: str
    tx_hash: str


class Check(_Part, kw_only=True):
    """One statement that the audit checked, and against what."""

    subject: str
    ok: bool
    detail: str


class Audit(_Part, kw_only=True):
    """The independent check from events and blobs alone; ``problem`` is the first lie it found about what is
    certified, ``false_verdicts`` are the validators that lied about their own checking."""

    ok: bool = False
    rounds_replayed: int = 0
    problem: str = ""
    checks: list[Check] = msgspec.field(default_factory=list)
    false_verdicts: list[str] = msgspec.field(default_factory=list)


class Replay(_Part, kw_only=True):
    """The same recipe in one process: ``identical`` when its last model has the certified hash."""

    identical: bool = False
    model_sha256: str = ""


class Chain(_Part, kw_only=True):
    """Where everything above can be looked up."""

    rpc_url: str = ""
    chain_id: int = 0
    contracts: dict[str, str] = msgspec.field(default_factory=dict)


class Disturbance(_Part, kw_only=True):
    """Something this run did to itself: a process killed, somebody who cheats. ``acts`` counts the wrong acts
    in its own log, ``noticed`` the lines in which others noticed; ``slashed`` is what a validator lost, in
    the smallest unit, in the transaction ``tx_hash``; ``victim`` is whom it was aimed at.
    """

    kind: str
    target: str
    after_round: int = 0
    outcome: str = ""
    acts: int = 0
    noticed: int = 0
    slashed: str = "0"
    tx_hash: str = ""
    victim: str = ""


class Report(_Part, kw_only=True):
    """The whole run. ``ok`` only when the task ended well and every check below passed; ``problems`` holds
    one sentence for each that did not; ``out`` is the folder with everything."""

    ok: bool = False
    problems: list[str] = msgspec.field(default_factory=list)
    started_at: str = ""
    title: str = ""
    task_id: str = ""
    rounds: int = 0
    rounds_wanted: int = 0
    out: str = ""
    certificates: list[Certificate] = msgspec.field(default_factory=list)
    history: list[Round] = msgspec.field(default_factory=list)
    model_sha256: str = ""
    accuracy: Accuracy = msgspec.field(default_factory=Accuracy)
    seconds: Seconds = msgspec.field(default_factory=Seconds)
    payouts: dict[str, str] = msgspec.field(default_factory=dict)
    escrow: Escrow = msgspec.field(default_factory=Escrow)
    slashes: list[Slash] = msgspec.field(default_factory=list)
    audit: Audit = msgspec.field(default_factory=Audit)
    replay: Replay = msgspec.field(default_factory=Replay)
    chain: Chain = msgspec.field(default_factory=Chain)
    disturbances: list[Disturbance] = msgspec.field(default_factory=list)
    accounts: dict[str, str] = msgspec.field(default_factory=dict)
    peak_memory_bytes: dict[str, int] = msgspec.field(default_factory=dict)

    def name_of(self, address: str) -> str:
        """``miner-2`` where the run knows the account, else a shortened address."""
        return self.accounts.get(address, f"{address[:8]}…{address[-4:]}")

    def to_json(self) -> bytes:
        """The bytes of ``report.json``: indented UTF-8. Raises ValueError for a number JSON cannot carry."""
        value = self.to_value()
        _refuse_non_finite(value)
        return msgspec.json.format(msgspec.json.encode(value), indent=2) + b"\n"

    def to_value(self) -> dict[str, Any]:
        """The report as JSON's own types."""
        value: dict[str, Any] = msgspec.to_builtins(self)
        return value

    @classmethod
    def from_json(cls, data: bytes) -> "Report":
        """Read a ``report.json``. Raises msgspec.ValidationError when it is not one."""
        return msgspec.json.decode(data, type=cls)


def _refuse_non_finite(value: Any) -> None:
    match value:
        case float() if not math.isfinite(value):
            raise ValueError(f"{value} is no JSON number")
        case dict():
            for item in value.values():
                _refuse_non_finite(item)
        case list():
            for item in value:
                _refuse_non_finite(item)
        case _:
            return
