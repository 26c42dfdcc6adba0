"""Audit one task: rebuild every root, signature, payout and model hash, and redo the training."""

from collections.abc import Callable, Collection
from dataclasses import dataclass, replace

from pot.audit import money
from pot.audit.canaries import audit_canaries
from pot.audit.disputes import DisputeAudit
from pot.audit.replay import Replayer
from pot.audit.report import AuditReport, WrongLeaf
from pot.audit.verdicts import VerdictAudit
from protocol import merkle
from protocol.blobs import BlobMissing, BlobStore
from protocol.chain.appeals import CaseKind
from protocol.chain.contracts import Contracts, KeyBook
from protocol.chain.draws import check_draw
from protocol.chain.events import (
    CommitteeDrawn,
    Event,
    EventReader,
    StakeSlashed,
    TaskCreated,
    certificate_behind,
)
from protocol.chain.history import CertifiedSegment, TaskHistory, follow, genesis, signers_of
from protocol.chain.market import OnchainTask
from protocol.chain.records import certified_of
from protocol.errors import InvalidInput, PotError, Refused, ServiceUnreachable, VerificationFailed
from protocol.ids import ZERO32, TaskId
from protocol.ledger import TaskLedger
from worker.training.errors import UnusualArithmetic

ChooseRounds = Callable[[int], Collection[int]]
"""How many rounds are certified -> the numbers of the rounds to re-execute from the samples up."""


def audit_task(
    contracts: Contracts,
    blobs: BlobStore,
    task_id: TaskId,
    choose_rounds: ChooseRounds,
    say: Callable[[str], None] = lambda line: None,
) -> AuditReport:
    """Check everything there is to check, up to the first lie, which the report names.

    Raises ServiceUnreachable when chain or blob store do not answer, InvalidInput when there is no such task,
    Refused when the endpoint withholds what is needed, and UnusualArithmetic when this process cannot compute
    exactly: then nothing has been found out.
    """
    scene = _read_chain(contracts, task_id)
    domain = contracts.deployment.domain
    report = AuditReport(task_id=task_id, chain_id=domain.chain_id, market=domain.market)
    try:
        _audit(scene, blobs, choose_rounds, report, say)
    except (ServiceUnreachable, Refused, UnusualArithmetic):
        raise
    except VerificationFailed as error:
        report.failed(error.subject, error.detail)
        report.wrong = error if isinstance(error, WrongLeaf) else None
    except BlobMissing as error:
        report.failed(
            f"blob {error.name.hex()}", "it is not in the blob store, so its claim cannot be checked"
        )
    except PotError as error:
        report.failed(f"task {task_id}", str(error))
    return report


@dataclass(frozen=True, slots=True, kw_only=True)
class _Scene:
    """What the chain says about one task at one block: a task may go on while it is audited."""

    contracts: Contracts
    created: TaskCreated
    events: list[Event]
    stake_slashes: list[StakeSlashed]
    task: OnchainTask
    held: int


def _read_chain(contracts: Contracts, task_id: TaskId) -> _Scene:
    latest = contracts.client.block().number
    state = _state(contracts, task_id, latest)
    everything = EventReader(contracts).read(contracts.deployment.block, latest)
    events = [event for event in everything if getattr(event, "task_id", None) == task_id]
    created = next((event for event in events if isinstance(event, TaskCreated)), None)
    if created is None:
        raise InvalidInput(f"There is no task {task_id} here. `pot task list` shows those there are.")
    # Asked for its newest block while it mines, Anvil answers with the state of the next one; of a block that
    # has a successor it answers truly.
    if contracts.client.block().number != latest:
        state = _state(contracts, task_id, latest)
    return _Scene(
        contracts=contracts,
        created=created,
        events=events,
        stake_slashes=[event for event in everything if isinstance(event, StakeSlashed)],
        task=state[0],
        held=state[1],
    )


def _state(contracts: Contracts, task_id: TaskId, block: int) -> tuple[OnchainTask, int]:
    """The task, and what the contract holds for it."""
    return contracts.market.task(task_id, block), contracts.market.held(task_id, block)


def _audit(
    scene: _Scene,
    blobs: BlobStore,
    choose_rounds: ChooseRounds,
    report: AuditReport,
    say: Callable[[str], None],
) -> None:
    start = _check_spec(scene, blobs, report)
    history = follow(scene.contracts, blobs, scene.events, None, scene.created.task_id)
    assert history is not None
    report.rounds_certified = history.ledger.last_round
    drawn = next((event for event in scene.events if isinstance(event, CommitteeDrawn)), None)
    report.passed("committee", check_draw(scene.contracts, scene.created, drawn))
    replayer = Replayer(
        spec=start.ledger.spec,
        blobs=blobs,
        rounds=choose_rounds(history.ledger.last_round),
        on_shard=lambda number, shard: say(f"round {number} shard {shard} re-executed"),
        verdicts=VerdictAudit(history, blobs),
    )
    _check_start(replayer, scene.created, report)
    ledger, keys = replace(start.ledger, members=history.ledger.members), KeyBook(scene.contracts)
    for segment in history.segments:
        ledger = _check_segment(scene.contracts, replayer, ledger, segment, history.voided, keys, report)
    report.notes.extend(replayer.notes)
    _check_state(scene.contracts, scene.task, history, ledger, report)
    replayer.model(ledger.model)
    report.passed(
        "certified model", f"{ledger.model.hex()} after round {ledger.last_round} is stored, intact"
    )
    _check_money(scene, history, report)
    audit_canaries(history, scene.contracts.client, scene.stake_slashes, report)
    DisputeAudit(
        contracts=scene.contracts,
        blobs=blobs,
        history=history,
        certified=certified_of(scene.events, scene.created.task_id),
        stake_slashes=scene.stake_slashes,
        report=report,
        replayer=replayer,
    ).run(scene.events)
    if replayer.verdicts is not None:
        replayer.verdicts.finish(report)


