"""How good the model is after each round: the test split, evaluated apart from the dispatch."""

from coordinator.services.context import Context
from coordinator.services.ledgers import spec_of
from coordinator.store.work_tables import Round
from protocol.errors import PotError, ServiceUnreachable
from protocol.ids import Sha256
from worker.training.checkpoint import load_checkpoint
from worker.training.evaluate import Evaluation, evaluate

NOT_EVALUATED = -1  # correct, of a total of 0: this round's evaluation failed and is not tried again
BATCH = 16


def evaluate_rounds(ctx: Context) -> int:
    """Evaluate the newest rounds that were not; how many were looked at. Raises ServiceUnreachable."""
    with ctx.store.read() as tx:
        rows = tx.rounds.unevaluated(BATCH)
    for row in rows:
        _note(ctx, row, _evaluate(ctx, row))
    return len(rows)


def _evaluate(ctx: Context, row: Round) -> Evaluation | None:
    with ctx.store.read() as tx:
        task = tx.tasks.get(row.task_id)
    if task is None or task.spec is None or row.model is None:
        return None
    spec = spec_of(task)
    try:
        dataset = ctx.datasets.get(spec.dataset, lambda: ctx.blobs.get(spec.dataset_sha256))
        blob = ctx.blobs.get(Sha256(row.model), spec.limits.max_blob_bytes)
        return evaluate(spec, load_checkpoint(spec, blob), dataset)
    except ServiceUnreachable:
        raise
    except PotError:
        # A figure for people: without dataset or checkpoint the page shows none, and nothing else depends on
        # it.
        return None


def _note(ctx: Context, row: Round, found: Evaluation | None) -> None:
    now_s = ctx.now_s()
    with ctx.store.write() as tx:
        fresh = tx.rounds.get(row.task_id, row.number)
        if fresh is None or fresh.model != row.model:
            return
        if found is None:
            fresh.correct, fresh.total = NOT_EVALUATED, 0
            return
        fresh.correct, fresh.total, fresh.test_loss_micros = found.correct, found.total, found.loss_micros
        tx.feed.add(
            "round.evaluated",
            now_s,
            row.task_id,
            round=row.number,
            correct=found.correct,
            total=found.total,
            loss_micros=found.loss_micros,
        )
