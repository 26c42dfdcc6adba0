"""The outer update: SGD with momentum, and AdamW (Loshchilov & Hutter 2019), defined to the last bit.

Every line is one elementwise IEEE-754 float32 operation over the flat vector: addition, multiplication,
division and square root are correctly rounded everywhere, and separate kernels leave a compiler nothing to
fuse. Constants are made once per round in IEEE double precision from the spec's decimal strings (correctly
rounded by ``float``), with beta**t by repeated squaring, and rounded to float32 once.
"""

from collections.abc import Mapping
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from protocol.spec import Optimizer
from worker.training.errors import Diverged, InvalidRecipe

Vector: TypeAlias = NDArray[np.float32]


def check_optimizer(optimizer: Optimizer) -> None:
    """Raises InvalidRecipe for constants with which the update is not defined."""
    below_one = ("momentum",) if optimizer.kind == "sgd" else ("beta1", "beta2")
    for name in below_one:
        if float(value := getattr(optimizer, name)) >= 1.0:
            raise InvalidRecipe(f"optimizer.{name}", f"is {value}, must be below 1")
    if optimizer.kind == "adamw" and float(optimizer.eps) == 0.0:
        raise InvalidRecipe(
            "optimizer.eps", "is 0, must be above 0: a parameter without gradient would divide by it"
        )


def state_names(optimizer: Optimizer) -> tuple[str, ...]:
    """The flat float32 vectors this optimizer carries from round to round."""
    match optimizer.kind:
        case "sgd":
            return ("momentum",) if float(optimizer.momentum) != 0.0 else ()
        case "adamw":
            return ("first_moment", "second_moment")


def update(
    optimizer: Optimizer, round_number: int, parameters: Vector, gradient: Vector, state: Mapping[str, Vector]
) -> tuple[Vector, dict[str, Vector]]:
    """Parameters and state after round ``round_number`` (1-based), all flat float32 [size]; the inputs are
    left as they are.

    Raises Diverged when a result is not finite, InvalidRecipe as ``check_optimizer``.
    """
    check_optimizer(optimizer)
    with np.errstate(over="ignore", invalid="ignore"):
        match optimizer.kind:
            case "sgd":
                result, after = _sgd(optimizer, parameters, gradient, state)
            case "adamw":
                result, after = _adamw(optimizer, round_number, parameters, gradient, state)
    if not all(bool(np.isfinite(vector).all()) for vector in (result, *after.values())):
        raise Diverged(f"the model after round {round_number}")
    return result, after


def _sgd(
    optimizer: Optimizer, parameters: Vector, gradient: Vector, state: Mapping[str, Vector]
) -> tuple[Vector, dict[str, Vector]]:
    direction, after = gradient, dict[str, Vector]()
    if decay := _constant(float(optimizer.weight_decay)):
        direction = np.add(direction, np.multiply(parameters, decay))
    if momentum := _constant(float(optimizer.momentum)):
        direction = np.add(np.multiply(state["momentum"], momentum), direction)
        after["momentum"] = direction
    return np.subtract(parameters, np.multiply(direction, _constant(float(optimizer.lr)))), after


def _adamw(
    optimizer: Optimizer, round_number: int, parameters: Vector, gradient: Vector, state: Mapping[str, Vector]
) -> tuple[Vector, dict[str, Vector]]:
    lr, beta1, beta2 = float(optimizer.lr), float(optimizer.beta1), float(optimizer.beta2)
    shrink = _constant(1.0 - lr * float(optimizer.weight_decay))
    step = _constant(lr / (1.0 - _power(beta1, round_number)))
    correction = _constant(1.0 - _power(beta2, round_number))

    first = np.add(
        np.multiply(state["first_moment"], _constant(beta1)), np.multiply(gradient, _constant(1.0 - beta1))
    )
    square = np.multiply(gradient, gradient)
    second = np.add(
        np.multiply(state["second_moment"], _constant(beta2)), np.multiply(square, _constant(1.0 - beta2))
    )
    root = np.sqrt(np.divide(second, correction))
    direction = np.divide(first, np.add(root, _constant(float(optimizer.eps))))
    result = np.subtract(np.multiply(parameters, shrink), np.multiply(direction, step))
    return result, {"first_moment": first, "second_moment": second}


def _constant(value: float) -> np.float32:
    return np.float32(value)


def _power(base: float, exponent: int) -> float:
    """base**exponent by squaring: IEEE products in a fixed order, where ``pow`` differs between C
    libraries."""
    result = 1.0
    while exponent:
        if exponent & 1:
            result *= base
        base *= base
        exponent >>= 1
    return result
