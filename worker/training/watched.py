"""The few scores of a shard that somebody wants to see, kept while all of them pass by."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from worker.training.witness import WITNESSES, score_places


class Watched:
    """For each seed the places that it draws among the scores of ``targets`` targets, in computing order."""

    def __init__(self, seeds: Sequence[bytes], targets: int) -> None:
        self.scores: NDArray[np.float64] = np.zeros((len(seeds), WITNESSES))
        self._seeds = seeds
        self._targets = targets
        self._places: NDArray[np.int64] | None = None
        self._seen = 0

    def see(self, scores: Tensor) -> None:
        """The scores [..., classes] of the next targets."""
        if not self._seeds:
            return
        if self._places is None:
            total = self._targets * scores.shape[-1]
            self._places = np.stack([score_places(seed, total) for seed in self._seeds])
        flat = scores.reshape(-1).cpu().numpy()
        here = (self._places >= self._seen) & (self._places < self._seen + flat.size)
        self.scores[here] = flat[self._places[here] - self._seen]
        self._seen += flat.size
