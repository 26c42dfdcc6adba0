"""What the API says, as values: money and token amounts in decimal strings, hashes in hex, times in Unix
seconds.
"""

from dataclasses import dataclass
from typing import Any, Generic, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Page(Generic[T]):
    """A bounded list; ``next`` is the cursor of the rest, null at the end."""

    items: list[T]
    next: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Escrow:
    """funded = reserved + paid + claimable + waiting + refundable + refunded, in smallest token units.
    ``waiting`` is certified by what can still be challenged."""

    funded: str
    reserved: str
    paid: str
    claimable: str
    waiting: str
    refundable: str
    refunded: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskSummary:
    """One task in a list. ``round`` is the last computed one, ``loss`` its mean training loss in nats,
    ``accuracy`` the share of right test answers after the last evaluated round; null while unknown."""

    task_id: str
    title: str
    status: str
    note: str
    poster: str
    arch: str
    round: int
    certified_round: int
    rounds: int
    shards: int
    loss: float | None
    accuracy: float | None
    starts_at: int
    deadline: int
    escrow: Escrow


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificate:
    """An accepted certificate, ``number`` (from 0) of its task; ``signers`` are the members that signed it.
    Its payouts can be claimed from ``final_at`` on; null while a dispute freezes it, and when it is
    ``void``."""

    number: int
    final_at: int | None
    void: bool
    first_round: int
    last_round: int
    model: str
    segment: str
    paid_total: str
    signers: list[str]
    tx_hash: str
    block_number: int
    gas_used: int
    timestamp: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ContributionView:
    """A contribution and what became of it; ``reason`` says why it does not count."""

    id: int
    round: int
    shard: int
    miner: str
    gradient: str
    loss: float
    verdict: str
    reason: str
    received_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaseView:
    """A shard that is being computed."""

    round: int
    shard: int
    miner: str
    attempt: int
    granted_s: float
    sent_s: float | None
    lease_s: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RoundView:
    """One round."""

    round: int
    status: str
    parent_model: str
    model: str | None
    loss: float | None
    accuracy: float | None
    test_loss: float | None
    opened_s: float
    closed_s: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountView:
    """What an account has earned in a task by the last certificate, and what it has taken. ``waiting``
    becomes claimable at ``claimable_at`` at the latest; null when nothing waits or a dispute runs."""

    account: str
    earned: str
    claimed: str
    claimable: str
    waiting: str
    claimable_at: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultView:
    """A reported fault. It is ``proven`` by more than f members."""

    round: int
    shard: int
    miner: str
    gradient: str
    reporters: list[str]
    proven: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ProposalView:
    """The segment before the committee; ``answers`` maps members to their last word."""

    first_round: int
    last_round: int
    sends: int
    sent_s: float
    answers: dict[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskDetail:
    """Everything about one task; lists hold the newest entries, the paged endpoints hold the rest.
    ``members`` are none while the committee is to be drawn; ``disputed_from`` is the number of the first
    certificate that a running dispute freezes."""

    summary: TaskSummary
    spec_hash: str
    spec: dict[str, Any] | None
    genesis_model: str
    model: str
    epoch: int
    challenge_window: int
    committee_size: int
    members: list[str]
    disputed_from: int | None
    tx_hash: str
    certificates: list[Certificate]
    contributions: list[ContributionView]
    leases: list[LeaseView]
    proposal: ProposalView | None
    accounts: list[AccountView]
    faults: list[FaultView]


@dataclass(frozen=True, slots=True, kw_only=True)
class MinerView:
    """A miner that has been heard of. ``earned`` and ``claimed`` add up all tasks."""

    address: str
    live: bool
    device: str
    seen_s: float
    stake: str
    unbonding: str
    unlocks_at: int
    strikes: int
    leases: int
    earned: str
    claimed: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ValidatorView:
    """A validator of the pool; ``member`` of the newest epoch or not."""

    account: str
    endpoint: str
    active: bool
    member: bool
    stake: str
    unbonding: str
    unlocks_at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkView:
    """The network at a glance; ``block`` is the newest one indexed."""

    chain_id: int
    contracts: dict[str, str]
    block: int
    block_time: int
    epoch: int
    tasks: dict[str, int]
    miners_live: int
    validators: int
    funded: str
    paid: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainEventView:
    """One contract event of the index."""

    id: int
    block_number: int
    tx_hash: str
    log_index: int
    kind: str
    task_id: str | None
    contest_id: str | None
    account: str | None
    amount: str | None
    data: dict[str, Any]
