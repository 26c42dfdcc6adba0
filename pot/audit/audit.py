"""Audit one task: rebuild every root, signature, payout and model hash, and redo the training."""

from collections.abc import Callable, Collection

from pot.audit import money
from pot.audit.replay import Replayer
from pot.audit.report import AuditReport
from protocol.blobs import BlobMissing, BlobStore
from protocol.chain.contracts import Contracts
from protocol.chain.events import Event, EventReader, TaskCreated, certificate_behind
from protocol.chain.history import CertifiedSegment, TaskHistory, follow, genesis, signers_of
from protocol.errors import PeerMisbehaved, PotError, Refused, ServiceUnreachable, VerificationFailed
from protocol.ids import TaskId
from protocol.ledger import TaskLedger

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

    Raises ServiceUnreachable when chain or blob store do not answer and Refused when there is no such task:
    then nothing has been found out.
    """
    report = AuditReport(task_id=task_id)
    try:
        _audit(contracts, blobs, task_id, choose_rounds, report, say)
    except (ServiceUnreachable, Refused):
        raise
    except VerificationFailed as error:
        report.failed(error.subject, error.detail)
    except BlobMissing as error:
        report.failed(
            f"blob {error.name.hex()}", "it is not in the blob store, so its claim cannot be checked"
        )
    except PotError as error:
        report.failed(f"task {task_id}", str(error))
    return report


def _audit(
    contracts: Contracts,
    blobs: BlobStore,
    task_id: TaskId,
    choose_rounds: ChooseRounds,
    report: AuditReport,
    say: Callable[[str], None],
) -> None:
    events = [event for event in _all_events(contracts) if getattr(event, "task_id", None) == task_id]
    created = next((event for event in events if isinstance(event, TaskCreated)), None)
    if created is None:
        raise Refused(f"There is no task {task_id} on this chain.", "TaskUnknown")
    start = genesis(contracts, blobs, created)
    contracts.market.task(task_id).agrees_with(start.ledger.spec)
    report.passed("spec", f"blob {created.params.spec_hash.hex()} agrees with the contract's terms")
    history = follow(contracts, blobs, events, None, task_id)
    assert history is not None
    report.rounds_certified = history.ledger.last_round
    replayer = Replayer(
        spec=start.ledger.spec,
        blobs=blobs,
        rounds=choose_rounds(history.ledger.last_round),
        on_shard=lambda number, shard: say(f"round {number} shard {shard} re-executed"),
    )
    _check_start(replayer, created, report)
    ledger = start.ledger
    for segment in history.segments:
        ledger = _check_segment(contracts, replayer, ledger, segment, report)
    _check_end(contracts, history, ledger, report)


def _all_events(contracts: Contracts) -> list[Event]:
    latest = contracts.client.block().number
    return EventReader(contracts).read(contracts.deployment.block, latest)


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
    report: AuditReport,
) -> TaskLedger:
    certificate, domain = segment.event.certificate, contracts.deployment.domain
    name = f"rounds {certificate.first_round}..{certificate.last_round}"
    signed = certificate_behind(contracts, segment.event)
    signers = signed.verify(domain, ledger.members)
    ledger.check(segment.record, domain)
    for report_ in {r.fault: r for r in segment.record.fault_evidence}.values():
        if not replayer.is_fault(report_.contribution):
            raise VerificationFailed(
                f"fault of {report_.fault.miner} in round {report_.fault.round}",
                "re-execution finds the work honest",
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
    return ledger.certified(segment.record, signers_of(ledger.members, segment.event.signers))


def _check_end(contracts: Contracts, history: TaskHistory, ledger: TaskLedger, report: AuditReport) -> None:
    task = contracts.market.task(ledger.task_id)
    if (task.last_round, task.model) != (ledger.last_round, ledger.model):
        raise PeerMisbehaved(
            f"contract state of task {ledger.task_id}",
            f"it holds model {task.model.hex()} of round {task.last_round}, "
            f"the events lead to {ledger.model.hex()} of round {ledger.last_round}",
        )
    report.passed("certified model", f"{ledger.model.hex()} after round {ledger.last_round}")
    drawn, fees = money.check_claims(history), money.check_fees(history)
    report.passed(
        "claims", f"{len(history.claims)} claims and {len(history.fee_claims)} fee claims within bounds"
    )
    slashes = money.check_slashes(history)
    report.passed("slashes", f"{slashes} slashes, each on a certified fault")
    refunded, held = money.check_balance(contracts, history, drawn, fees)
    report.passed(
        "escrow",
        f"funded {history.created.escrow} = paid {drawn + fees} + refunded {refunded} + held {held}",
    )
