"""TrainingMarket: tasks, escrow, certificates, rewards."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

from protocol.certificate import RoundCertificate, SignedCertificate
from protocol.chain.contract import Block, Call, ContractClient
from protocol.chain.token import Permit
from protocol.contribution import SignedContribution
from protocol.errors import InvalidInput
from protocol.ids import Address, EpochNo, RoundNo, Sha256, TaskId, Wei
from protocol.record import CertificateRecord
from protocol.signing import to_compact
from protocol.spec import TaskSpec


class TaskStatus(IntEnum):
    """Where a task is in its life, as the contract numbers it."""

    NONE = 0
    OPEN = 1
    COMPLETED = 2
    CLOSED = 3
    CANCELLED = 4
    DISPUTED = 5
    OVERTURNED = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskParams:
    """What a poster fixes on-chain. Money in smallest token units, times in Unix seconds. ``committee_size``
    0 takes the whole snapshot; ``challenge_window_s`` 0 makes certificates final at once."""

    spec_hash: Sha256
    genesis_model: Sha256
    rounds: int
    shards: int
    reward_per_shard: int
    fee_per_round: int
    miner_stake: int
    slash_per_fault: int
    starts_at: int
    deadline: int
    challenge_window_s: int = 0
    committee_size: int = 0

    @classmethod
    def of(cls, spec: TaskSpec, genesis_model: Sha256, starts_at: int) -> "TaskParams":
        """The parameters that agree with ``spec``; the deadline is its task life after ``starts_at``."""
        return cls(
            spec_hash=spec.hash,
            genesis_model=genesis_model,
            rounds=spec.recipe.rounds,
            shards=spec.recipe.shards,
            reward_per_shard=spec.money.reward_per_shard_wei,
            fee_per_round=spec.money.fee_per_round_wei,
            miner_stake=spec.money.miner_stake_wei,
            slash_per_fault=spec.money.slash_per_fault_wei,
            starts_at=starts_at,
            deadline=starts_at + spec.limits.task_life_s,
            challenge_window_s=spec.limits.challenge_window_s,
            committee_size=spec.verification.committee_size,
        )

    def argument(self) -> tuple[bytes | int, ...]:
        return (
            self.spec_hash,
            self.genesis_model,
            self.rounds,
            self.shards,
            self.reward_per_shard,
            self.fee_per_round,
            self.miner_stake,
            self.slash_per_fault,
            self.starts_at,
            self.deadline,
            self.challenge_window_s,
            self.committee_size,
        )

    @property
    def escrow(self) -> int:
        """The escrow the contract takes."""
        return self.rounds * (self.shards * self.reward_per_shard + self.fee_per_round)


@dataclass(frozen=True, slots=True, kw_only=True)
class OnchainTask:
    """The contract's state of a task at one block. While it is disputed, ``disputed_from`` is the number of
    the first certificate that waits."""

    task_id: TaskId
    poster: Address
    status: TaskStatus
    spec_hash: Sha256
    model: Sha256
    paid_total: Wei
    last_round: RoundNo
    certificates: int
    challenge_window_s: int
    disputed_from: int
    rounds: int
    shards: int
    epoch: EpochNo
    starts_at: int
    deadline: int
    reward_per_shard: Wei
    fee_per_round: Wei
    miner_stake: Wei
    slash_per_fault: Wei
    claimed_total: Wei

    @property
    def escrow(self) -> int:
        """What was funded at creation."""
        return self.rounds * (self.shards * self.reward_per_shard + self.fee_per_round)

    def agrees_with(self, spec: TaskSpec) -> None:
        """Raises InvalidInput, naming the field, unless hash, rounds, shards and money are those of
        ``spec``."""
        for name, here, there in (
            ("spec_hash", self.spec_hash, spec.hash),
            ("rounds", self.rounds, spec.recipe.rounds),
            ("shards", self.shards, spec.recipe.shards),
            ("reward_per_shard", self.reward_per_shard, spec.money.reward_per_shard_wei),
            ("fee_per_round", self.fee_per_round, spec.money.fee_per_round_wei),
            ("miner_stake", self.miner_stake, spec.money.miner_stake_wei),
            ("slash_per_fault", self.slash_per_fault, spec.money.slash_per_fault_wei),
            ("challenge_window", self.challenge_window_s, spec.limits.challenge_window_s),
        ):
            if here != there:
                raise InvalidInput(
                    f"Task {self.task_id}: {name} is {here!r} on the chain but {there!r} in the spec."
                )


@dataclass(frozen=True, slots=True, kw_only=True)
class PayoutClaim:
    """One payout to be claimed: ``account``'s cumulative payouts under the root of a final ``record``."""

    task_id: TaskId
    record: CertificateRecord
    account: Address
    cumulative: int
    proof: tuple[bytes, ...]

    def argument(self) -> tuple[Any, ...]:
        return (
            self.task_id,
            self.record.payout_argument(),
            self.account,
            self.cumulative,
            list(self.proof),
        )


