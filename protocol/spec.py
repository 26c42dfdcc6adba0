"""The task spec: one canonical JSON document whose sha256 the chain stores; it never carries code.

Amounts and learning rates are decimal strings, everything else integers and names, so that every language
reads the same value. ``TaskSpec.parse`` is the only way in; it answers bad input with a sentence that names
the field.
"""

from decimal import Decimal
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from protocol.aggregation import Aggregation
from protocol.batches import MAX_MICRO_BATCHES
from protocol.errors import InvalidInput
from protocol.ids import Sha256, parse_sha256
from protocol.members import MAX_MEMBERS, MIN_MEMBERS
from protocol.policy import default_policy_sha256
from protocol.spec_document import MAX_SPEC_BYTES as MAX_SPEC_BYTES  # noqa: PLC0414 - known from here
from protocol.spec_document import Part, SpecDocument

MAX_ROUNDS = 65_535
MAX_SHARDS = 1024
MAX_UNCERTIFIED_ROUNDS = 64
MAX_CHALLENGE_WINDOW_S = 7 * 86_400
MAX_LEAVES_IN_A_RECORD = 256 * 1024
"""Micro-batches of all contributions in one segment record: 17 of its 64 MiB."""

Natural = Annotated[int, Meta(ge=0, le=2**53 - 1)]
Positive = Annotated[int, Meta(ge=1, le=2**53 - 1)]
Amount = Annotated[
    str, Meta(pattern=r"^(0|[1-9][0-9]{0,37})$", description="smallest token units, as a decimal string")
]
DecimalText = Annotated[
    str,
    Meta(pattern=r"^[0-9]{1,9}(\.[0-9]{1,12})?$", description="a non-negative decimal number, as a string"),
]
Hex64 = Annotated[str, Meta(pattern=r"^[0-9a-f]{64}$", description="a sha256 in lowercase hex")]
Name = Annotated[str, Meta(min_length=1, max_length=200)]
Ppm = Annotated[int, Meta(ge=0, le=1_000_000, description="parts per million")]


