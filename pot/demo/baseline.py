"""What the network is compared with: plain training, and the protocol's own arithmetic in one process."""

from collections.abc import Mapping, Sequence

from pot.draft import Draft
from pot.report.document import Replay, Round
from protocol.ids import Address, sha256
from worker.training.centralized import train_centralized
from worker.training.checkpoint import initial_checkpoint, load_checkpoint
from worker.training.evaluate import evaluate
from worker.training.rounds import apply_round
from worker.training.step import encode_gradient, shard_gradient


def centralized_accuracy(draft: Draft) -> float:
    """Test accuracy of ordinary single-process torch on the same batches, optimizer and rounds."""
    trained = train_centralized(draft.spec, draft.dataset)
    return evaluate(draft.spec, trained.checkpoint, draft.dataset).accuracy


def replay(draft: Draft, history: Sequence[Round], miners: Mapping[int, Mapping[int, Address]]) -> Replay:
    """Train every shard of the certified rounds again here, without reading anything the network
    computed, and compare the last model by hash. ``miners`` says by round who computed which shard.
    """
    if not history:
        return Replay()
    spec, blob = draft.spec, initial_checkpoint(draft.spec)
    for item in history:
        checkpoint = load_checkpoint(spec, blob)
        gradients = {
            shard: encode_gradient(
                spec, shard_gradient(spec, checkpoint, draft.dataset, item.round, shard).gradient
            )
            for shard in range(spec.recipe.shards)
        }
        blob = apply_round(spec, blob, gradients, miners[item.round])
    name = sha256(blob).hex()
    return Replay(identical=name == history[-1].model_sha256, model_sha256=name)
