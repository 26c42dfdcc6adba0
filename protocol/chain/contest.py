"""LearningContest and its panels: contests for whole models."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, Final

from protocol.chain.contract import Block, Call, ContractClient
from protocol.chain.token import Permit
from protocol.contest import SignedScores
from protocol.contest_spec import ContestSpec
from protocol.errors import InvalidInput
from protocol.ids import Address, EpochNo, Sha256, Wei
from protocol.learning_block import Block as LearningBlock

NO_WINNER: Final = 255


class ContestStatus(IntEnum):
    """Where a contest is in its life, as the contract numbers it."""

    NONE = 0
    OPEN = 1
    RELEASED = 2
    SCORED = 3
    CHALLENGED = 4
    CLOSED = 5


class Outcome(IntEnum):
    """How a contest ended, as the contract numbers it."""

    NONE = 0
    CANCELLED = 1
    NO_ENTRIES = 2
    NOT_RELEASED = 3
    NOTHING_REVEALED = 4
    NOT_SCORED = 5
    BAD_TEST_SET = 6
    NO_WINNER = 7
    WON = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class ContestParams:
    """What a poster fixes on-chain. Money in smallest token units, times in seconds; ``commit_deadline`` is
    Unix time. ``committee_size`` 0 takes the whole snapshot."""

    spec_hash: Sha256
    test_set: Sha256
    key_hash: bytes
    test_answers: int
    target_correct: int
    min_correct: int
    max_entries: int
    reward: int
    fee: int
    compensation: int
    miner_stake: int
    slash_per_fault: int
    commit_deadline: int
    release_s: int
    reveal_s: int
    score_s: int
    challenge_window_s: int
    committee_size: int

    @classmethod
    def of(cls, spec: ContestSpec, key_hash: bytes, posted_at: int) -> "ContestParams":
        """The parameters that agree with ``spec``; commitments are accepted for its ``commit_s``."""
        return cls(key_hash=key_hash, commit_deadline=posted_at + spec.limits.commit_s, **_terms(spec))

    @property
    def escrow(self) -> int:
        """All that the poster pays in."""
        return self.reward + self.fee + self.compensation * self.max_entries

    def argument(self) -> tuple[Any, ...]:
        return tuple(getattr(self, name) for name in self.__slots__)

    def agrees_with(self, spec: ContestSpec) -> None:
        """Raises InvalidInput, naming the field, unless the terms on the chain are those of ``spec``."""
        for name, wanted in _terms(spec).items():
            if getattr(self, name) != wanted:
                raise InvalidInput(
                    f"{name} is {getattr(self, name)!r} on the chain but {wanted!r} in the contest's spec."
                )


def _terms(spec: ContestSpec) -> dict[str, Any]:
    money, limits = spec.money, spec.limits
    return {
        "spec_hash": spec.hash,
        "test_set": spec.test_set_sha256,
        "test_answers": spec.test_set.answers,
        "target_correct": spec.goal.target,
        "min_correct": spec.goal.least,
        "max_entries": limits.max_entries,
        "reward": int(money.reward),
        "fee": int(money.fee),
        "compensation": int(money.compensation),
        "miner_stake": int(money.miner_stake),
        "slash_per_fault": int(money.slash_per_fault),
        "release_s": limits.release_s,
        "reveal_s": limits.reveal_s,
        "score_s": limits.score_s,
        "challenge_window_s": limits.challenge_window_s,
        "committee_size": spec.checks.committee_size,
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class OnchainEntry:
    """One miner's entry; ``model`` and ``trace`` are zero until it is revealed."""

    place: int
    miner: Address
    committed_at: int
    commitment: bytes
    model: bytes
    trace: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class OnchainContest:
    """State of a contest. Bits of ``revealed`` and ``frauds`` count entries; ``ends_at`` is when the phase
    that ``status`` names ends, Unix seconds; ``winner`` None when nobody wins as things stand."""

    contest_id: int
    poster: Address
    status: ContestStatus
    outcome: Outcome
    epoch: EpochNo
    entries: int
    bad_test_set: bool
    decided_by: int
    winner: int | None
    winner_correct: int
    revealed: int
    frauds: int
    ends_at: int
    challenger: Address
    parent: bytes


class ContestPanels(ContractClient):
    """The committees and courts of the contests."""

    NAME = "ContestPanels"

    def members(self, contest_id: int, instance: int, block: Block = "latest") -> tuple[Address, ...]:
        """Ascending. Raises Refused (PanelNotDrawn) while they are to be drawn."""
        return tuple(Address(member) for member in self.view("members", contest_id, instance, block=block))

    def panel(self, contest_id: int, instance: int, block: Block = "latest") -> tuple[int, int, bool]:
        """(size, draw block, whether it is drawn); size 0 when none was assigned."""
        raw = self.view("panelOf", contest_id, instance, block=block)
        return int(raw.size), int(raw.drawBlock), int(raw.members, 16) != 0

    def draw(self, contest_id: int, instance: int) -> Call:
        return self.write("draw", contest_id, instance)


