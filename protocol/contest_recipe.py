"""How a whole model is trained in a contest: the parts of a contest's spec that the arithmetic reads."""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from protocol.spec import Optimizer

MAX_STEPS = 1 << 20
MAX_MAPPED = 65_536
MAX_CHECKPOINTS = 4_096
MAX_REPLAYS = 1_024


class MappingTerms(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A Secure Mapping Layer: fixed, linear, from ``inputs`` to fewer ``outputs`` numbers. ``inputs`` is the
    number of features (mlp), of pixels of a square patch (cnn), or the width of the fixed embedding
    (transformer, whose width is ``outputs``)."""

    inputs: Annotated[int, Meta(ge=2, le=MAX_MAPPED)]
    outputs: Annotated[int, Meta(ge=1, le=MAX_MAPPED)]


class TraceTerms(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A checkpoint after every ``every`` steps; of the segments between them, each replica replays the same:
    the ``largest`` and ``random`` more."""

    every: Annotated[int, Meta(ge=1, le=MAX_STEPS)]
    largest: Annotated[int, Meta(ge=1, le=MAX_REPLAYS)]
    random: Annotated[int, Meta(ge=1, le=MAX_REPLAYS)]


class ContestRecipe(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``steps`` updates on batches of ``batch`` samples, each batch computed in micro-batches. Without
    ``trace`` the recipe is advice: a contest then asks only for the best weights."""

    optimizer: Optimizer
    steps: Annotated[int, Meta(ge=1, le=MAX_STEPS)]
    batch: Annotated[int, Meta(ge=1, le=1 << 20)]
    micro_batch: Annotated[int, Meta(ge=1, le=1 << 16)] = 32
    compute: Literal["float64", "float32"] = "float64"
    mapping: MappingTerms | None = None
    trace: TraceTerms | None = None

    @property
    def segments(self) -> int:
        """Segments of a trace: each ``every`` steps long, the last one maybe shorter; 0 without a trace."""
        return -(-self.steps // self.trace.every) if self.trace else 0

    @property
    def replays(self) -> int:
        """Segments that each member of a committee replays; 0 without a trace."""
        return self.trace.largest + self.trace.random if self.trace else 0
