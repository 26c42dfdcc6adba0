"""One really trained round: gradients, signed contributions, blobs and the model they lead to."""

from collections.abc import Callable, Collection
from dataclasses import replace

import numpy as np
from eth_account.signers.local import LocalAccount

from protocol.blobs import BlobStore
from protocol.contribution import Contribution
from protocol.ids import RoundNo, ShardNo, parse_address, sha256
from protocol.ledger import TaskLedger
from protocol.segment import RoundRecord
from protocol.typed_data import Domain
from tests.support.shards import put_parts
from worker.training.checkpoint import load_checkpoint
from worker.training.data import load_dataset
from worker.training.rounds import apply_round
from worker.training.step import ShardResult, encode_gradient, shard_gradient


def train_round(
    ledger: TaskLedger,
    blobs: BlobStore,
    domain: Domain,
    key_of: Callable[[int], LocalAccount],
    *,
    shards: Collection[int] | None = None,
    zeros: Collection[int] = (),
    doubled: Collection[int] = (),
    bend: Callable[[int, ShardResult], ShardResult] = lambda shard, result: result,
) -> RoundRecord:
    """Train the round after ``ledger`` on the keys of ``key_of(shard)``; shards in ``zeros`` stay zero, those
    in ``doubled`` count their last micro-batch twice, and ``bend`` makes what it likes of the others."""
    spec, number = ledger.spec, ledger.last_round + 1
    dataset = load_dataset(blobs.get(spec.dataset_sha256), spec.dataset)
    parent = blobs.get(ledger.model)
    checkpoint = load_checkpoint(spec, parent)
    gradients, contributions, miners = {}, [], {}
    for shard in range(spec.recipe.shards) if shards is None else sorted(shards):
        result = shard_gradient(spec, checkpoint, dataset, number, shard)
        if shard in zeros:
            nothing = tuple(np.zeros_like(part) for part in result.parts)
            result = replace(result, gradient=np.zeros_like(result.gradient), parts=nothing)
        if shard in doubled:
            last = result.parts[-1]
            result = replace(result, gradient=result.gradient + last, parts=(*result.parts[:-1], last + last))
        result = bend(shard, result)
        gradients[shard] = encode_gradient(spec, result.gradient)
        key = key_of(shard)
        miners[shard] = parse_address(key.address)
        contribution = Contribution(
            task_id=ledger.task_id,
            round=RoundNo(number),
            shard=ShardNo(shard),
            miner=miners[shard],
            spec_hash=ledger.spec_hash,
            parent_model=ledger.model,
            gradient=blobs.put(gradients[shard]),
            batches=put_parts(spec, blobs, result.parts),
            samples=result.samples,
            loss_micros=result.loss_micros,
        )
        contributions.append(contribution.sign(domain, key))
    model = apply_round(spec, parent, gradients, miners)
    blobs.put(model)
    return RoundRecord(
        round=RoundNo(number),
        parent_model=ledger.model,
        model=sha256(model),
        contributions=tuple(contributions),
    )
