"""What a segment is made of: the records of rounds, from the database."""

from collections.abc import Iterable

from coordinator.store.shards import to_signed
from coordinator.store.work_tables import ContributionRow, Round
from protocol.errors import VerificationFailed
from protocol.ids import RoundNo, Sha256
from protocol.segment import RoundRecord


def round_record(row: Round, counting: Iterable[ContributionRow], spec_hash: Sha256) -> RoundRecord:
    """The public record of a computed round; ``counting`` may hold other rounds' contributions as well."""
    if row.model is None:
        raise VerificationFailed(f"round {row.number} of task {row.task_id}", "its model is not known")
    return RoundRecord(
        round=RoundNo(row.number),
        parent_model=Sha256(row.parent_model),
        model=Sha256(row.model),
        contributions=tuple(to_signed(c, spec_hash) for c in counting if c.round == row.number),
    )
