"""Who is drawn: committees by stake, courts beside them; the same sampling as the contract's, for anybody to
repeat (ADR 0010)."""

from collections.abc import Sequence
from dataclasses import dataclass

from eth_abi.abi import encode
from eth_utils.crypto import keccak

from protocol.errors import InvalidInput
from protocol.ids import Address, TaskId
from protocol.members import MIN_MEMBERS

BLOCKHASH_WINDOW = 256
"""Blocks for which a chain tells a contract the hash of a past block."""
MAX_STAKE = (1 << 96) - 1
"""What a snapshot records of a stake."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A member of a snapshot. ``stake`` is its weight, in the token's smallest unit."""

    account: Address
    stake: int


def needs_draw(size: int, snapshot: int) -> bool:
    """Whether a committee of ``size`` from ``snapshot`` members is drawn; 0 and the snapshot's size mean
    everybody, at once."""
    return size not in (0, snapshot)


def is_committee_size(size: int, snapshot: int) -> bool:
    """Whether the contract accepts ``size`` for a snapshot of so many members: 0, all of them, or 3f + 1."""
    return not needs_draw(size, snapshot) or (MIN_MEMBERS <= size <= snapshot and size % 3 == 1)


def draw_seed(source: bytes, task_id: TaskId, dispute: int = 0) -> bytes:
    """The seed of a panel. ``source`` is the hash of its draw block, or, when the draw came more than
    BLOCKHASH_WINDOW blocks after it, the snapshot's own seed; ``dispute`` 0 is the task's committee."""
    return keccak(encode(["bytes32", "uint256", "uint256"], [source, task_id, dispute]))


def sample(candidates: Sequence[Candidate], seed: bytes, size: int) -> tuple[Address, ...]:
    """``size`` of the ``candidates``, which ascend by address, ascending. Raises InvalidInput when there are
    fewer, or one has no stake."""
    left = list(candidates)
    if size > len(left) or any(not 0 < candidate.stake <= MAX_STAKE for candidate in left):
        raise InvalidInput(f"{size} cannot be drawn from these {len(left)} members.")
    total = sum(candidate.stake for candidate in left)
    drawn: list[Address] = []
    for turn in range(size):
        ticket = int.from_bytes(keccak(encode(["bytes32", "uint256"], [seed, turn]))) % total
        place = 0
        while ticket >= left[place].stake:
            ticket -= left[place].stake
            place += 1
        drawn.append(left[place].account)
        total -= left[place].stake
        # The last one takes the place of the one that was drawn.
        last = left.pop()
        if place < len(left):
            left[place] = last
    return _ascending(drawn)


def court(
    candidates: Sequence[Candidate], committee: Sequence[Address], seed: bytes, size: int
) -> tuple[Address, ...]:
    """A court of ``size`` members: from those outside the task's ``committee`` alone if they are enough, else
    all of them, filled up from the inside."""
    inside = [candidate for candidate in candidates if candidate.account in committee]
    outside = [candidate for candidate in candidates if candidate.account not in committee]
    if len(outside) >= size:
        return sample(outside, seed, size)
    needed = min(size, len(candidates)) - len(outside)
    return _ascending([*(candidate.account for candidate in outside), *sample(inside, seed, needed)])


def _ascending(accounts: Sequence[Address]) -> tuple[Address, ...]:
    return tuple(sorted(accounts, key=lambda account: int(account, 16)))
