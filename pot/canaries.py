"""A poster's canaries: plant them before a task begins, open them when validators have signed."""

from pathlib import Path

from pot.amounts import format_amount, parse_amount
from pot.client import Client
from pot.output import Reply
from pot.quote import Committee, Quote
from protocol import merkle
from protocol.canary_mark import canary_root, canary_salt, found_mark, mark_of, tail_of, tellable
from protocol.chain.canaries import CanaryPlan
from protocol.chain.canary_events import CanariesPlanted, CanaryOpened, CanaryPardoned
from protocol.chain.history import read_task
from protocol.chain.sender import Receipt
from protocol.errors import ConfigurationError, InvalidInput, Refused
from protocol.evidence import Fault
from protocol.ids import Address, TaskId, Wei
from protocol.keystore import open_keystore
from protocol.policy import load_policy
from protocol.signing import KeySigner
from protocol.spec import TaskSpec

Canary = tuple[Address, bytes]


def canaries_of(client: Client, spec: TaskSpec, keystores: list[str]) -> list[Canary]:
    """(miner, salt) of each key, ascending by address. Raises ConfigurationError for a key that is not there,
    InvalidInput for one named twice."""
    found: dict[Address, bytes] = {}
    for name in keystores:
        path = client.settings.keystores.get(name, Path(name))
        if not path.exists():
            raise ConfigurationError(f"There is no keystore {name}.")
        signer = KeySigner(bytes(open_keystore(path, client.settings.password_file).key))
        if signer.address in found:
            raise InvalidInput(f"{signer.address} is named twice.")
        found[signer.address] = canary_salt(signer, client.deployment.domain, spec.hash)
    return sorted(found.items(), key=lambda item: int(item[0], 16))


def plant_reply(client: Client, number: int, keystores: list[str], penalty: str | None) -> Reply:
    """Commit to canary miners. Raises Refused when the task has begun, InvalidInput when canaries could not
    be told from honest noise in its arithmetic."""
    task_id = TaskId(number)
    spec = client.spec(task_id)
    canaries, plan = planned(client, spec, keystores, penalty)
    receipt = client.sender.send(client.contracts.canaries.plant(task_id, plan))
    data = {
        "task_id": str(task_id),
        "miners": [miner for miner, _ in canaries],
        "root": plan.root.hex(),
        "sample_ppm": plan.sample_ppm,
        "penalty": str(plan.penalty),
        "tx_hash": "0x" + receipt.tx_hash.hex(),
    }
    line = (
        f"{len(canaries)} canary miners are planted in task {task_id}; one signed away costs a validator "
        f"{format_amount(plan.penalty)}. Run them with `pot miner run --canary`, tell nobody who they are."
    )
    return Reply(data=data, text=[line])


def planned(
    client: Client, spec: TaskSpec, keystores: list[str], penalty: str | None
) -> tuple[list[Canary], CanaryPlan]:
    """The canaries, and what to commit to. Raises as ``plant_reply`` does."""
    from worker.training.models import layout_of
    from worker.training.tolerance import limits_of

    limits = limits_of(spec, load_policy(spec.policy_sha256, client.blobs))
    if not tellable(limits, spec.recipe.codec, layout_of(spec.model).size):
        raise InvalidInput(
            "Canaries need exact arithmetic and a codec of integers (compute: float64, codec: int8 or "
            "int16): validators take no part in other tasks that plant them."
        )
    canaries = canaries_of(client, spec, keystores)
    plan = CanaryPlan(
        root=canary_root(canaries),
        sample_ppm=spec.verification.sample_ppm,
        penalty=quoted_penalty(client, spec) if penalty is None else Wei(parse_amount(penalty, "--penalty")),
    )
    return canaries, plan


def quoted_penalty(client: Client, spec: TaskSpec) -> Wei:
    """What the quote says that a canary must cost; at least what makes its miner whole by its half, should
    the slash come before the pardon; at most the contract's bound. Raises InvalidInput when too little is
    sampled for canaries to be met."""
    terms = Quote(spec=spec, committee=Committee(n=4), gas_price=0, shard_s=None).canaries
    if terms is None:
        raise InvalidInput(
            "Too little is sampled for canaries to meet those who sleep; name a --penalty to plant all the "
            "same."
        )
    contracts = client.contracts
    most = contracts.committee.validator_stake() * contracts.canaries.max_penalty_bps() // 10_000
    return Wei(min(max(terms.penalty, 2 * spec.money.slash_per_fault_wei), most))


def open_reply(client: Client, number: int, keystores: list[str], only: list[str]) -> Reply:
    """Open those of ``only`` (all, when it is empty) of the canary miners that were planted, and pardon what
    the committee declared a fault of theirs. ``keystores`` are all that were planted: they make the
    proofs."""
    task_id = TaskId(number)
    spec = client.spec(task_id)
    canaries = canaries_of(client, spec, keystores)
    events = client.events(task_id).events
    planted = next((e for e in events if isinstance(e, CanariesPlanted)), None)
    if planted is None or planted.plan.root != canary_root(canaries):
        raise InvalidInput(f"These are not the miners that were planted in task {task_id}.")
    chosen = {address for address, _ in canaries_of(client, spec, only or keystores)}
    open_now = {e.miner for e in events if isinstance(e, CanaryOpened)}
    receipts = [
        client.sender.send(client.contracts.canaries.open(task_id, canaries, index))
        for index, (miner, _) in enumerate(canaries)
        if miner in chosen and miner not in open_now
    ]
    salts = {miner: salt for miner, salt in canaries if miner in chosen or miner in open_now}
    pardoned = pardon_faults(client, task_id, spec, salts)
    data = {
        "task_id": str(task_id),
        "opened": [miner for miner, _ in canaries if miner in chosen],
        "pardoned": len(pardoned),
        "tx_hashes": ["0x" + receipt.tx_hash.hex() for receipt in (*receipts, *pardoned)],
    }
    line = f"{len(receipts)} canary miners of task {task_id} were opened, {len(pardoned)} faults pardoned."
    return Reply(data=data, text=[line, "Validators accuse those that signed for them; `pot why` says whom."])


def pardon_faults(
    client: Client, task_id: TaskId, spec: TaskSpec, salts: dict[Address, bytes]
) -> list[Receipt]:
    """Make the certified faults of opened canaries unslashable, as far as they were not slashed."""
    history = read_task(client.contracts, client.blobs, task_id)
    done = {event.leaf for event in client.events(task_id).events if isinstance(event, CanaryPardoned)}
    receipts = []
    for fault in history.ledger.faults:
        leaf = merkle.leaf_hash(fault.leaf(), merkle.FAULT_LEAF)
        if fault.miner not in salts or leaf in done or not _is_canary(client, spec, fault, salts):
            continue
        tail = tail_of(client.blobs.get(fault.gradient, spec.limits.max_blob_bytes))
        try:
            receipts.append(client.sender.send(client.contracts.canaries.pardon(task_id, fault.leaf(), tail)))
        except Refused as error:
            if error.reason != "FaultSettled":
                raise
    return receipts


def _is_canary(client: Client, spec: TaskSpec, fault: Fault, salts: dict[Address, bytes]) -> bool:
    blob = client.blobs.get(fault.gradient, spec.limits.max_blob_bytes)
    return found_mark(blob) == mark_of(salts[fault.miner], spec.hash, fault.round, fault.shard)
