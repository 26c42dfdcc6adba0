"""What disputes moved, as reasons of ``pot why``: bonds, compensations, slashes."""

from collections.abc import Iterable, Iterator

from pot.amounts import format_amount
from pot.why import Kind, Reason
from protocol.chain.appeals import CaseKind
from protocol.chain.dispute_events import CaseBrought, CaseSettled, MinerConvicted, SignerPunished
from protocol.chain.dispute_log import DisputeLog
from protocol.chain.history import TaskHistory
from protocol.ids import Address


def dispute_reasons(history: TaskHistory, logs: Iterable[DisputeLog], bonds: tuple[int, ...]) -> list[Reason]:
    """All movements of a task's disputes. ``bonds`` are the bonds of cases 0, 1, ... in smallest units."""
    found: list[Reason] = []
    for log in logs:
        found += [_bond_paid(log, case, bonds[case.number]) for case in log.cases]
        found += [reason for event in log.settled for reason in _bond_out(history, log, event)]
        found += [_slashed(log, event) for event in log.convicted]
        found += [_punished(log, event) for event in log.punished]
    return found


def _reason(
    kind: Kind,
    account: Address,
    amount: int,
    tx_hash: bytes | None,
    sentence: str,
    evidence: dict[str, object],
) -> Reason:
    return Reason(
        kind=kind,
        account=account,
        amount=amount,
        first_round=0,
        last_round=0,
        tx_hash=tx_hash,
        sentence=sentence,
        evidence=evidence,
    )


def _about(log: DisputeLog, case: CaseBrought) -> dict[str, object]:
    return {
        "dispute": log.number,
        "case": case.number,
        "kind": case.kind.name.lower(),
        "certificate": case.index,
        "miner": case.miner,
        "challenger": case.challenger,
        "leaf": "0x" + case.leaf.hex(),
        "batch": case.batch,
    }


def _bond_paid(log: DisputeLog, case: CaseBrought, bond: int) -> Reason:
    said = "was accepted" if case.kind is CaseKind.CONTRIBUTION else "was declared"
    return _reason(
        "disputed",
        case.challenger,
        bond,
        case.where.tx_hash,
        f"{case.challenger} put up a bond of {format_amount(bond)}, saying that a "
        f"{case.kind.name.lower()} of {case.miner} {said} wrongly.",
        _about(log, case),
    )


def _bond_out(history: TaskHistory, log: DisputeLog, event: CaseSettled) -> Iterator[Reason]:
    case = log.cases[event.number]
    outcome = "no verdict came" if log.lapsed else "it was right" if log.is_upheld(case) else "it was wrong"
    if event.returned:
        yield _reason(
            "bond",
            case.challenger,
            event.returned,
            event.where.tx_hash,
            f"{case.challenger} got its bond of {format_amount(event.returned)} back: {outcome}.",
            _about(log, case),
        )
    if event.compensation:
        wronged = case.miner if case.kind is CaseKind.CONTRIBUTION else history.created.poster
        yield _reason(
            "compensated",
            wronged,
            event.compensation,
            event.where.tx_hash,
            f"{wronged} received {format_amount(event.compensation)} of the bond of a wrong challenge.",
            _about(log, case),
        )


def _slashed(log: DisputeLog, event: MinerConvicted) -> Reason:
    case = log.cases[event.number]
    return _reason(
        "slashed",
        event.miner,
        event.amount,
        event.where.tx_hash,
        f"{event.miner} lost {format_amount(event.amount)} of stake: a court found its contribution wrong, "
        f"which certificate {case.index} had accepted.",
        _about(log, case),
    )


def _punished(log: DisputeLog, event: SignerPunished) -> Reason:
    case = log.cases[event.number]
    what = "a wrong contribution" if case.kind is CaseKind.CONTRIBUTION else "a fault that was none"
    return _reason(
        "punished",
        event.signer,
        event.amount,
        event.where.tx_hash,
        f"{event.signer} lost {format_amount(event.amount)} of stake for signing certificate {case.index}, "
        f"which holds {what}.",
        _about(log, case),
    )
