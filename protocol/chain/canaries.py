"""Canaries: what posters plant, what members commit to, and who is charged."""

from dataclasses import dataclass
from enum import IntEnum
from typing import Any

from protocol import merkle
from protocol.canary_mark import CANARY_LEAF, BlobTail
from protocol.certificate import RoundCertificate
from protocol.chain.contract import Block, Call, ContractClient
from protocol.ids import Address, Sha256, TaskId, Wei


class AccusationStatus(IntEnum):
    """Where an accusation is in its life, as the contract numbers it."""

    NONE = 0
    OPEN = 1
    CLEARED = 2
    PUNISHED = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class CanaryPlan:
    """What a poster said before its task began: the root over (miner, salt), the share of all shards that
    each member is to execute, and what one canary costs a member, in the token's smallest unit."""

    root: bytes
    sample_ppm: int
    penalty: Wei


@dataclass(frozen=True, slots=True, kw_only=True)
class Charge:
    """A member's 64-byte signature for a certificate that contains the canary ``leaf``. ``prepare`` is (view,
    sequence number) of a PREPARE, or None when the signature certifies."""

    member: Address
    certificate: RoundCertificate
    prepare: tuple[int, int] | None
    signature: bytes
    leaf: merkle.Leaf
    proof: list[bytes]
    tail: BlobTail

    def argument(self) -> tuple[Any, ...]:
        """As the contract takes it."""
        view, seq = self.prepare or (0, 0)
        certificate = tuple(self.certificate.typed_values().values())
        word = (self.prepare is not None, view, seq, self.signature)
        return (self.member, certificate, *word, tuple(self.leaf), self.proof, self.tail.argument())


class Canaries(ContractClient):
    """One method per function of Canaries."""

    NAME = "Canaries"

    def plan_of(self, task_id: TaskId, block: Block = "latest") -> CanaryPlan | None:
        """What the poster planted; None when it planted nothing."""
        raw = self.view("termsOf", task_id, block=block)
        if not any(raw.root):
            return None
        return CanaryPlan(root=bytes(raw.root), sample_ppm=int(raw.samplePpm), penalty=Wei(raw.penalty))

    def seed_of(self, task_id: TaskId, member: Address, block: Block = "latest") -> bytes:
        """The member's 32-byte commitment to its sample's seed; zero when there is none."""
        return bytes(self.view("seedOf", task_id, member, block=block))

    def salt_of(self, task_id: TaskId, miner: Address, block: Block = "latest") -> bytes:
        """The salt of an opened canary miner; zero when it is not opened."""
        return bytes(self.view("saltOf", task_id, miner, block=block))

    def answer_term_s(self, block: Block = "latest") -> int:
        """Seconds that an accused member has."""
        return int(self.view("ANSWER_TERM", block=block))

    def max_penalty_bps(self, block: Block = "latest") -> int:
        """Most that one canary may cost, in basis points of a validator's stake."""
        return int(self.view("MAX_PENALTY_BPS", block=block))

    def accusations_end(self, task_id: TaskId, block: Block = "latest") -> int:
        """Last second, Unix time, of accusations in a task."""
        return int(self.view("accusationsEnd", task_id, block=block))

    def plant(self, task_id: TaskId, plan: CanaryPlan) -> Call:
        """Commit to canaries; only the poster, before the task begins."""
        return self.write("plant", task_id, (plan.root, plan.sample_ppm, plan.penalty))

    def commit_seed(self, task_id: TaskId, commitment: Sha256) -> Call:
        """Commit to the sample of the sending member, before the task begins."""
        return self.write("commitSeed", task_id, commitment)

    def open(self, task_id: TaskId, canaries: list[tuple[Address, bytes]], index: int) -> Call:
        """Open number ``index`` of the (miner, salt) that were planted."""
        miner, salt = canaries[index]
        return self.write("open", task_id, miner, salt, merkle.proof(canaries, CANARY_LEAF, index))

    def pardon(self, task_id: TaskId, leaf: merkle.Leaf, tail: BlobTail) -> Call:
        """Make the fault of an opened canary unslashable."""
        return self.write("pardon", task_id, tuple(leaf), tail.argument())

    def accuse(self, charge: Charge) -> Call:
        """Accuse a member by its own signature."""
        return self.write("accuse", charge.argument())

    def answer(self, task_id: TaskId, key: bytes, member: Address, seed: bytes) -> Call:
        """Show by its seed (65 bytes) that a member's sample did not hold the canary."""
        return self.write("answer", task_id, key, member, seed)

    def punish(self, task_id: TaskId, key: bytes, member: Address) -> Call:
        """Slash a member whose time to answer has passed."""
        return self.write("punish", task_id, key, member)
