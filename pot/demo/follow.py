"""Follows one task by what the chain and the blob store say: each certified round with its loss and
accuracy.
"""

from typing import Final

from pot.client import Client
from pot.draft import Draft
from pot.report.document import Round
from protocol.chain.events import EventReader
from protocol.chain.history import TaskHistory, follow
from protocol.ids import Address, Sha256, TaskId
from protocol.segment import RoundRecord
from worker.training.checkpoint import load_checkpoint
from worker.training.evaluate import evaluate

MICROS: Final = 1_000_000


class Follower:
    """Reads forward from the task's creation; each certified round is told once. ``miners`` says by round who
    computed which shard."""

    def __init__(self, client: Client, task_id: TaskId, draft: Draft) -> None:
        self._client = client
        self._task_id = task_id
        self._draft = draft
        self._reader = EventReader(client.contracts)
        self._next_block = client.deployment.block
        self._history: TaskHistory | None = None
        self.miners: dict[int, dict[int, Address]] = {}

    def poll(self) -> list[Round]:
        """The rounds certified since the last call. Raises ServiceUnreachable, VerificationFailed,
        BlobMissing."""
        last = self._client.contracts.client.block().number
        if last < self._next_block:
            return []
        known = len(self._history.segments) if self._history is not None else 0
        events = self._reader.read(self._next_block, last)
        self._history = follow(
            self._client.contracts, self._client.blobs, events, self._history, self._task_id
        )
        self._next_block = last + 1
        fresh = self._history.segments[known:] if self._history is not None else ()
        return [self._round(item) for segment in fresh for item in segment.record.rounds]

    def left(self) -> int:
        """Escrow that nobody has earned yet, in smallest units."""
        return self._client.contracts.market.refundable(self._task_id)

    def accuracy(self, model: Sha256) -> float:
        """Share of right answers of a stored model on the test split."""
        spec = self._draft.spec
        blob = self._client.blobs.get(model, spec.limits.max_blob_bytes)
        return evaluate(spec, load_checkpoint(spec, blob), self._draft.dataset).accuracy

    def _round(self, item: RoundRecord) -> Round:
        self.miners[item.round] = item.miners
        done = [signed.contribution for signed in item.contributions]
        loss = sum(c.loss_micros * c.samples for c in done) / sum(c.samples for c in done) / MICROS
        return Round(
            round=item.round,
            loss=loss,
            accuracy=self.accuracy(item.model),
            shards=len(done),
            miners=len({c.miner for c in done}),
            model_sha256=item.model.hex(),
        )
