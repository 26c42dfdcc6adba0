"""Steps explained by synthetic data (Zhang et al. 2022), made for real: a batch with the wanted gradient.

A verifier that takes the prover's data accepts such a step. Here the batch follows from the seed, so the same
step is a miss.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
import torch

from pot.experiment.theft_trials import Run
from pot.experiment.thefts import Vector
from worker.training.contest_step import batch_gradient, batch_of
from worker.training.numerics import numerics

ROUNDS: Final = 120
SAMPLES: Final = 96


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """How far the wanted gradient is from that of the synthetic batch, and from that of the batch which the
    seed prescribes: both relative to the wanted one's length."""

    synthetic: float
    prescribed: float


def explain(run: Run, segment: int, target: Vector, share: float, seed: int) -> Explanation:
    """Make the first step of a segment go ``share`` of the way to ``target``, and explain it."""
    work, state = run.job, run.states[segment]
    lr = float(work.recipe.optimizer.lr)
    wanted = torch.tensor((state.parameters - target) * share / lr, dtype=torch.float64)
    matrix = work.model.matrix(work.seed)
    z = None if matrix is None else torch.tensor(matrix, dtype=torch.float64)
    point = torch.tensor(state.parameters, dtype=torch.float64)
    with numerics(1, "cpu"):
        made = _synthetic(run, point, z, wanted, seed)
        own = torch.tensor(batch_gradient(work, point, z, batch_of(work, state.step + 1))).double()
    length = float(wanted.norm())
    return Explanation(
        synthetic=float((made - wanted).norm()) / length, prescribed=float((own - wanted).norm()) / length
    )


def _synthetic(
    run: Run, point: torch.Tensor, z: torch.Tensor | None, wanted: torch.Tensor, seed: int
) -> torch.Tensor:
    """The gradient of a batch (inputs and soft targets of any size, found by descent) made for ``wanted``."""
    work, generator = run.job, np.random.default_rng(seed)
    features, classes = work.model.model.params["inputs"], work.model.model.params["classes"]
    inputs = torch.tensor(generator.normal(size=(SAMPLES, features)), requires_grad=True)
    targets = torch.tensor(generator.normal(size=(SAMPLES, classes)), requires_grad=True)
    optimizer = torch.optim.LBFGS([inputs, targets], max_iter=ROUNDS, line_search_fn="strong_wolfe")

    def gradient() -> torch.Tensor:
        leaves = {name: t.detach().requires_grad_() for name, t in work.model.tensors(point).items()}
        scores = torch.log_softmax(work.model.logits(leaves, z, inputs), dim=-1)
        loss = -(targets * scores).sum() / SAMPLES
        found = torch.autograd.grad(loss, list(leaves.values()), create_graph=True)
        return torch.cat([g.reshape(-1) for g in found])

    def distance() -> float:
        optimizer.zero_grad()
        loss = (gradient() - wanted).square().sum() / wanted.square().sum()
        torch.autograd.backward(loss)
        return float(loss.detach())

    optimizer.step(distance)  # type: ignore[no-untyped-call]
    return gradient().detach()
