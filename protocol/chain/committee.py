"""Committee: the validator pool, epochs, endpoints, equivocation proofs."""

from dataclasses import dataclass

from protocol.certificate import RoundCertificate, SignedCertificate
from protocol.chain.contract import Block, Call, ContractClient
from protocol.draw import Candidate
from protocol.ids import Address, EpochNo, TaskId, Wei


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """A committee or court: at most ``size`` members of the snapshot ``epoch``. ``draw_block`` is the block
    whose hash draws it; 0 when everybody is in."""

    epoch: EpochNo
    draw_block: int
    size: int


class CommitteeContract(ContractClient):
    """One method per function of Committee."""

    NAME = "Committee"

    def current_epoch(self, block: Block = "latest") -> EpochNo:
        """The latest snapshot; 0 while there is none."""
        return EpochNo(self.view("currentEpoch", block=block))

    def members_of(self, epoch: EpochNo, block: Block = "latest") -> tuple[Address, ...]:
        """The snapshot's members in ascending order. Raises Refused when there is none."""
        return tuple(Address(member) for member in self.view("membersOf", epoch, block=block))

    def members_of_task(self, task_id: TaskId, block: Block = "latest") -> tuple[Address, ...]:
        """The task's committee in ascending order, the order of its certificates' bitmaps. Raises Refused
        while it is not drawn."""
        return tuple(Address(member) for member in self.view("membersOfTask", task_id, block=block))

    def stakes_of(self, epoch: EpochNo, block: Block = "latest") -> tuple[int, ...]:
        """The weights of the snapshot's members in draws, in their order."""
        return tuple(int(stake) for stake in self.view("stakesOf", epoch, block=block))

    def candidates(self, epoch: EpochNo, block: Block = "latest") -> tuple[Candidate, ...]:
        """The snapshot's members with their weights, ascending: what panels are drawn from."""
        pairs = zip(self.members_of(epoch, block), self.stakes_of(epoch, block), strict=True)
        return tuple(Candidate(account=account, stake=stake) for account, stake in pairs)

    def seed_of(self, epoch: EpochNo, block: Block = "latest") -> bytes:
        """The 32-byte seed that was fixed with the snapshot, for draws that come too late."""
        return bytes(self.view("seedOf", epoch, block=block))

    def started_at(self, epoch: EpochNo, block: Block = "latest") -> int:
        """Second at which the snapshot was taken."""
        return int(self.view("startedAt", epoch, block=block))

    def draw_delay(self, block: Block = "latest") -> int:
        """Blocks between the assignment of a panel and the block whose hash draws it."""
        return int(self.view("DRAW_DELAY", block=block))

    def draw_committee(self, task_id: TaskId) -> Call:
        """Draw a task's committee; refused until two blocks after its creation are mined, or when drawn."""
        return self.write("drawCommittee", task_id)

    def court_of(self, task_id: TaskId, dispute: int, block: Block = "latest") -> tuple[Address, ...]:
        """The court of a dispute in ascending order, the order of its verdict's bitmap. Raises Refused while
        it is not drawn."""
        return tuple(Address(member) for member in self.view("courtOf", task_id, dispute, block=block))

    def panel_of(self, task_id: TaskId, dispute: int, block: Block = "latest") -> Panel:
        """How the committee of a task (``dispute`` 0) or the court of a dispute comes about."""
        raw = self.view("panelOf", task_id, dispute, block=block)
        return Panel(epoch=EpochNo(raw.epoch), draw_block=int(raw.drawBlock), size=int(raw.size))

    def stored_members(self, task_id: TaskId, block: Block = "latest") -> Address:
        """Where the list of the task's committee is stored; its BLS keys are gathered under this name."""
        return Address(self.view("panelOf", task_id, 0, block=block).members)

    def bls_keys(self, block: Block = "latest") -> Address:
        """The contract of the validators' BLS keys."""
        return Address(self.view("KEYS", block=block))

    def draw_court(self, task_id: TaskId, dispute: int) -> Call:
        """Draw a dispute's court; refused until two blocks after its opening are mined, or when drawn."""
        return self.write("drawCourt", task_id, dispute)

    def pool(self, block: Block = "latest") -> tuple[Address, ...]:
        """Everybody who has joined and not left."""
        return tuple(Address(member) for member in self.view("pool", block=block))

    def is_validator(self, account: Address, block: Block = "latest") -> bool:
        return bool(self.view("isValidator", account, block=block))

    def endpoint_of(self, account: Address, block: Block = "latest") -> str:
        return str(self.view("endpointOf", account, block=block))

    def validator_stake(self, block: Block = "latest") -> Wei:
        return Wei(self.view("VALIDATOR_STAKE", block=block))

    def next_epoch_at(self, block: Block = "latest") -> int:
        """The first block number at which the epoch may advance."""
        return int(self.view("nextEpochAt", block=block))

    def join(self, endpoint: str) -> Call:
        return self.write("join", endpoint)

    def set_endpoint(self, endpoint: str) -> Call:
        return self.write("setEndpoint", endpoint)

    def leave(self) -> Call:
        return self.write("leave")

    def advance_epoch(self) -> Call:
        return self.write("advanceEpoch")

    def prove_joint_equivocation(
        self, signer: Address, first: SignedCertificate, second: SignedCertificate
    ) -> Call:
        """Two certificates of overlapping rounds that ``signer`` is among the signers of; signatures or an
        aggregate, of any number of members."""
        return self.write(
            "proveJointEquivocation",
            signer,
            *(
                (tuple(each.certificate.typed_values().values()), each.signers, each.signatures)
                for each in (first, second)
            ),
        )

    def prove_equivocation(
        self,
        first: RoundCertificate,
        first_signature: bytes,
        second: RoundCertificate,
        second_signature: bytes,
    ) -> Call:
        """Two certificates of overlapping rounds by one signer; signatures are 64-byte EIP-2098."""
        return self.write(
            "proveEquivocation",
            tuple(first.typed_values().values()),
            first_signature,
            tuple(second.typed_values().values()),
            second_signature,
        )
