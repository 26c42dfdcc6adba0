"""Contract events as frozen values, decoded by the committed ABIs; the whole public history of a network."""

from collections.abc import Callable
from dataclasses import dataclass

from web3.types import LogReceipt

from protocol.certificate import RoundCertificate, SignedCertificate
from protocol.chain.canary_events import CANARY_EVENTS
from protocol.chain.contract import ContractClient
from protocol.chain.contracts import Contracts
from protocol.chain.dispute_events import APPEALS_EVENTS, COURT_EVENTS, FaultVoided
from protocol.chain.event_base import Args, Builder, event, events
from protocol.chain.event_base import Event as Event  # noqa: PLC0414 - everybody knows it from here
from protocol.chain.event_base import EventRef as EventRef  # noqa: PLC0414 - likewise
from protocol.chain.market import TaskParams
from protocol.errors import VerificationFailed
from protocol.ids import Address, EpochNo, RoundNo, Sha256, ShardNo, TaskId, Wei, parse_address
from protocol.record import CertificateRecord


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskCreated(Event):
    task_id: TaskId
    poster: Address
    params: TaskParams
    epoch: EpochNo
    escrow: Wei


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateAccepted(Event):
    task_id: TaskId
    index: int
    certificate: RoundCertificate
    signers: int

    @property
    def record(self) -> CertificateRecord:
        """What the market remembers of it."""
        return CertificateRecord.of(self.certificate, self.signers, self.index)


@dataclass(frozen=True, slots=True, kw_only=True)
class Claimed(Event):
    task_id: TaskId
    account: Address
    amount: Wei
    cumulative: Wei


@dataclass(frozen=True, slots=True, kw_only=True)
class SigningFeeClaimed(Event):
    task_id: TaskId
    account: Address
    amount: Wei


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultSlashed(Event):
    task_id: TaskId
    miner: Address
    reporter: Address
    round: RoundNo
    shard: ShardNo
    gradient: Sha256
    amount: Wei
    bounty: Wei