class Market(ContractClient):
    """One method per function of TrainingMarket."""

    NAME = "TrainingMarket"

    def task_count(self, block: Block = "latest") -> int:
        return int(self.view("taskCount", block=block))

    def task(self, task_id: TaskId, block: Block = "latest") -> OnchainTask:
        """Raises Refused when there is no such task."""
        raw = self.view("task", task_id, block=block)
        return OnchainTask(
            task_id=task_id,
            poster=Address(raw.poster),
            status=TaskStatus(raw.status),
            spec_hash=Sha256(bytes(raw.specHash)),
            model=Sha256(bytes(raw.model)),
            paid_total=Wei(raw.paidTotal),
            last_round=RoundNo(raw.lastRound),
            certificates=int(raw.certificates),
            challenge_window_s=int(raw.challengeWindow),
            disputed_from=int(raw.disputedFrom),
            rounds=int(raw.rounds),
            shards=int(raw.shards),
            epoch=EpochNo(raw.epoch),
            starts_at=int(raw.startsAt),
            deadline=int(raw.deadline),
            reward_per_shard=Wei(raw.rewardPerShard),
            fee_per_round=Wei(raw.feePerRound),
            miner_stake=Wei(raw.minerStake),
            slash_per_fault=Wei(raw.slashPerFault),
            claimed_total=Wei(raw.claimedTotal),
        )

    def claimed(self, task_id: TaskId, account: Address, block: Block = "latest") -> Wei:
        return Wei(self.view("claimed", task_id, account, block=block))

    def slashed(self, task_id: TaskId, leaf: bytes, block: Block = "latest") -> bool:
        """Whether the fault whose 32-byte leaf hash is ``leaf`` was already slashed."""
        return bool(self.view("slashed", task_id, leaf, block=block))

    def refundable(self, task_id: TaskId, block: Block = "latest") -> Wei:
        return Wei(self.view("refundable", task_id, block=block))

    def held(self, task_id: TaskId, block: Block = "latest") -> Wei:
        """What the contract still holds for the task: escrow not yet claimed or refunded."""
        return Wei(self.view("held", task_id, block=block))

    def matures_at(self, task_id: TaskId, record: CertificateRecord, block: Block = "latest") -> int:
        """Second from which the certificate of ``record`` is final. Raises Refused when the market keeps no
        such record."""
        return int(self.view("maturesAt", task_id, record.argument(), block=block))

    def signing_fee(self, task_id: TaskId, block: Block = "latest") -> Wei:
        """The share of each signer of the last certificate in its fee."""
        share, _ = self.view("signingFee", task_id, block=block)
        return Wei(share)

    def max_task_life_s(self, block: Block = "latest") -> int:
        return int(self.view("MAX_TASK_LIFE", block=block))

    def max_epoch_age_s(self, block: Block = "latest") -> int:
        """How old the snapshot may be that a new task relies on."""
        return int(self.view("MAX_EPOCH_AGE", block=block))

    def settlement_margin_s(self, block: Block = "latest") -> int:
        """Seconds after everything else in which faults are settled before any stake can leave."""
        return int(self.view("SETTLEMENT_MARGIN", block=block))

    def settlement_time_s(self, challenge_window_s: int, block: Block = "latest") -> int:
        """Seconds after the deadline in which disputes of a task with this window can run; 0 without one."""
        return int(self.view("settlementTime", challenge_window_s, block=block))

    def domain_separator(self, block: Block = "latest") -> bytes:
        return bytes(self.view("domainSeparator", block=block))

    def create_task(self, params: TaskParams) -> Call:
        return self.write("createTask", params.argument())

    def create_task_with_permit(self, params: TaskParams, permit: Permit) -> Call:
        return self.write("createTaskWithPermit", params.argument(), permit.argument())

    def certify(self, signed: SignedCertificate) -> Call:
        values = tuple(signed.certificate.typed_values().values())
        return self.write("certify", values, signed.signers, signed.signatures)

    def certify_many(self, batch: Sequence[SignedCertificate]) -> Call:
        """Certificates of one or many tasks, at most MAX_BATCH; those that are certified are passed over, any
        other refusal refuses all."""
        return self.write(
            "certifyMany",
            [(tuple(s.certificate.typed_values().values()), s.signers, s.signatures) for s in batch],
        )

    def claim(
        self,
        task_id: TaskId,
        record: CertificateRecord,
        account: Address,
        cumulative: int,
        proof: list[bytes],
    ) -> Call:
        return self.write("claim", task_id, record.payout_argument(), account, cumulative, proof)

    def claim_many(self, batch: Sequence[PayoutClaim]) -> Call:
        """Payouts of many accounts or tasks, at most MAX_BATCH; those with nothing left are passed over, any
        other refusal refuses all. Whoever sends it pays the gas, the money goes to the accounts."""
        return self.write("claimMany", [item.argument() for item in batch])

    def claim_signing_fee(self, task_id: TaskId, record: CertificateRecord, account: Address) -> Call:
        return self.write("claimSigningFee", task_id, record.argument(), account)

    def slash(self, record: CertificateRecord, signed: SignedContribution, proof: list[bytes]) -> Call:
        """Slash the miner of a fault that ``record`` declares, by what it signed; ``proof`` leads from the
        fault to the record's faults root."""
        values = tuple(signed.contribution.typed_values().values())
        signature = to_compact(signed.signature)
        task_id = signed.contribution.task_id
        return self.write("slash", task_id, record.argument(), values, signature, proof)

    def cancel(self, task_id: TaskId) -> Call:
        return self.write("cancel", task_id)

    def close(self, task_id: TaskId) -> Call:
        return self.write("close", task_id)

    def certify_arguments(self, data: bytes) -> Iterator[SignedCertificate]:
        """The signed certificates in the calldata of ``certify`` or ``certifyMany``. Raises ValueError for
        other calldata."""
        if data[:4] == self.selector("certifyMany"):
            batch = self.arguments("certifyMany", data)["batch"]
        else:
            batch = [self.arguments("certify", data)]
        for values in batch:
            yield SignedCertificate(
                certificate=RoundCertificate.from_typed_values(values["certificate"]),
                signers=int(values["signers"]),
                signatures=bytes(values["signatures"]),
            )
