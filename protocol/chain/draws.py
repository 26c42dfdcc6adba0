"""Was a committee drawn as the contract says? The snapshot and one block's hash let anybody repeat it."""

from protocol.chain.contracts import Contracts
from protocol.chain.events import CommitteeDrawn, TaskCreated
from protocol.draw import BLOCKHASH_WINDOW, draw_seed, needs_draw, sample
from protocol.errors import VerificationFailed
from protocol.ids import Address


def draw_block(contracts: Contracts, created: TaskCreated) -> int:
    """The block whose hash draws the committee of a task; a draw is possible in any block after it."""
    return created.where.block_number + contracts.committee.draw_delay()


def expected_committee(
    contracts: Contracts, created: TaskCreated, drawn: CommitteeDrawn | None
) -> tuple[Address, ...]:
    """The committee that the snapshot of the task's epoch and the draw's seed lead to; the whole snapshot
    where nothing is drawn, nobody while that is due. Raises ServiceUnreachable, Refused."""
    candidates = contracts.committee.candidates(created.epoch)
    size = created.params.committee_size
    if not needs_draw(size, len(candidates)):
        return tuple(candidate.account for candidate in candidates)
    if drawn is None:
        return ()
    seeded = draw_block(contracts, created)
    in_time = drawn.where.block_number - seeded <= BLOCKHASH_WINDOW
    source = contracts.client.block(seeded).hash if in_time else contracts.committee.seed_of(created.epoch)
    return sample(candidates, draw_seed(source, created.task_id), size)


def check_draw(contracts: Contracts, created: TaskCreated, drawn: CommitteeDrawn | None) -> str:
    """Repeat the draw and compare; a sentence of what was found. Raises VerificationFailed when the contract
    holds another committee, and what the chain raises."""
    expected = expected_committee(contracts, created, drawn)
    if not expected:
        return "the committee has not been drawn yet"
    for source, members in (
        ("contract", contracts.committee.members_of_task(created.task_id)),
        ("event", expected if drawn is None else drawn.members),
    ):
        if members != expected:
            raise VerificationFailed(
                f"committee of task {created.task_id}",
                f"the draw leads to {', '.join(expected)}, the {source} says {', '.join(members)}",
            )
    if drawn is None:
        return f"all {len(expected)} members of epoch {created.epoch}"
    return f"{len(expected)} members drawn by stake from epoch {created.epoch}; the draw was repeated"