@dataclass(frozen=True, slots=True, kw_only=True)
class CommitteeDrawn(Event):
    task_id: TaskId
    members: tuple[Address, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskDisputed(Event):
    """The certificates from number ``first`` on wait."""

    task_id: TaskId
    first: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DisputeEnded(Event):
    """All certificates stand."""

    task_id: TaskId


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificatesOverturned(Event):
    """The certificates from number ``first`` on are void; the task ended at ``last_round``."""

    task_id: TaskId
    first: int
    last_round: RoundNo


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskCancelled(Event):
    task_id: TaskId
    refund: Wei


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskClosed(Event):
    task_id: TaskId
    last_round: RoundNo
    refund: Wei


@dataclass(frozen=True, slots=True, kw_only=True)
class Deposited(Event):
    account: Address
    amount: Wei
    stake: Wei


@dataclass(frozen=True, slots=True, kw_only=True)
class Unbonded(Event):
    account: Address
    amount: Wei
    unbonding: Wei
    unlocks_at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Withdrawn(Event):
    account: Address
    amount: Wei


@dataclass(frozen=True, slots=True, kw_only=True)
class StakeSlashed(Event):
    account: Address
    slasher: Address
    victim: Address
    reporter: Address
    amount: Wei
    victim_share: Wei
    bounty: Wei
    treasury_share: Wei


@dataclass(frozen=True, slots=True, kw_only=True)
class ValidatorJoined(Event):
    account: Address
    endpoint: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointChanged(Event):
    account: Address
    endpoint: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ValidatorLeft(Event):
    account: Address


@dataclass(frozen=True, slots=True, kw_only=True)
class EpochAdvanced(Event):
    epoch: EpochNo
    members: tuple[Address, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class EquivocationProven(Event):
    signer: Address
    task_id: TaskId
    amount: Wei
    reporter: Address


MAX_EMBEDDED_CALLS = 256
"""Places in one transaction's calldata that are tried as a certificate call."""


def _params(raw: Args) -> TaskParams:
    return TaskParams(
        spec_hash=Sha256(bytes(raw["specHash"])),
        genesis_model=Sha256(bytes(raw["genesisModel"])),
        rounds=raw["rounds"],
        shards=raw["shards"],
        reward_per_shard=raw["rewardPerShard"],
        fee_per_round=raw["feePerRound"],
        miner_stake=raw["minerStake"],
        slash_per_fault=raw["slashPerFault"],
        starts_at=raw["startsAt"],
        deadline=raw["deadline"],
        challenge_window_s=raw["challengeWindow"],
        committee_size=raw["committeeSize"],
    )


_MARKET: dict[str, Builder] = {
    "TaskCreated": event(TaskCreated, params=_params),
    "CertificateAccepted": event(CertificateAccepted, certificate=RoundCertificate.from_typed_values),
    "FaultSlashed": lambda w, a: FaultSlashed(
        where=w,
        task_id=a["taskId"],
        miner=a["miner"],
        reporter=a["reporter"],
        round=a["leaf"]["round"],
        shard=a["leaf"]["shard"],
        gradient=Sha256(bytes(a["leaf"]["gradient"])),
        amount=a["amount"],
        bounty=a["bounty"],
    ),
    "TaskDisputed": lambda w, a: TaskDisputed(where=w, task_id=a["taskId"], first=a["from"]),
    "CertificatesOverturned": lambda w, a: CertificatesOverturned(
        where=w, task_id=a["taskId"], first=a["from"], last_round=a["lastRound"]
    ),
    **events(Claimed, SigningFeeClaimed, DisputeEnded, FaultVoided, TaskCancelled, TaskClosed),
}
_VAULT: dict[str, Builder] = {
    "Slashed": lambda w, a: StakeSlashed(
        where=w,
        account=a["account"],
        slasher=a["slasher"],
        victim=a["victim"],
        reporter=a["reporter"],
        amount=a["split"]["amount"],
        victim_share=a["split"]["victimShare"],
        bounty=a["split"]["bounty"],
        treasury_share=a["split"]["treasuryShare"],
    ),
    **events(Deposited, Unbonded, Withdrawn),
}
_COMMITTEE = events(
    ValidatorJoined, EndpointChanged, ValidatorLeft, EpochAdvanced, CommitteeDrawn, EquivocationProven
)


class EventReader:
    """Decodes the logs of one deployment."""

    def __init__(self, contracts: Contracts) -> None:
        self._contracts = contracts
        self._builders: dict[tuple[str, bytes], tuple[Callable[[LogReceipt], Args], Builder]] = {}
        parts: tuple[tuple[ContractClient, dict[str, Builder]], ...] = (
            (contracts.market, _MARKET),
            (contracts.vault, _VAULT),
            (contracts.committee, {**_COMMITTEE, **COURT_EVENTS}),
            (contracts.appeals, APPEALS_EVENTS),
            (contracts.canaries, CANARY_EVENTS),
        )
        for contract, builders in parts:
            for name, build in builders.items():
                topic, decode = contract.event(name)
                self._builders[(contract.address, topic)] = (decode, build)

    def read(self, first_block: int, last_block: int) -> list[Event]:
        """All events of ``first_block..last_block`` in chain order. Raises ServiceUnreachable, Refused."""
        logs = self._contracts.client.logs(self._contracts.deployment.addresses, first_block, last_block)
        events = (self._decode(log) for log in logs)
        return [event for event in events if event is not None]

    def _decode(self, log: LogReceipt) -> Event | None:
        key = (parse_address(log["address"]), bytes(log["topics"][0]))
        if key not in self._builders:
            return None
        decode, build = self._builders[key]
        where = EventRef(
            block_number=int(log["blockNumber"]),
            block_hash=bytes(log["blockHash"]),
            tx_hash=bytes(log["transactionHash"]),
            log_index=int(log["logIndex"]),
        )
        return build(where, decode(log))


def certificate_behind(contracts: Contracts, event: CertificateAccepted) -> SignedCertificate:
    """The certificate with its signatures, from the calldata of the transaction behind ``event``.

    Anybody may post a certificate, also through a contract: then the call stands somewhere inside the
    calldata, or, when the contract builds it, only in a trace of the transaction. Raises VerificationFailed
    when there is no ``certify`` call with that certificate, Refused when the endpoint gives no traces.
    """
    client, tx_hash = contracts.client, event.where.tx_hash
    signed = _certificate_in(contracts, event, client.transaction_input(tx_hash))
    if signed is not None:
        return signed
    for data in client.calls_to(contracts.market.address, tx_hash):
        signed = _certificate_in(contracts, event, data)
        if signed is not None:
            return signed
    raise VerificationFailed(
        f"transaction 0x{tx_hash.hex()}",
        f"it holds no `certify` call with the certificate of round {event.certificate.last_round}",
    )


def _certificate_in(
    contracts: Contracts, event: CertificateAccepted, data: bytes
) -> SignedCertificate | None:
    """The event's certificate with signatures, from wherever in ``data`` it is passed to ``certify`` or
    ``certifyMany``."""
    tries = 0
    for selector in map(contracts.market.selector, ("certify", "certifyMany")):
        place = data.find(selector)
        while place >= 0 and tries < MAX_EMBEDDED_CALLS:
            try:
                for signed in contracts.market.certify_arguments(data[place:]):
                    if (signed.certificate, signed.signers) == (event.certificate, event.signers):
                        return signed
            except ValueError:
                pass
            place, tries = data.find(selector, place + 1), tries + 1
    return None
