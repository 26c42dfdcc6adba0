"""Running means of each miner's gradients: what a robust rule sees when the spec gives it a momentum.

Honest gradients of one round differ by their samples, and forged ones hide in that spread (Baruch et al.
2019). The mean over a miner's rounds differs far less, so little hides in it (Karimireddy, He, Jaggi, ICML
2021). A miner's i-th shard of a round, in ascending order, goes on with its i-th mean of the round before:

    mean = momentum * mean + (1 - momentum) * gradient

one IEEE float32 operation a kernel, the constants rounded to float32 once. A miner without such a mean starts
with its gradient; means that nobody went on with are dropped, so that there are never more than shards.
"""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from protocol.ids import Address
from worker.training.errors import InvalidRecipe

Vector: TypeAlias = NDArray[np.float32]

ADDRESS_BYTES: Final = 20
_NOBODY: Final = bytes(ADDRESS_BYTES)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunningMeans:
    """``means`` float32 [shards, size]: row k is the mean that shard k led to; ``miners`` uint8 [shards, 20]:
    whose it is, zeros for nobody's."""

    means: NDArray[np.float32]
    miners: NDArray[np.uint8]


def no_means(shards: int, size: int) -> RunningMeans:
    """Before the first round."""
    return RunningMeans(
        means=np.zeros((shards, size), dtype=np.float32),
        miners=np.zeros((shards, ADDRESS_BYTES), dtype=np.uint8),
    )


def go_on(
    before: RunningMeans, momentum: str, gradients: Mapping[int, Vector], miners: Mapping[int, Address]
) -> RunningMeans:
    """The means after one more round of flat float32 ``gradients`` [size] by shard. Raises InvalidRecipe when
    ``miners`` does not say who computed one of them."""
    kept, new = np.float32(float(momentum)), np.float32(1.0 - float(momentum))
    earlier = _rows_by_miner(before)
    after = no_means(*before.means.shape)
    for shard in sorted(gradients):
        if shard not in miners:
            raise InvalidRecipe("aggregation.momentum", f"nobody is named for shard {shard}")
        miner = bytes.fromhex(miners[shard].removeprefix("0x"))
        rows, mean = earlier.get(miner), gradients[shard]
        if rows:
            mean = np.add(np.multiply(before.means[rows.popleft()], kept), np.multiply(mean, new))
        after.means[shard] = mean
        after.miners[shard] = np.frombuffer(miner, dtype=np.uint8)
    return after


def _rows_by_miner(running: RunningMeans) -> dict[bytes, deque[int]]:
    found: dict[bytes, deque[int]] = {}
    for row, miner in enumerate(running.miners):
        if (name := miner.tobytes()) != _NOBODY:
            found.setdefault(name, deque()).append(row)
    return found
