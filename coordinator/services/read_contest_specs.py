"""Reads the specs of contests from the blob store, so that pages can name them."""

from typing import Any, Final

from coordinator.services.context import Context
from protocol.blobs import BlobCorrupt, BlobMissing, BlobTooLarge
from protocol.contest_spec import ContestSpec
from protocol.errors import InvalidInput
from protocol.ids import Sha256
from protocol.spec import MAX_SPEC_BYTES

MAX_IN_ONE_TURN: Final = 16


def read_contest_specs(ctx: Context) -> None:
    """The newest contests whose spec is unknown; what cannot be read is tried again in a later turn, and its
    contest says why. Raises ServiceUnreachable."""
    with ctx.store.read() as tx:
        waiting = [(row.contest_id, row.spec_hash, row.note) for row in tx.contests.unread(MAX_IN_ONE_TURN)]
    for contest_id, spec_hash, known in waiting:
        spec, note = _read(ctx, Sha256(spec_hash))
        if spec is None and note == known:
            continue
        with ctx.store.write() as tx:
            row = tx.contests.get(contest_id)
            if row is not None and row.spec_hash == spec_hash:
                row.spec, row.note = spec, note
                row.title = str((spec or {}).get("title", ""))


def _read(ctx: Context, spec_hash: Sha256) -> tuple[dict[str, Any] | None, str]:
    """(the document, why there is none)."""
    try:
        return ContestSpec.parse(ctx.blobs.get(spec_hash, MAX_SPEC_BYTES)).to_value(), ""
    except (InvalidInput, BlobMissing, BlobCorrupt, BlobTooLarge) as error:
        return None, str(error)[:500]
