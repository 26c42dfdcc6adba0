import hashlib
from fractions import Fraction

import numpy as np
import pytest
import torch

from protocol.spec import Optimizer
from worker.training.errors import Diverged, InvalidRecipe
from worker.training.optimizer import _power, check_optimizer, state_names, update
from worker.training.philox import symmetric_uniform

SIZE, ROUNDS = 500, 40
OPTIMIZERS = {
    "sgd": Optimizer(kind="sgd", lr="0.1"),
    "sgd with momentum and decay": Optimizer(kind="sgd", lr="0.05", momentum="0.9", weight_decay="0.01"),
    "adamw": Optimizer(kind="adamw", lr="0.01", weight_decay="0.1"),
    "adamw with other betas": Optimizer(kind="adamw", lr="0.003", beta1="0.8", beta2="0.95", eps="0.000001"),
}
# sha256 of the parameters' bytes after the run: what every machine must reach.
HASHES = {
    "sgd": "2d2272640bb2d071bc0bd4dd7368bba5",
    "sgd with momentum and decay": "2cd4e09259f5fc03091f6e4a4ec9a6e1",
    "adamw": "da13b89b75f2811040b8b344d9e832e9",
    "adamw with other betas": "7707bf220eb5d68134f07aa321166d44",
}


def torch_twin(optimizer: Optimizer, leaf: torch.Tensor) -> torch.optim.Optimizer:
    lr, decay = float(optimizer.lr), float(optimizer.weight_decay)
    if optimizer.kind == "sgd":
        return torch.optim.SGD([leaf], lr=lr, momentum=float(optimizer.momentum), weight_decay=decay)
    betas = (float(optimizer.beta1), float(optimizer.beta2))
    return torch.optim.AdamW([leaf], lr=lr, betas=betas, eps=float(optimizer.eps), weight_decay=decay)


def run(optimizer: Optimizer) -> tuple[np.ndarray, np.ndarray]:
    """Ours and torch's parameters after the same gradients."""
    ours = symmetric_uniform(b"parameters", SIZE)
    state = {name: np.zeros(SIZE, np.float32) for name in state_names(optimizer)}
    leaf = torch.tensor(ours, requires_grad=True)
    twin = torch_twin(optimizer, leaf)
    for number in range(1, ROUNDS + 1):
        gradient = symmetric_uniform(b"gradient %d" % number, SIZE)
        ours, state = update(optimizer, number, ours, gradient, state)
        leaf.grad = torch.tensor(gradient)
        twin.step()
    return ours, leaf.detach().numpy()


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_update__forty_rounds__stay_beside_torch(name: str) -> None:
    ours, theirs = run(OPTIMIZERS[name])
    np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=2e-6)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_update__forty_rounds__reach_the_committed_bits(name: str) -> None:
    ours, _ = run(OPTIMIZERS[name])
    assert hashlib.sha256(ours.tobytes()).hexdigest()[:32] == HASHES[name]


def test_update__its_inputs__stay_as_they_are() -> None:
    optimizer = OPTIMIZERS["adamw"]
    parameters, gradient = symmetric_uniform(b"p", SIZE), symmetric_uniform(b"g", SIZE)
    state = {name: np.zeros(SIZE, np.float32) for name in state_names(optimizer)}
    for array in (parameters, gradient, *state.values()):
        array.flags.writeable = False
    update(optimizer, 1, parameters, gradient, state)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_update__result_out_of_range__is_divergence(name: str) -> None:
    optimizer = OPTIMIZERS[name]
    huge = np.full(3, 3e38, np.float32)
    state = {key: np.full(3, 3e38, np.float32) for key in state_names(optimizer)}
    with pytest.raises(Diverged, match="the model after round 1"):
        update(optimizer, 1, -huge * np.float32(1.1), huge, state)


@pytest.mark.parametrize("exponent", [0, 1, 2, 3, 30, 1_000, 10_000])
def test_power__decimal_base__is_within_its_rounding_errors_of_the_exact_value(exponent: int) -> None:
    exact = float(Fraction(0.999) ** exponent)
    assert _power(0.999, exponent) == pytest.approx(exact, rel=1e-11)


@pytest.mark.parametrize(
    ("optimizer", "field"),
    [
        (Optimizer(kind="sgd", lr="0.1", momentum="1"), "momentum"),
        (Optimizer(kind="adamw", lr="0.1", beta1="1"), "beta1"),
        (Optimizer(kind="adamw", lr="0.1", beta2="1.5"), "beta2"),
        (Optimizer(kind="adamw", lr="0.1", eps="0"), "eps"),
    ],
)
def test_check_optimizer__constant_without_a_meaning__is_refused(optimizer: Optimizer, field: str) -> None:
    with pytest.raises(InvalidRecipe, match=f"recipe optimizer.{field}"):
        check_optimizer(optimizer)