class LearningContest(ContractClient):
    """One method per function of LearningContest."""

    NAME = "LearningContest"

    def panels(self) -> ContestPanels:
        """Asks the chain where they are. Raises Refused, ServiceUnreachable."""
        return ContestPanels(self.client, Address(self.view("PANELS")))

    def count(self, block: Block = "latest") -> int:
        """Number of the newest contest."""
        return int(self.view("contestCount", block=block))

    def contest(self, contest_id: int, block: Block = "latest") -> OnchainContest:
        """Status NONE for one that does not exist."""
        raw = self.view("contest", contest_id, block=block)
        return OnchainContest(
            contest_id=contest_id,
            poster=Address(raw.poster),
            status=ContestStatus(raw.status),
            outcome=Outcome(raw.outcome),
            epoch=EpochNo(raw.epoch),
            entries=int(raw.entries),
            bad_test_set=bool(raw.badTestSet),
            decided_by=int(raw.decidedBy),
            winner=None if raw.winner == NO_WINNER else int(raw.winner),
            winner_correct=int(raw.winnerCorrect),
            revealed=int(raw.revealed),
            frauds=int(raw.frauds),
            ends_at=int(raw.endsAt),
            challenger=Address(raw.challenger),
            parent=bytes(raw.parent),
        )

    def params(self, contest_id: int, block: Block = "latest") -> ContestParams:
        raw = self.view("paramsOf", contest_id, block=block)
        values = [bytes(value) if isinstance(value, bytes) else int(value) for value in raw]
        return ContestParams(**dict(zip(ContestParams.__slots__, values, strict=True)))  # type: ignore[arg-type]

    def entry(self, contest_id: int, place: int, block: Block = "latest") -> OnchainEntry:
        """Raises Refused beyond the last one."""
        raw = self.view("entryOf", contest_id, place, block=block)
        return OnchainEntry(
            place=place,
            miner=Address(raw.miner),
            committed_at=int(raw.committedAt),
            commitment=bytes(raw.commitment),
            model=bytes(raw.model),
            trace=bytes(raw.traceRoot),
        )

    def entries(self, contest: OnchainContest, block: Block = "latest") -> tuple[OnchainEntry, ...]:
        """All entries in the order of their commitments."""
        return tuple(self.entry(contest.contest_id, place, block) for place in range(contest.entries))

    def entry_number(self, contest_id: int, miner: Address, block: Block = "latest") -> int:
        """Place of a miner's entry plus 1; 0 when it has none."""
        return int(self.view("entryNumber", contest_id, miner, block=block))

    def owed(self, account: Address, block: Block = "latest") -> Wei:
        return Wei(self.view("owed", account, block=block))

    def held(self, contest_id: int, block: Block = "latest") -> Wei:
        return Wei(self.view("held", contest_id, block=block))

    def bond(self, block: Block = "latest") -> Wei:
        """What a challenge costs whoever is wrong about it."""
        return Wei(self.view("BOND", block=block))

    def court_term_s(self, block: Block = "latest") -> int:
        return int(self.view("COURT_TERM", block=block))

    def head(self, block: Block = "latest") -> bytes:
        """Hash of the newest block of the learning chain."""
        return bytes(self.view("head", block=block))

    def height(self, block: Block = "latest") -> int:
        """Number of that block."""
        return int(self.view("height", block=block))

    def head_time(self, block: Block = "latest") -> int:
        """Its time, Unix seconds; 0 for the genesis."""
        return int(self.view("headTime", block=block))

    def open_contests(self, block: Block = "latest") -> int:
        """Contests that are not closed; puzzles wait for them."""
        return int(self.view("openContests", block=block))

    def domain_separator(self, block: Block = "latest") -> bytes:
        return bytes(self.view("domainSeparator", block=block))

    def post(self, params: ContestParams) -> Call:
        return self.write("post", params.argument())

    def post_with_permit(self, params: ContestParams, permit: Permit) -> Call:
        return self.write("postWithPermit", params.argument(), permit.argument())

    def cancel(self, contest_id: int) -> Call:
        return self.write("cancel", contest_id)

    def commit(self, contest_id: int, commitment: bytes) -> Call:
        return self.write("commit", contest_id, commitment)

    def release(self, contest_id: int, key: bytes) -> Call:
        return self.write("release", contest_id, key)

    def reveal(self, contest_id: int, model: bytes, trace: bytes, salt: bytes) -> Call:
        return self.write("reveal", contest_id, model, trace, salt)

    def certify(self, signed: SignedScores) -> Call:
        values = tuple(signed.certificate.typed_values().values())
        scores: Sequence[int] = signed.certificate.scores
        return self.write("certify", values, list(scores), signed.signers, signed.signatures)

    def challenge(self, contest_id: int) -> Call:
        return self.write("challenge", contest_id)

    def close(self, contest_id: int) -> Call:
        return self.write("close", contest_id)

    def append_puzzle(self, added: LearningBlock, listed: bytes) -> Call:
        """``listed``: the blob of the payloads that the block names, empty for none."""
        return self.write("appendPuzzle", added.argument(), listed)

    def collect(self, account: Address) -> Call:
        return self.write("collect", account)
