"""Which samples a shard holds: a function of the spec's hash, the round and the shard number alone.

Training runs over a sequence of epochs; epoch e is a permutation of all samples, keyed by the spec's hash and
e. While a global batch B fits into the N samples, an epoch serves floor(N / B) rounds, each a run of B places
of the permutation: no sample occurs twice in a round or in an epoch, and the N mod B samples left over are
other ones in each epoch. A batch larger than the data takes ceil(B / N) permutations of its own, so no sample
occurs more than once oftener than another. A round's run is cut into equal shards, in order.
"""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from protocol.spec import Recipe
from worker.training import philox
from worker.training.errors import InvalidRecipe

MAX_SAMPLES = 16 * 1024 * 1024


def shard_indices(
    spec_hash: bytes, recipe: Recipe, samples: int, round_number: int, shard: int
) -> NDArray[np.int64]:
    """The samples of ``shard`` (0..K-1) in round 1..R, int64 [global_batch / shards], in computing order.

    ``samples`` is the number of training samples. Raises InvalidRecipe for a round or shard that the recipe
    does not have, or for more than MAX_SAMPLES samples.
    """
    if not 1 <= round_number <= recipe.rounds:
        raise InvalidRecipe("rounds", f"round {round_number} is not in 1..{recipe.rounds}")
    if not 0 <= shard < recipe.shards:
        raise InvalidRecipe("shards", f"shard {shard} is not in 0..{recipe.shards - 1}")
    if not 1 <= samples <= MAX_SAMPLES:
        raise InvalidRecipe("global_batch", f"{samples} training samples, allowed are 1..{MAX_SAMPLES}")
    size = recipe.samples_per_shard
    return round_order(spec_hash, recipe.global_batch, samples, round_number)[
        shard * size : (shard + 1) * size
    ]


@lru_cache(maxsize=16)
def round_order(spec_hash: bytes, batch: int, samples: int, round_number: int) -> NDArray[np.int64]:
    """The ``batch`` samples of round 1, 2, 3, ... of the sequence named ``spec_hash``; read-only."""
    if batch <= samples:
        epoch, place = divmod(round_number - 1, samples // batch)
        return _epoch(spec_hash, samples, epoch)[place * batch : (place + 1) * batch]
    passes = -(-batch // samples)
    epochs = [_epoch(spec_hash, samples, (round_number - 1) * passes + i) for i in range(passes)]
    return _read_only(np.concatenate(epochs)[:batch])


@lru_cache(maxsize=4)
def _epoch(spec_hash: bytes, samples: int, epoch: int) -> NDArray[np.int64]:
    material = b"pot/epoch/v1/" + spec_hash + b"/" + str(epoch).encode()
    return _read_only(philox.permutation(material, samples))


def _read_only(array: NDArray[np.int64]) -> NDArray[np.int64]:
    # Cached arrays are handed out more than once.
    array.flags.writeable = False
    return array