def _check_spec(scene: _Scene, blobs: BlobStore, report: AuditReport) -> TaskHistory:
    name = f"spec {scene.created.params.spec_hash.hex()}"
    try:
        start = genesis(scene.contracts, blobs, scene.created)
        scene.task.agrees_with(start.ledger.spec)
    except InvalidInput as error:
        raise VerificationFailed(name, str(error)) from error
    report.passed("spec", f"blob {scene.created.params.spec_hash.hex()} agrees with the contract's terms")
    return start


def _check_start(replayer: Replayer, created: TaskCreated, report: AuditReport) -> None:
    if replayer.genesis() != created.params.genesis_model:
        raise VerificationFailed(
            f"genesis model {created.params.genesis_model.hex()}", "it is not the one the spec determines"
        )
    report.passed("genesis model", f"{created.params.genesis_model.hex()} follows from the spec")
    replayer.dataset()
    report.passed("dataset", f"blob {replayer.spec.dataset.sha256} is intact")


def _check_segment(
    contracts: Contracts,
    replayer: Replayer,
    ledger: TaskLedger,
    segment: CertifiedSegment,
    voided: Collection[bytes],
    keys: KeyBook,
    report: AuditReport,
) -> TaskLedger:
    certificate, domain = segment.event.certificate, contracts.deployment.domain
    name = f"rounds {certificate.first_round}..{certificate.last_round}"
    signed = certificate_behind(contracts, segment.event)
    signers = signed.verify(domain, ledger.members, keys)
    ledger.check(segment.record, domain)
    for report_ in {r.fault: r for r in segment.record.fault_evidence}.values():
        if merkle.leaf_hash(report_.fault.leaf(), merkle.FAULT_LEAF) in voided:
            continue  # a court has said already that it is none
        if not replayer.is_fault(report_.contribution, report_.batch):
            raise WrongLeaf(
                f"fault of {report_.fault.miner} in round {report_.fault.round}",
                "re-execution finds the work honest",
                kind=CaseKind.FAULT,
                round_number=report_.fault.round,
                shard=report_.fault.shard,
                miner=report_.fault.miner,
            )
    shards = 0
    for item in segment.record.rounds:
        count = replayer.round(item)
        shards += count
        report.rounds_replayed += bool(count)
    report.shards_replayed += shards
    report.passed(
        name,
        f"{len(signers)} of {len(ledger.members)} signatures, roots and payouts rebuilt, "
        f"model {certificate.model.hex()[:12]} recomputed, {shards} shards re-executed",
    )
    report.certificates.append(
        {
            "first_round": int(certificate.first_round),
            "last_round": int(certificate.last_round),
            "model": certificate.model.hex(),
            "tx_hash": "0x" + segment.event.where.tx_hash.hex(),
        }
    )
    return ledger.certified(segment.record, signers_of(ledger.members, segment.event.signers))


def _check_state(
    contracts: Contracts, task: OnchainTask, history: TaskHistory, ledger: TaskLedger, report: AuditReport
) -> None:
    """The contract's state is the one its events lead to: no certificate was left out at the end."""
    fell_whole = history.overturned is not None and not history.segments
    for name, here, there in (
        ("last round", task.last_round, ledger.last_round),
        ("model", task.model, ZERO32 if fell_whole else ledger.model),
        ("paid total", task.paid_total, sum(ledger.payouts.values())),
        ("number of certificates", task.certificates, len(history.segments)),
    ):
        if here != there:
            raise VerificationFailed(
                f"contract state of task {ledger.task_id}",
                f"its {name} is {_shown(here)}, the events lead to {_shown(there)}",
            )
    if history.segments:
        # The market keeps the hash of the roots and the signers: a record that it knows is the one accepted.
        contracts.market.matures_at(task.task_id, history.segments[-1].event.record)
    report.passed("contract state", f"it is what the {len(history.segments)} certificates lead to")


def _shown(value: int | bytes) -> str:
    return value.hex() if isinstance(value, bytes) else str(value)


def _check_money(scene: _Scene, history: TaskHistory, report: AuditReport) -> None:
    drawn, fees = money.check_claims(history), money.check_fees(history)
    report.passed(
        "claims", f"{len(history.claims)} claims and {len(history.fee_claims)} fee claims within bounds"
    )
    slashes = money.check_slashes(history)
    report.passed("slashes", f"{slashes} slashes, each once and within bounds, on a certified fault")
    refunded = money.check_balance(history, drawn=drawn, fees=fees, held=scene.held)
    report.passed(
        "escrow",
        f"funded {history.created.escrow} = paid {drawn + fees} + refunded {refunded} + held {scene.held}",
    )
