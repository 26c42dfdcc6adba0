"""What a thief makes of a stolen network: the best linear fit of its first layer behind another Z.

Known to the honest only for measuring. The network computed W Z x; behind Z' the closest thing is W' with
W' Z' x = W Z x for the data's x in the sense of least squares. A ridge keeps directions small which few
samples have: more of it costs accuracy and makes the way from other weights shorter.
"""

from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from worker.training.sml import MappedModel

Vector: TypeAlias = NDArray[np.float32]
RIDGE: Final = 1e-6
_FIRST: Final = "hidden0.weight"


def transplant(
    model: MappedModel,
    stolen: Vector,
    owner: bytes,
    thief: bytes,
    features: NDArray[np.float32],
    ridge: float = RIDGE,
) -> Vector:
    """Flat parameters [size] of an mlp with hidden layers, moved from the owner's Z to the thief's by least
    squares over ``features`` [samples, inputs]. Raises ValueError for any other model."""
    z, other = model.matrix(owner), model.matrix(thief)
    if z is None or other is None or model.model.arch != "mlp" or not model.model.params["layers"]:
        raise ValueError("only the first layer of an mlp behind a mapping is moved")
    x = features.astype(np.float64)
    seen, wanted = x @ other.T.astype(np.float64), x @ z.T.astype(np.float64)
    gram = seen.T @ seen
    gram += ridge * np.trace(gram) / len(gram) * np.eye(len(gram))
    moved = np.linalg.solve(gram, seen.T @ wanted)  # [outputs, outputs]: seen @ moved ~ wanted
    named = {name: tensor.copy() for name, tensor in model.layout.named(stolen).items()}
    named[_FIRST] = (named[_FIRST].astype(np.float64) @ moved.T).astype(np.float32)
    return model.layout.flat(named)
