"""Appeals: challenges of certificates, the verdicts of courts, and what follows from them."""

from dataclasses import dataclass
from enum import IntEnum

from protocol import merkle
from protocol.batches import WHOLE
from protocol.chain.contract import Block, Call, ContractClient
from protocol.contribution import SignedContribution
from protocol.ids import ZERO32, Address, TaskId, Wei
from protocol.record import CertificateRecord
from protocol.signing import to_compact
from protocol.verdict import SignedVerdict, Verdict

MAX_CASES = 64
"""Cases of one dispute: the bits of a verdict."""


class CaseKind(IntEnum):
    """What a case says was wrong, as the contract numbers it."""

    CONTRIBUTION = 0
    FAULT = 1


class DisputeStatus(IntEnum):
    """Where a dispute is in its life, as the contract numbers it."""

    NONE = 0
    OPEN = 1
    DECIDED = 2
    LAPSED = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class OnchainDispute:
    """The contract's state of dispute ``number`` of a task. Times are Unix seconds: cases join until
    ``join_ends``, a verdict is accepted from then until ``verdict_ends``. ``first`` is the lowest index of a
    challenged certificate, bit i of ``upheld`` is case i."""

    task_id: TaskId
    number: int
    status: DisputeStatus
    cases: int
    first: int
    join_ends: int
    verdict_ends: int
    upheld: int

    def verdict(self, upheld: int) -> Verdict:
        """The verdict that upholds the cases of this bitmap."""
        return Verdict(task_id=self.task_id, certificate_index=self.first, dispute=self.number, upheld=upheld)


@dataclass(frozen=True, slots=True, kw_only=True)
class OnchainCase:
    """The contract's state of one case. ``index`` numbers the certificate in its task, ``signers`` is that
    certificate's bitmap over the task's committee, ``leaf`` the 32-byte hash of what is challenged, ``batch``
    where the challenger says that a contribution fails (``protocol.batches``), which may be any 32-bit
    number."""

    number: int
    challenger: Address
    signers: int
    index: int
    miner: Address
    kind: CaseKind
    settled: bool
    accepted_at: int
    leaf: bytes
    batch: int = WHOLE


_NO_RECORD = (0, 0, ZERO32, 0, 0, 0, ZERO32, ZERO32, ZERO32)