class ModelSpec(Part, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which registered architecture, with which integer parameters; bounds are checked by the registry."""

    arch: Literal["mlp", "cnn", "transformer"]
    params: Annotated[dict[Name, Natural], Meta(max_length=32)]


class DatasetSpec(Part, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A canonical dataset blob by hash; ``name`` is for people."""

    name: Name
    kind: Literal["classification", "text"]
    sha256: Hex64


class Optimizer(Part, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The outer update. ``momentum`` is read by sgd, ``beta1``, ``beta2`` and ``eps`` by adamw."""

    kind: Literal["sgd", "adamw"]
    lr: DecimalText
    momentum: DecimalText = "0"
    beta1: DecimalText = "0.9"
    beta2: DecimalText = "0.999"
    eps: DecimalText = "0.00000001"
    weight_decay: DecimalText = "0"


class Recipe(Part, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How the model is trained. ``global_batch`` samples a round are cut into ``shards`` equal shards; a
    shard is computed in micro-batches of ``micro_batch`` samples; with ``local_steps`` > 1 a shard is that
    many inner steps."""

    optimizer: Optimizer
    rounds: Annotated[int, Meta(ge=1, le=MAX_ROUNDS)]
    shards: Annotated[int, Meta(ge=1, le=MAX_SHARDS)]
    global_batch: Annotated[int, Meta(ge=1, le=1 << 20)]
    micro_batch: Annotated[int, Meta(ge=1, le=1 << 16)] = 32
    local_steps: Annotated[int, Meta(ge=1, le=1000)] = 1
    codec: Literal["float32", "int8", "int16"] = "int16"
    compute: Literal["float64", "float32"] = "float64"
    aggregation: Literal["mean"] | Aggregation = "mean"
    seed: Natural = 0

    @property
    def samples_per_shard(self) -> int:
        return self.global_batch // self.shards

    @property
    def batches_per_step(self) -> int:
        """Micro-batches of one local step; the last one may be smaller."""
        return -(-self.samples_per_shard // self.local_steps // self.micro_batch)

    @property
    def micro_batches(self) -> int:
        """Micro-batches of one shard, over all its local steps."""
        return self.local_steps * self.batches_per_step


class Verification(Part, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How hard the committee looks: each replica re-executes a share ``sample_ppm`` of the shards; a
    shard passes within the limits of the policy document named by its sha256 (``protocol.policy``).
    ``committee_size`` members (3f + 1) are drawn by stake; 0 takes the whole snapshot."""

    sample_ppm: Ppm
    policy: Hex64 = msgspec.field(default_factory=default_policy_sha256)
    hardware_class: Literal["exact", "tolerant"] = "exact"
    committee_size: Annotated[int, Meta(ge=0, le=MAX_MEMBERS)] = 0


class Money(Part, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Amounts in the token's smallest unit."""

    reward_per_shard: Amount
    fee_per_round: Amount
    miner_stake: Amount
    slash_per_fault: Amount

    @property
    def reward_per_shard_wei(self) -> int:
        return int(self.reward_per_shard)

    @property
    def fee_per_round_wei(self) -> int:
        return int(self.fee_per_round)

    @property
    def miner_stake_wei(self) -> int:
        return int(self.miner_stake)

    @property
    def slash_per_fault_wei(self) -> int:
        return int(self.slash_per_fault)


class Limits(Part, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Bounds in seconds, shards, bytes and rounds. A certificate covers ``rounds_per_certificate`` rounds;
    one that has to wait, up to ``max_uncertified_rounds``. It can be challenged, and its payouts wait, for
    ``challenge_window_s``; 0 makes it final at once."""

    task_life_s: Annotated[int, Meta(ge=60, le=30 * 86_400)]
    round_deadline_s: Annotated[int, Meta(ge=1, le=86_400)] = 30
    min_shards: Annotated[int, Meta(ge=1, le=MAX_SHARDS)] = 1
    max_blob_bytes: Annotated[int, Meta(ge=1024, le=1 << 34)] = 256 * 1024 * 1024
    max_uncertified_rounds: Annotated[int, Meta(ge=1, le=MAX_UNCERTIFIED_ROUNDS)] = 4
    rounds_per_certificate: Annotated[int, Meta(ge=1, le=MAX_UNCERTIFIED_ROUNDS)] = 1
    challenge_window_s: Annotated[int, Meta(ge=0, le=MAX_CHALLENGE_WINDOW_S)] = 0


class TaskSpec(SpecDocument, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A pooled training task, complete: its canonical bytes' sha256 is what the chain stores."""

    version: Literal[1]
    kind: Literal["pooled"]
    title: Name
    model: ModelSpec
    dataset: DatasetSpec
    recipe: Recipe
    verification: Verification
    money: Money
    limits: Limits

    def check(self) -> None:
        _check_consistency(self)

    @property
    def dataset_sha256(self) -> Sha256:
        return parse_sha256(self.dataset.sha256)

    @property
    def policy_sha256(self) -> Sha256:
        return parse_sha256(self.verification.policy)

    @property
    def escrow_wei(self) -> int:
        """The escrow that pays every round in full."""
        money = self.money
        return self.recipe.rounds * (
            self.recipe.shards * money.reward_per_shard_wei + money.fee_per_round_wei
        )


def spec_json_schema() -> dict[str, Any]:
    """The JSON schema of a spec, for forms and editors."""
    return msgspec.json.schema(TaskSpec)


def _check_consistency(spec: TaskSpec) -> None:
    recipe, limits, money = spec.recipe, spec.limits, spec.money
    if recipe.global_batch % recipe.shards:
        raise InvalidInput(
            f"recipe.global_batch is {recipe.global_batch}, which {recipe.shards} shards cannot share "
            "equally."
        )
    if recipe.samples_per_shard % recipe.local_steps:
        raise InvalidInput(
            f"A shard of {recipe.samples_per_shard} samples cannot be cut into "
            f"recipe.local_steps = {recipe.local_steps}."
        )
    _check_micro_batches(recipe, limits)
    if limits.min_shards > recipe.shards:
        raise InvalidInput(
            f"limits.min_shards is {limits.min_shards}, more than recipe.shards = {recipe.shards}."
        )
    if isinstance(recipe.aggregation, Aggregation):
        recipe.aggregation.check(shards=recipe.shards, min_shards=limits.min_shards)
    if 0 < spec.verification.committee_size < MIN_MEMBERS:
        raise InvalidInput(
            f"verification.committee_size is {spec.verification.committee_size}: a committee has at least "
            f"{MIN_MEMBERS} members (4, 7, 10, ...); 0 takes everybody."
        )
    if limits.rounds_per_certificate > limits.max_uncertified_rounds:
        raise InvalidInput("limits.rounds_per_certificate is larger than limits.max_uncertified_rounds.")
    if money.slash_per_fault_wei > money.miner_stake_wei:
        raise InvalidInput(
            "money.slash_per_fault is larger than money.miner_stake: a miner could not pay it."
        )
    if money.reward_per_shard_wei == 0:
        raise InvalidInput("money.reward_per_shard is 0: no miner would work.")
    if Decimal(recipe.optimizer.lr) == 0:
        raise InvalidInput("recipe.optimizer.lr is 0: nothing would be learned.")
    if money.slash_per_fault_wei >= 1 << 96:
        raise InvalidInput(
            f"money.slash_per_fault is {money.slash_per_fault}, more than the contract holds (2^96)."
        )
    if spec.escrow_wei >= 1 << 128:
        raise InvalidInput(f"The escrow of {spec.escrow_wei} units does not fit the contract (2^128).")


def _check_micro_batches(recipe: Recipe, limits: Limits) -> None:
    if recipe.micro_batches > MAX_MICRO_BATCHES:
        raise InvalidInput(
            f"A shard of {recipe.micro_batches} micro-batches is not allowed, at most {MAX_MICRO_BATCHES} "
            "are: raise recipe.micro_batch."
        )
    if recipe.shards * limits.max_uncertified_rounds * recipe.micro_batches > MAX_LEAVES_IN_A_RECORD:
        raise InvalidInput(
            f"{limits.max_uncertified_rounds} rounds of {recipe.shards} shards of {recipe.micro_batches} "
            f"micro-batches do not fit one record ({MAX_LEAVES_IN_A_RECORD} micro-batches): raise "
            "recipe.micro_batch or lower limits.max_uncertified_rounds."
        )
