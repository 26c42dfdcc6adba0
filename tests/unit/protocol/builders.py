"""Small valid values that the protocol's tests vary."""

from typing import Any

from eth_account import Account
from eth_account.signers.local import LocalAccount

from protocol.contribution import Contribution, SignedContribution
from protocol.ids import Address, EpochNo, RoundNo, Sha256, ShardNo, TaskId, parse_address, sha256
from protocol.ledger import TaskLedger
from protocol.segment import RoundRecord
from protocol.spec import TaskSpec
from protocol.typed_data import Domain

DOMAIN = Domain(chain_id=31337, market=parse_address("0x" + "11" * 20))
TASK = TaskId(1)


def account(number: int) -> LocalAccount:
    made: LocalAccount = Account.from_key(number.to_bytes(32, "big"))
    return made


def members(n: int = 4) -> tuple[Address, ...]:
    names = [parse_address(account(100 + i).address) for i in range(n)]
    return tuple(sorted(names, key=lambda name: int(name, 16)))


def spec_value(**changes: Any) -> dict[str, Any]:
    """A valid spec document; ``changes`` are dotted paths with ``__`` for the dot."""
    value: dict[str, Any] = {
        "version": 1,
        "kind": "pooled",
        "title": "digits",
        "model": {"arch": "mlp", "params": {"inputs": 64, "hidden": 32, "layers": 1, "classes": 10}},
        "dataset": {"name": "digits", "kind": "classification", "sha256": "ab" * 32},
        "recipe": {
            "optimizer": {"kind": "sgd", "lr": "0.1", "momentum": "0.9"},
            "rounds": 20,
            "shards": 4,
            "global_batch": 128,
        },
        "verification": {"sample_ppm": 250000},
        "money": {
            "reward_per_shard": "1000",
            "fee_per_round": "100",
            "miner_stake": "50000",
            "slash_per_fault": "20000",
        },
        "limits": {"task_life_s": 600, "min_shards": 2, "rounds_per_certificate": 4},
    }
    for path, item in changes.items():
        *parents, last = path.split("__")
        target = value
        for name in parents:
            target = target[name]
        target[last] = item
    return value


def spec(**changes: Any) -> TaskSpec:
    return TaskSpec.from_value(spec_value(**changes))


def ledger(**changes: Any) -> TaskLedger:
    made = spec(**changes)
    return TaskLedger(
        task_id=TASK,
        spec_hash=made.hash,
        spec=made,
        epoch=EpochNo(1),
        members=members(),
        last_round=RoundNo(0),
        model=sha256(b"genesis"),
        payouts={},
    )


def contribution(
    state: TaskLedger, round_no: int, shard: int, parent: Sha256, miner: int
) -> SignedContribution:
    key = account(miner)
    return Contribution(
        task_id=state.task_id,
        round=RoundNo(round_no),
        shard=ShardNo(shard),
        miner=parse_address(key.address),
        spec_hash=state.spec_hash,
        parent_model=parent,
        gradient=sha256(f"gradient {round_no} {shard} {miner}".encode()),
        batches=tuple(
            sha256(f"part {i} of {round_no} {shard} {miner}".encode())
            for i in range(state.spec.recipe.micro_batches)
        ),
        samples=state.spec.recipe.samples_per_shard,
        loss_micros=2_300_000,
    ).sign(DOMAIN, key)


def round_record(state: TaskLedger, round_no: int, parent: Sha256, miners: dict[int, int]) -> RoundRecord:
    """A round in which shard -> miner key number did the work."""
    return RoundRecord(
        round=RoundNo(round_no),
        parent_model=parent,
        model=sha256(f"model {round_no}".encode()),
        contributions=tuple(
            contribution(state, round_no, shard, parent, miner) for shard, miner in sorted(miners.items())
        ),
    )
