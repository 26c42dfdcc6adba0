"""Why an account has what it has: each unit earned, withheld, slashed or taken, with its evidence."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from pot.amounts import format_amount
from protocol.batches import batch_proof, batches_root, in_words
from protocol.chain.events import Claimed, SigningFeeClaimed
from protocol.chain.history import CertifiedSegment, TaskHistory, signers_of
from protocol.evidence import FaultReport
from protocol.ids import Address
from protocol.payouts import fee_share_down

Kind = Literal[
    "funded",
    "earned",
    "fee",
    "withheld",
    "slashed",
    "claimed",
    "refunded",
    "void",
    "disputed",
    "bond",
    "compensated",
    "punished",
    "suspected",
]
"""The reason's code."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """One movement of money, in smallest units. ``account`` is whom it concerns; rounds ``first..last`` are
    the rounds (0..0 = the whole task); ``tx_hash`` made it so, ``evidence`` is what anybody can check."""

    kind: Kind
    account: Address
    amount: int
    first_round: int
    last_round: int
    tx_hash: bytes | None
    sentence: str
    evidence: dict[str, Any]

    def to_json(self) -> dict[str, Any]:
        return {
            "kind": self.kind,
            "account": self.account,
            "amount": str(self.amount),
            "first_round": self.first_round,
            "last_round": self.last_round,
            "tx_hash": None if self.tx_hash is None else "0x" + self.tx_hash.hex(),
            "sentence": self.sentence,
            "evidence": self.evidence,
        }


def reasons(history: TaskHistory) -> list[Reason]:
    """All movements of one task, in chain order as far as they have one."""
    found = [_funded(history)]
    signers: tuple[Address, ...] = ()
    span = 0
    known: set[Any] = set()
    for segment in history.segments:
        found += _earned(history, segment)
        found += _fees(history, segment, signers, span)
        found += _withheld(history, segment, known)
        known = set(segment.record.faults)
        signers = signers_of(history.ledger.members, segment.event.signers)
        span = len(segment.record.rounds)
    found += _last_fee(history, signers, span)
    found += _fallen(history)
    found += _slashed(history)
    found += _taken(history)
    return found


def explains(history: TaskHistory, account: Address, found: list[Reason]) -> bool:
    """Whether the reasons add up, to the unit, to what the last certificate says ``account`` has earned."""
    last = history.segments[-1].event.where.tx_hash if history.segments else None
    total = sum(r.amount for r in found if r.account == account and r.kind in ("earned", "fee") and r.tx_hash)
    return last is None or total == history.ledger.payouts.get(account, 0)


def _funded(history: TaskHistory) -> Reason:
    created = history.created
    return Reason(
        kind="funded",
        account=created.poster,
        amount=created.escrow,
        first_round=0,
        last_round=0,
        tx_hash=created.where.tx_hash,
        sentence=f"{created.poster} funded the escrow with {format_amount(created.escrow)}.",
        evidence={"spec_hash": created.params.spec_hash.hex()},
    )


def _earned(history: TaskHistory, segment: CertifiedSegment) -> Iterator[Reason]:
    reward = history.ledger.spec.money.reward_per_shard_wei
    for item in segment.record.rounds:
        for signed in item.contributions:
            c = signed.contribution
            yield Reason(
                kind="earned",
                account=c.miner,
                amount=reward,
                first_round=c.round,
                last_round=c.round,
                tx_hash=segment.event.where.tx_hash,
                sentence=f"{c.miner} earned {format_amount(reward)} for shard {c.shard} of round {c.round}.",
                evidence={
                    "shard": c.shard,
                    "gradient": c.gradient.hex(),
                    "contribution_digest": c.digest(history.domain).hex(),
                    "signature": "0x" + signed.signature.hex(),
                    "segment": segment.event.certificate.segment.hex(),
                },
            )


def _fees(
    history: TaskHistory, segment: CertifiedSegment, signers: tuple[Address, ...], span: int
) -> Iterator[Reason]:
    """The fee of the certificate before ``segment``, which this one pays."""
    first = segment.event.certificate.first_round
    share = fee_share_down(history.ledger.spec.money.fee_per_round_wei, span, len(signers))
    said = {item.validator(history.domain): item.evidence.hex() for item in segment.record.attestations}
    for signer in signers:
        verdict = f"with evidence {said[signer][:12]}" if signer in said else "without a verdict on its work"
        yield Reason(
            kind="fee",
            account=signer,
            amount=share,
            first_round=first - span,
            last_round=first - 1,
            tx_hash=segment.event.where.tx_hash,
            sentence=f"{signer} earned {format_amount(share)}, 1/{len(signers)} of the fee, for signing the "
            f"certificate of {_rounds(first - span, first - 1)}, {verdict}.",
            evidence={
                "signers": list(signers),
                "segment": segment.event.certificate.segment.hex(),
                "executed": said.get(signer),
            },
        )


def _rounds(first: int, last: int) -> str:
    return f"round {first}" if first == last else f"rounds {first}..{last}"


def _withheld(history: TaskHistory, segment: CertifiedSegment, known: set[Any]) -> Iterator[Reason]:
    reward = history.ledger.spec.money.reward_per_shard_wei
    for fault in segment.record.faults:
        if fault in known:
            continue
        reports = [report for report in segment.record.fault_evidence if report.fault == fault]
        reporters = [report.reporter(history.domain) for report in reports]
        found = " and ".join(in_words(batch) for batch in sorted({report.batch for report in reports}))
        yield Reason(
            kind="withheld",
            account=fault.miner,
            amount=reward,
            first_round=fault.round,
            last_round=fault.round,
            tx_hash=segment.event.where.tx_hash,
            sentence=f"{format_amount(reward)} for shard {fault.shard} of round {fault.round} were withheld "
            f"from {fault.miner}: {len(reporters)} validators re-executed it and found {found} wrong. "
            "The miner takes no further part in this task.",
            evidence={
                "shard": fault.shard,
                "gradient": fault.gradient.hex(),
                "reporters": reporters,
                "micro_batches": _batches(reports),
            },
        )
    for item in segment.record.rounds:
        done = {signed.contribution.shard for signed in item.contributions}
        for shard in sorted(set(range(history.ledger.spec.recipe.shards)) - done):
            yield Reason(
                kind="withheld",
                account=history.created.poster,
                amount=reward,
                first_round=item.round,
                last_round=item.round,
                tx_hash=segment.event.where.tx_hash,
                sentence=f"{format_amount(reward)} stay with the poster: shard {shard} of round {item.round} "
                "was not done in time.",
                evidence={"shard": shard},
            )


def _batches(reports: list[FaultReport]) -> list[dict[str, Any]]:
    """The micro-batches that reports call false, each with its blob and the path to the root that the miner
    signed."""
    return [
        {
            "index": report.batch,
            "sha256": names[report.batch].hex(),
            "proof": ["0x" + node.hex() for node in batch_proof(names, report.batch)],
            "root": "0x" + batches_root(names).hex(),
        }
        for report in {report.batch: report for report in reports}.values()
        if report.batch < len(names := report.contribution.contribution.batches)
    ]


def _last_fee(history: TaskHistory, signers: tuple[Address, ...], span: int) -> Iterator[Reason]:
    last = history.ledger.last_round
    share = fee_share_down(history.ledger.spec.money.fee_per_round_wei, span, len(signers))
    for signer in signers:
        taken = next((event for event in history.fee_claims if event.account == signer), None)
        state = "taken" if taken else "to be claimed once the task is closed"
        yield Reason(
            kind="fee",
            account=signer,
            amount=share,
            first_round=last - span + 1,
            last_round=last,
            tx_hash=None,
            sentence=f"{signer} earned {format_amount(share)} for signing the last certificate, {state}.",
            evidence={"signers": list(signers)},
        )


def _fallen(history: TaskHistory) -> Iterator[Reason]:
    """What certificates said that an appeal overturned."""
    reward = history.ledger.spec.money.reward_per_shard_wei
    if history.overturned is None:
        return
    for segment in history.void:
        for item in segment.record.rounds:
            for signed in item.contributions:
                c = signed.contribution
                yield Reason(
                    kind="void",
                    account=c.miner,
                    amount=reward,
                    first_round=c.round,
                    last_round=c.round,
                    tx_hash=history.overturned.where.tx_hash,
                    sentence=f"{format_amount(reward)} for shard {c.shard} of round {c.round} are not paid "
                    f"to {c.miner}: an appeal overturned the certificate of {_rounds(*_covered(segment))}.",
                    evidence={"shard": c.shard, "segment": segment.event.certificate.segment.hex()},
                )


def _covered(segment: CertifiedSegment) -> tuple[int, int]:
    return segment.event.certificate.first_round, segment.event.certificate.last_round


def _slashed(history: TaskHistory) -> Iterator[Reason]:
    for event in history.slashes:
        yield Reason(
            kind="slashed",
            account=event.miner,
            amount=event.amount,
            first_round=event.round,
            last_round=event.round,
            tx_hash=event.where.tx_hash,
            sentence=f"{event.miner} lost {format_amount(event.amount)} of stake for shard {event.shard} of "
            f"round {event.round}; {event.reporter} received a bounty of {format_amount(event.bounty)}.",
            evidence={"shard": event.shard, "gradient": event.gradient.hex(), "reporter": event.reporter},
        )


def _taken(history: TaskHistory) -> Iterator[Reason]:
    taken: tuple[Claimed | SigningFeeClaimed, ...] = (*history.claims, *history.fee_claims)
    for event in taken:
        yield Reason(
            kind="claimed",
            account=event.account,
            amount=event.amount,
            first_round=0,
            last_round=0,
            tx_hash=event.where.tx_hash,
            sentence=f"{event.account} was paid {format_amount(event.amount)}.",
            evidence={},
        )
    if history.ended is not None:
        poster = history.created.poster
        yield Reason(
            kind="refunded",
            account=poster,
            amount=history.ended.refund,
            first_round=0,
            last_round=0,
            tx_hash=history.ended.where.tx_hash,
            sentence=f"{poster} got {format_amount(history.ended.refund)} of the escrow back.",
            evidence={},
        )
