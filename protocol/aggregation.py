"""How a round's gradients become one, as a spec says it: the part of the recipe that is about attackers."""

from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta

from protocol.errors import InvalidInput

MAX_TOLERATED: Final = 512
MAX_COMPARED_SHARDS: Final = 256
MAX_ITERATIONS: Final = 64
MAX_BUCKET: Final = 1024

PositiveDecimal = Annotated[
    str,
    Meta(
        pattern=r"^(?=.*[1-9])[0-9]{1,9}(\.[0-9]{1,12})?$",
        description="a decimal number above 0, as a string",
    ),
]

BelowOne = Annotated[
    str,
    Meta(pattern=r"^0(\.[0-9]{1,12})?$", description="a decimal number from 0 to below 1, as a string"),
]


class Aggregation(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A rule that tolerates ``f`` bad gradients in a round.

    ``before``: nearest-neighbour mixing (nnm), or means of random buckets of ``bucket`` gradients.
    geometric-median and centred-clipping make ``iterations`` steps from the zero vector. ``radius`` (how far
    a gradient pulls in one step of centred-clipping) and ``smoothing`` (the least distance geometric-median
    divides by) are Euclidean lengths in the gradients' own unit. With a ``momentum`` above 0 the rule sees
    each miner's running mean in place of its gradient (``worker.training.running``). A field that the rule
    does not read keeps its default.
    """

    rule: Literal[
        "mean", "median", "trimmed-mean", "krum", "multi-krum", "geometric-median", "centred-clipping"
    ]
    f: Annotated[int, Meta(ge=0, le=MAX_TOLERATED)]
    before: Literal["none", "nnm", "bucketing"] = "none"
    bucket: Annotated[int, Meta(ge=2, le=MAX_BUCKET)] = 2
    iterations: Annotated[int, Meta(ge=1, le=MAX_ITERATIONS)] = 8
    radius: PositiveDecimal = "1"
    smoothing: PositiveDecimal = "0.000001"
    momentum: BelowOne = "0"

    @property
    def remembers(self) -> bool:
        """Whether the rule sees running means: the checkpoint then holds one vector a shard."""
        return float(self.momentum) > 0.0

    @property
    def compares(self) -> bool:
        """Whether distances between gradients are needed: time and memory grow with their number squared."""
        coordinatewise = self.rule in ("mean", "median", "trimmed-mean")
        return self.before == "nnm" or not coordinatewise

    def votes(self, gradients: int) -> int:
        """How many vectors the rule itself sees when ``gradients`` arrived."""
        return -(-gradients // self.bucket) if self.before == "bucketing" else gradients

    def check(self, *, shards: int, min_shards: int) -> None:
        """Raises InvalidInput unless every round that goes on, with ``min_shards`` to ``shards`` gradients,
        has a majority of good ones and is small enough to compare."""
        if self.rule == "mean" and self.before == "none":
            raise InvalidInput('recipe.aggregation: a plain mean tolerates nobody; write it as "mean".')
        if (votes := self.votes(min_shards)) <= 2 * self.f:
            raise InvalidInput(
                f"recipe.aggregation.f is {self.f}: the rule then needs {2 * self.f + 1} vectors, and "
                f"limits.min_shards = {min_shards} may leave it {votes}."
            )
        if self.compares and shards > MAX_COMPARED_SHARDS:
            raise InvalidInput(
                f"recipe.shards is {shards}: an aggregation that compares gradients takes at most "
                f"{MAX_COMPARED_SHARDS}."
            )
