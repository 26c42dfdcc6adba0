"""The sha256 of what each robust rule makes of one seeded set of gradients; run as a program, prints them."""

import hashlib
import itertools
import json

import numpy as np
from numpy.typing import NDArray

from protocol.aggregation import Aggregation
from worker.training.aggregate import aggregate
from worker.training.philox import symmetric_uniform, words

COUNT = 11
SIZE = 20_011


def gradients() -> list[NDArray[np.float32]]:
    """COUNT vectors of SIZE whose scales differ by up to 2**20, made of nothing that a library may change."""
    shifts = words(b"scales", COUNT) % np.uint64(21)
    return [
        symmetric_uniform(b"gradient %d" % i, SIZE) * np.float32(2.0 ** int(shift)) + np.float32(0.25)
        for i, shift in enumerate(shifts)
    ]


def digests() -> dict[str, str]:
    """``before/rule`` -> sha256 of the float32 bytes."""
    vectors = gradients()
    rules = ("mean", "median", "trimmed-mean", "krum", "multi-krum", "geometric-median", "centred-clipping")
    return {
        f"{before}/{rule}": hashlib.sha256(
            aggregate(
                Aggregation(rule=rule, before=before, f=2, radius="50"),  # type: ignore[arg-type]
                vectors,
                material=b"seed",
            ).tobytes()
        ).hexdigest()
        for before, rule in itertools.product(("none", "nnm", "bucketing"), rules)
        if (before, rule) != ("none", "mean")
    }


if __name__ == "__main__":
    print(json.dumps(digests(), indent=2))
