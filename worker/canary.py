"""A poster's own miner that keeps validators awake: honest gradients with a mark that makes each a fault."""

import logging
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from protocol.blobs import BlobStore
from protocol.canary_mark import canary_salt, mark_of, marked, tellable
from protocol.errors import InvalidInput
from protocol.policy import Limits, load_policy
from protocol.signing import Signer
from protocol.spec import TaskSpec
from protocol.typed_data import Domain
from worker.forging import consistent
from worker.trainer import HonestTrainer, ShardAnswer, ShardWork, answer
from worker.training.codec import MANTISSA_BITS, decode_codes, encode, values_of
from worker.training.errors import BlobRejected
from worker.training.models import layout_of
from worker.training.tolerance import compare_codes, limits_of

if TYPE_CHECKING:
    from worker.training.step import ShardResult

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class CanaryTrainer:
    """Trains honestly and marks what comes of it. Where that cannot be told from honest noise, or the blob
    would not be canonical any more, the honest work is handed in."""

    honest: HonestTrainer
    signer: Signer
    domain: Domain
    blobs: BlobStore

    def train(self, work: ShardWork) -> ShardAnswer:
        """Raises InvalidRecipe, InvalidDataset, Diverged, and what reading the policy raises."""
        found = self.honest.compute(work)
        salt = canary_salt(self.signer, self.domain, work.spec.hash)
        mark = mark_of(salt, work.spec.hash, work.round, work.shard)
        limits = limits_of(work.spec, load_policy(work.spec.policy_sha256, self.blobs))
        canary = canary_of(work.spec, limits, found, mark)
        if canary is None:
            log.warning("round %s shard %s is no canary: it could not be told", work.round, work.shard)
        return answer(work.spec, canary or found)


def canary_of(spec: TaskSpec, limits: Limits, found: "ShardResult", mark: int) -> "ShardResult | None":
    """The result with marked codes, still the sum of its micro-batches; None where its blob is not canonical,
    or not a miss for whoever executes the shard."""
    layout, codec = layout_of(spec.model), spec.recipe.codec
    if not tellable(limits, codec, layout.size):
        return None
    honest = encode(codec, layout, found.gradient)
    try:
        wanted = marked(honest, mark, MANTISSA_BITS[codec])
        before, after = decode_codes(codec, layout, honest), decode_codes(codec, layout, wanted)
    except (BlobRejected, InvalidInput):
        return None
    # Whole levels are added to what was computed, so that what was rounded away looks as it did.
    moved = values_of(layout, after) - values_of(layout, before)
    made = replace(found, gradient=found.gradient + moved.astype(found.gradient.dtype))
    if compare_codes(after, before, limits).ok or encode(codec, layout, made.gradient) != wanted:
        return None
    return consistent(spec, made)