class Appeals(ContractClient):
    """One method per function of Appeals."""

    NAME = "Appeals"

    def bond_of(self, case: int, block: Block = "latest") -> Wei:
        """Bond of case number ``case`` of a dispute, in the token's smallest unit; later cases cost more."""
        return Wei(self.view("bondOf", case, block=block))

    def court_term_s(self, block: Block = "latest") -> int:
        """Seconds that a court has."""
        return int(self.view("COURT_TERM", block=block))

    def disputes_of(self, task_id: TaskId, block: Block = "latest") -> int:
        """How many disputes a task has had, which is the number of the last."""
        return int(self.view("disputesOf", task_id, block=block))

    def dispute(self, task_id: TaskId, number: int, block: Block = "latest") -> OnchainDispute:
        """One dispute; status NONE when there is no such."""
        raw = self.view("disputeOf", task_id, number, block=block)
        return OnchainDispute(
            task_id=task_id,
            number=number,
            status=DisputeStatus(raw.status),
            cases=int(raw.cases),
            first=int(raw.first),
            join_ends=int(raw.joinEnds),
            verdict_ends=int(raw.verdictEnds),
            upheld=int(raw.upheld),
        )

    def case(self, task_id: TaskId, dispute: int, number: int, block: Block = "latest") -> OnchainCase:
        """One case. Raises Refused when there is none."""
        raw = self.view("caseOf", task_id, dispute, number, block=block)
        return OnchainCase(
            number=number,
            challenger=Address(raw.challenger),
            signers=int(raw.signers),
            index=int(raw.index),
            miner=Address(raw.miner),
            kind=CaseKind(raw.kind),
            settled=bool(raw.settled),
            accepted_at=int(raw.acceptedAt),
            leaf=bytes(raw.leaf),
            batch=int(raw.batch),
        )

    def cases(self, dispute: OnchainDispute, block: Block = "latest") -> tuple[OnchainCase, ...]:
        """All cases of a dispute, at most MAX_CASES calls."""
        return tuple(
            self.case(dispute.task_id, dispute.number, number, block) for number in range(dispute.cases)
        )

    def punished(self, task_id: TaskId, dispute: int, kind: CaseKind, block: Block = "latest") -> int:
        """Members of the task's committee that were punished for cases of ``kind``, as a bitmap."""
        return int(self.view("punishedOf", task_id, dispute, int(kind), block=block))

    def convicted(self, task_id: TaskId, leaf: bytes, block: Block = "latest") -> bool:
        """Whether the miner of the contribution whose 32-byte leaf hash is ``leaf`` was slashed for it."""
        return bool(self.view("convicted", task_id, leaf, block=block))

    def verdict_digest(self, task_id: TaskId, dispute: int, upheld: int, block: Block = "latest") -> bytes:
        """The EIP-712 digest that the contract expects the court to sign."""
        return bytes(self.view("verdictDigest", task_id, dispute, upheld, block=block))

    def challenge_contribution(
        self,
        task_id: TaskId,
        record: CertificateRecord,
        leaf: merkle.Leaf,
        proof: list[bytes],
        batch: int = WHOLE,
    ) -> Call:
        """Say that a contribution was accepted wrongly, and where it shows; takes the bond, which needs an
        allowance."""
        return self.write("challengeContribution", task_id, record.argument(), tuple(leaf), proof, batch)

    def challenge_fault(
        self, task_id: TaskId, record: CertificateRecord, leaf: merkle.Leaf, proof: list[bytes]
    ) -> Call:
        """Say that a fault was declared wrongly; takes the bond, which needs an allowance."""
        return self.write("challengeFault", task_id, record.argument(), tuple(leaf), proof)

    def summon(self, task_id: TaskId) -> Call:
        """Assign the court of the running dispute; refused until joining has ended, or when it is there."""
        return self.write("summon", task_id)

    def decide(self, signed: SignedVerdict, before: CertificateRecord | None) -> Call:
        """Post a court's verdict. ``before`` is the record of the certificate before the first one that
        falls; None when none falls or the first one does."""
        return self.write(
            "decide",
            signed.verdict.task_id,
            signed.verdict.upheld,
            signed.signers,
            signed.signatures,
            _NO_RECORD if before is None else before.argument(),
        )

    def decide_arguments(self, data: bytes) -> tuple[TaskId, int, int, bytes]:
        """(task, upheld, signers, signatures) in the calldata of ``decide``. Raises ValueError for other
        calldata."""
        values = self.arguments("decide", data)
        return (
            TaskId(values["taskId"]),
            int(values["upheld"]),
            int(values["signers"]),
            bytes(values["signatures"]),
        )

    def lapse(self, task_id: TaskId) -> Call:
        """End a dispute that got no verdict in time."""
        return self.write("lapse", task_id)

    def settle(self, task_id: TaskId, dispute: int, case: int) -> Call:
        """Pay the bond of a case out."""
        return self.write("settle", task_id, dispute, case)

    def convict(self, dispute: int, case: int, signed: SignedContribution) -> Call:
        """Slash the miner of an upheld contribution by what it signed."""
        values = tuple(signed.contribution.typed_values().values())
        signature = to_compact(signed.signature)
        return self.write("convict", signed.contribution.task_id, dispute, case, values, signature)

    def punish(self, task_id: TaskId, dispute: int, case: int, members: int) -> Call:
        """Slash those of ``members`` (a bitmap over the task's committee) that signed the certificate of an
        upheld case."""
        return self.write("punish", task_id, dispute, case, members)
