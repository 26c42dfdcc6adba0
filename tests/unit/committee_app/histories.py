"""Task histories as the chain would tell them, and the parts around a session that record what it does."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from committee.aggregation import Endorsed
from committee.session import TaskSession
from committee.state import Decided, Verify
from committee.submitter import Outcome
from committee.verify import Checker, Judgement
from protocol.attestation import Attestation, ReplayEvidence
from protocol.blobs import open_blob_store
from protocol.chain.events import CertificateAccepted, EventRef, TaskCreated
from protocol.chain.history import CertifiedSegment, TaskHistory
from protocol.chain.market import TaskParams
from protocol.contribution import SignedContribution
from protocol.evidence import Fault, FaultReport
from protocol.ids import Address, RoundNo, TaskId, Wei, parse_address, sha256
from protocol.ledger import TaskLedger
from protocol.pbft_messages import value_digest
from protocol.segment import SegmentRecord
from protocol.signing import KeySigner
from tests.unit.protocol.builders import DOMAIN, account, ledger, members, round_record
from worker.training.data import DatasetCache

STARTS_AT = 1_000
DEADLINE = 2_000
POSTER = parse_address("0x" + "22" * 20)
ME = 0


def where(number: int) -> EventRef:
    return EventRef(
        block_number=number,
        block_hash=sha256(b"block %d" % number),
        tx_hash=sha256(b"tx %d" % number),
        log_index=0,
    )


def key_of(member: int) -> bytes:
    """The private key of a member of the epoch, by its index."""
    keys = {parse_address(account(100 + i).address): bytes(account(100 + i).key) for i in range(4)}
    return keys[members()[member]]


def created_of(state: TaskLedger, starts_at: int = STARTS_AT) -> TaskCreated:
    params = replace(TaskParams.of(state.spec, state.model, starts_at), deadline=DEADLINE)
    return TaskCreated(
        where=where(1),
        task_id=state.task_id,
        poster=POSTER,
        params=params,
        epoch=state.epoch,
        escrow=Wei(params.escrow),
    )


def at_start(state: TaskLedger | None = None, starts_at: int = STARTS_AT) -> TaskHistory:
    state = state or ledger()
    return TaskHistory(domain=DOMAIN, created=created_of(state, starts_at), ledger=state)


def next_record(history: TaskHistory, miners: dict[int, int] | None = None) -> SegmentRecord:
    state = history.ledger
    return state.extend((round_record(state, state.last_round + 1, state.model, miners or {0: 1, 1: 2}),))


def certified(history: TaskHistory, record: SegmentRecord, signers: int = 0b0111) -> TaskHistory:
    event = CertificateAccepted(
        where=where(history.certificates + 2),
        task_id=history.ledger.task_id,
        index=history.certificates,
        certificate=record.certificate(DOMAIN, history.ledger.epoch),
        signers=signers,
    )
    names = tuple(name for i, name in enumerate(history.ledger.members) if signers >> i & 1)
    segment = CertifiedSegment(event=event, record=record)
    state = history.ledger.certified(record, names)
    return replace(history, segments=(*history.segments, segment), ledger=state)


def question(history: TaskHistory, record: SegmentRecord, seq: int = 1) -> Verify:
    value = record.certificate(DOMAIN, history.ledger.epoch).encode()
    return Verify(seq, value_digest(value), value)


def decision(history: TaskHistory, record: SegmentRecord, seq: int = 1) -> Decided:
    certificate = record.certificate(DOMAIN, history.ledger.epoch)
    signers = (0, 1, 2)
    signatures = tuple(KeySigner(key_of(i)).sign(certificate.digest(DOMAIN)) for i in signers)
    return Decided(seq, certificate.encode(), signers, signatures)


@dataclass(kw_only=True)
class Around:
    """The agreement and the desk of one session. Checks and transactions wait until a test answers them."""

    time_s: int = STARTS_AT
    takes_checks: bool = True
    checks: list[tuple[Callable[[], Judgement], Callable[[Judgement], None]]] = field(default_factory=list)
    posts: list[tuple[Endorsed, Callable[[Outcome], None]]] = field(default_factory=list)
    slashes: list[tuple[Fault, Callable[[Outcome], None]]] = field(default_factory=list)
    spreads: list[FaultReport] = field(default_factory=list)
    verdicts: list[tuple[int, bool]] = field(default_factory=list)
    final: list[int] = field(default_factory=list)
    kept: list[ReplayEvidence] = field(default_factory=list)
    attested: list[Attestation] = field(default_factory=list)
    opened: list[TaskId] = field(default_factory=list)

    def verdict(self, task: int, seq: int, digest: bytes, ok: bool) -> None:
        self.verdicts.append((seq, ok))

    def finalized(self, task: int, seq: int) -> None:
        self.final.append(seq)

    def now_s(self) -> int:
        return self.time_s

    def check(self, job: Callable[[], Judgement], done: Callable[[Judgement], None]) -> bool:
        if self.takes_checks:
            self.checks.append((job, done))
        return self.takes_checks

    def answer(self, judgement: Judgement) -> None:
        """The oldest check ends like this."""
        self.checks.pop(0)[1](judgement)

    def certify(self, endorsed: Endorsed, done: Callable[[Outcome], None]) -> None:
        self.posts.append((endorsed, done))

    def slash(self, history: TaskHistory, fault: Fault, done: Callable[[Outcome], None]) -> None:
        self.slashes.append((fault, done))

    def sign_report(self, contribution: SignedContribution, batch: int) -> FaultReport:
        return FaultReport.signed(contribution, DOMAIN, account(int.from_bytes(key_of(ME), "big")), batch)

    def spread(self, report: FaultReport) -> None:
        self.spreads.append(report)

    def attest(self, evidence: ReplayEvidence, rounds: tuple[RoundNo, RoundNo]) -> Attestation:
        self.kept.append(evidence)
        return Attestation.signed(evidence, rounds, DOMAIN, KeySigner(key_of(ME)))

    def spread_attestation(self, item: Attestation) -> None:
        self.attested.append(item)

    def open_evidence(self, task: TaskId) -> None:
        self.opened.append(task)


def checker(stake: int = 10**9) -> Checker:
    def stake_of(miner: Address) -> int:
        return stake

    return Checker(
        domain=DOMAIN,
        blobs=open_blob_store("memory://session-tests"),
        stake_of=stake_of,
        slashable_of=stake_of,
        signer=KeySigner(key_of(ME)),
        datasets=DatasetCache(),
    )


def session(history: TaskHistory, around: Around) -> TaskSession:
    made = TaskSession(
        history=history, agreement=around, checker=checker(), desk=around, me=history.ledger.members[ME]
    )
    made.start()
    return made


def ticks(made: TaskSession, number: int) -> None:
    for _ in range(number):
        made.tick()


TASK = TaskId(1)
