"""How good a checkpoint is: an integer count of right answers on the test split."""

from dataclasses import dataclass
from typing import Final

import numpy as np
import torch

from protocol.spec import TaskSpec
from worker.training.checkpoint import Checkpoint
from worker.training.data import Dataset
from worker.training.forward import logits
from worker.training.numerics import numerics
from worker.training.step import named_tensors

CHUNK: Final = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """``correct`` of ``total`` test answers (samples; for text, next characters); mean loss in millionths of
    a nat.

    ``loss_micros`` is None when the loss is not finite.
    """

    correct: int
    total: int
    loss_micros: int | None

    @property
    def accuracy(self) -> float:
        return self.correct / self.total


def evaluate(
    spec: TaskSpec, checkpoint: Checkpoint, dataset: Dataset, *, threads: int = 1, device: str = "cpu"
) -> Evaluation:
    """Evaluate on the whole test split, in float64. Raises InvalidDataset when model and data do not fit."""
    dataset.require_fit(spec.model)
    samples = dataset.samples(spec.model, "test")
    correct, total, loss = 0, 0, 0.0
    with numerics(threads, device) as where, torch.inference_mode():
        tensors = named_tensors(spec, torch.tensor(checkpoint.parameters, dtype=torch.float64, device=where))
        for first in range(0, samples, CHUNK):
            batch = dataset.batch(spec.model, "test", np.arange(first, min(first + CHUNK, samples)))
            inputs = torch.tensor(batch.inputs, device=where)
            inputs = inputs.double() if inputs.is_floating_point() else inputs
            targets = torch.tensor(batch.targets, device=where).reshape(-1)
            scores = logits(spec.model, tensors, inputs).reshape(len(targets), -1)
            correct += int((scores.argmax(dim=-1) == targets).sum())
            loss += float(torch.nn.functional.cross_entropy(scores, targets, reduction="sum"))
            total += len(targets)
    micros = round(loss / total * 1e6) if np.isfinite(loss) else None
    return Evaluation(correct=correct, total=total, loss_micros=micros)
