"""The learning chain's rules: which block may follow which, and which of two chains is the right one.

A contest block needs a certificate: what the contracts say about its task (``Win``). A block names the task
whose winner appends the next one; another task's block, or a puzzle, may only stand there where none was
named or the named one ended without a winner. Proof of work has its own rule for targets and is a chain of
its own.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Protocol

from protocol.errors import PeerMisbehaved
from protocol.hash_work import PUZZLE_TARGET
from protocol.ids import Address
from protocol.learning_block import Block, Kind
from protocol.learning_payload import list_root, order_list
from protocol.typed_data import Domain

MAX_DRIFT_S = 120


@dataclass(frozen=True, slots=True, kw_only=True)
class Win:
    """What was certified about a task: who won it with which model, and how good it was."""

    winner: Address
    model: bytes
    correct: int
    answers: int
    transactions: bytes


class Facts(Protocol):
    """What the contracts say; asked, never believed from a block."""

    def win_of(self, task: int) -> Win | None:
        """The certified result of a task; None while there is none, or when nobody won."""

    def ended_without_winner(self, task: int) -> bool:
        """Whether a task is over and nobody won."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tip:
    """A valid chain by its last block: how many contests and how much work it holds, and each author's next
    number."""

    block: Block
    contests: int = 0
    work: int = 0
    sequences: Mapping[Address, int] = field(default_factory=lambda: MappingProxyType({}))
    tasks: frozenset[int] = frozenset()

    @property
    def weight(self) -> tuple[int, int, int]:
        """Larger wins: contests, which are certified, before puzzles; then work; then the smaller hash."""
        return self.contests, self.work, -int.from_bytes(self.block.hash, "big")


def start(first: Block) -> Tip:
    """The chain of a genesis block alone. Raises PeerMisbehaved for any other block."""
    _require(first.kind is Kind.GENESIS and first.height == 0, "the chain does not begin with a genesis")
    return Tip(block=first)


def append(tip: Tip, block: Block, listed: bytes, *, domain: Domain, facts: Facts, now: int) -> Tip:
    """The chain with one block more, whose list of payloads is the blob ``listed``. Raises PeerMisbehaved,
    and nothing changed, unless: the block names its parent; its height follows; its time rises and is not
    ahead of ``now`` (Unix seconds) by more than MAX_DRIFT_S; its right to stand there holds; the list is its
    root's. Payloads that do not follow are void, the block stands."""
    parent = tip.block
    _require(block.parent == parent.hash, f"block {block.height} does not follow {parent.hash.hex()}")
    _require(block.height == parent.height + 1, f"height {block.height} after {parent.height}")
    _require(block.time > parent.time, f"block {block.height} is not later than its parent")
    _require(block.time <= now + MAX_DRIFT_S, f"block {block.height} is from the future")
    match block.kind:
        case Kind.CONTEST:
            _check_contest(tip, block, facts)
        case Kind.PUZZLE:
            _check_puzzle(parent, block, facts)
        case _:
            raise PeerMisbehaved("block", f"a {block.kind.name.lower()} block cannot stand here")
    _require(list_root(listed) == block.transactions, f"block {block.height} names other payloads")
    return Tip(
        block=block,
        contests=tip.contests + (block.kind is Kind.CONTEST),
        work=tip.work + block.work,
        sequences=order_list(tip.sequences, listed, domain).sequences,
        tasks=tip.tasks | {block.task} if block.task else tip.tasks,
    )


def choose(tips: Sequence[Tip]) -> Tip:
    """The chain that counts among valid ones; the same for everybody, in whatever order they came."""
    return max(tips, key=lambda tip: tip.weight)


def _check_contest(tip: Tip, block: Block, facts: Facts) -> None:
    win = facts.win_of(block.task)
    _require(win is not None, f"task {block.task} has no certified winner")
    found = Win(
        winner=block.winner,
        model=block.model,
        correct=block.correct,
        answers=block.answers,
        transactions=block.transactions,
    )
    _require(found == win, f"block {block.height} is not what was certified for task {block.task}")
    _require(block.task not in tip.tasks, f"task {block.task} has its block")
    named = tip.block.next_task
    free = named in (0, block.task) or facts.ended_without_winner(named)
    _require(free, f"task {named} was to be next, not {block.task}")
    _require(not (block.target or block.nonce), f"block {block.height} carries a puzzle")


def _check_puzzle(parent: Block, block: Block, facts: Facts) -> None:
    named = parent.next_task
    _require(named == 0 or facts.ended_without_winner(named), f"task {named} is to be won, not a puzzle")
    check_puzzle(block)


def check_puzzle(block: Block) -> None:
    """Raises PeerMisbehaved unless a block is a solved puzzle of the fixed target and nothing else."""
    bare = not (block.task or block.correct or block.answers or any(block.model))
    _require(bare, f"block {block.height} claims a model and no contest")
    _require(block.target == PUZZLE_TARGET, f"block {block.height} has a target of its own")
    _require(block.meets_target, f"the hash of block {block.height} is above its target")


def _require(true: bool, otherwise: str) -> None:
    if not true:
        raise PeerMisbehaved("block", otherwise)
