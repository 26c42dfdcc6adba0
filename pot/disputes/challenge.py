"""A challenge, found and proven from events and blobs: its price, its deadline, what follows."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from pot.amounts import format_amount, format_duration
from pot.client import Client
from pot.funding import require_funds
from protocol.batches import WHOLE, in_words
from protocol.chain.appeals import CaseKind
from protocol.chain.docket import read_docket
from protocol.chain.events import CertificateAccepted
from protocol.chain.finality import MAX_RECORDS
from protocol.chain.market import OnchainTask, TaskStatus
from protocol.chain.records import Certified, Matter, matters_of, proof_of, read_certified, read_record
from protocol.chain.sender import Receipt
from protocol.errors import InvalidInput, Refused
from protocol.ids import Address, TaskId
from protocol.segment import SegmentRecord


@dataclass(frozen=True, slots=True, kw_only=True)
class Challenge:
    """One leaf that can be challenged. Times are Unix seconds: it must be brought before ``closes_at``. With
    ``joins`` it joins that dispute, else it opens one. ``bond`` is in smallest units. A contribution is
    challenged for ``batch``, which the court looks at first (``protocol.batches``)."""

    task_id: TaskId
    event: CertificateAccepted
    record: SegmentRecord
    matter: Matter
    bond: int
    closes_at: int
    window_s: int
    term_s: int
    joins: int | None
    batch: int = WHOLE

    @property
    def place(self) -> tuple[int, int, Address]:
        """(round, shard, miner) of the leaf."""
        return (self.matter.leaf[0], self.matter.leaf[1], self.matter.leaf[2])

    @property
    def what(self) -> str:
        """The leaf in words."""
        number, shard, miner = self.place
        kind = "the contribution" if self.matter.kind is CaseKind.CONTRIBUTION else "the fault"
        return f"{kind} of {miner} to round {number} shard {shard}"

    def text(self, now_s: int) -> list[str]:
        """What the challenger should know before it signs."""
        left = format_duration(max(0, self.closes_at - now_s))
        opens = f"joins dispute {self.joins}" if self.joins else "opens a dispute"
        if self.matter.kind is CaseKind.CONTRIBUTION:
            right = "the certificate and all later ones fall, the task ends there, and who signed is slashed"
            wrong = "half of the bond goes to the miner"
        else:
            right = "the fault can never be slashed, its signers are"
            wrong = "half of the bond goes to the poster"
        return [
            f"Task {self.task_id}: {self.what}, certificate {self.event.index}. It {opens}.",
            *self._shown(),
            f"Bond: {format_amount(self.bond)}. Possible until {moment(self.closes_at)} ({left} left).",
            f"Cases join for {format_duration(self.window_s)} after the first one; then a court is drawn, "
            f"re-executes the work, and has {format_duration(self.term_s)} for it.",
            f"If you are right: the bond comes back with a bounty, and {right}.",
            f"If you are wrong: the bond is lost; {wrong}, the rest to the treasury.",
            "If no verdict comes: the bond comes back, and everything stands.",
        ]

    def _shown(self) -> list[str]:
        if self.batch == WHOLE:
            return []
        return [f"It shows in {in_words(self.batch)}: if it does, the court executes nothing else."]

    def to_json(self) -> dict[str, Any]:
        number, shard, miner = self.place
        return {
            "task_id": str(self.task_id),
            "kind": self.matter.kind.name.lower(),
            "certificate": self.event.index,
            "round": number,
            "shard": shard,
            "miner": miner,
            "leaf": "0x" + self.matter.leaf_hash.hex(),
            "batch": self.batch,
            "bond": str(self.bond),
            "closes_at": self.closes_at,
        }


def moment(unix_s: int) -> str:
    """A second of Unix time for people."""
    return time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(unix_s))


def contribution_at(client: Client, task_id: TaskId, round_number: int, shard: int) -> Challenge:
    """The challenge of an accepted contribution. Raises InvalidInput when none was accepted there, Refused
    when its window has closed."""
    task, certified = client.task(task_id), read_certified(client.contracts, task_id)
    for event in certified.certificates[: certified.standing]:
        if event.certificate.first_round <= round_number <= event.certificate.last_round:
            record = read_record(client.blobs, event.certificate, client.deployment.domain)
            for matter in matters_of(record, CaseKind.CONTRIBUTION, client.deployment.domain):
                if matter.leaf[:2] == (round_number, shard):
                    return _challenge(client, task, event, record, matter)
            raise InvalidInput(f"No contribution to round {round_number} shard {shard} was accepted.")
    raise InvalidInput(f"Round {round_number} of task {task_id} is not certified: nothing to challenge yet.")


def faults_of(
    client: Client, task_id: TaskId, *, miner: Address | None, place: tuple[int, int] | None
) -> list[Challenge]:
    """The appeals that are possible against declared faults, of a ``miner`` or at a ``place`` (round, shard).

    Each is brought against the certificate that declared it first, or, when that window has closed, against
    the first later one that repeats it and is open. Raises Refused when all are closed.
    """
    task, certified = client.task(task_id), read_certified(client.contracts, task_id)
    found: list[Challenge] = []
    refused: Refused | None = None
    done: set[bytes] = set()
    for event, record in _declaring(client, certified):
        for matter in matters_of(record, CaseKind.FAULT, client.deployment.domain):
            wanted = place is None or matter.leaf[:2] == place
            if matter.leaf_hash in done or not wanted or miner not in (None, matter.leaf[2]):
                continue
            if client.contracts.market.slashed(task_id, matter.leaf_hash):
                refused = Refused(
                    f"The fault of {matter.leaf[2]} in round {matter.leaf[0]} was slashed, or found wrong, "
                    "before.",
                    "FaultSettled",
                )
                continue
            try:
                found.append(_challenge(client, task, event, record, matter))
                done.add(matter.leaf_hash)
            except Refused as error:
                refused = error
    if not found and refused is not None:
        raise refused
    return found


def _declaring(client: Client, certified: Certified) -> Iterator[tuple[CertificateAccepted, SegmentRecord]]:
    """The standing certificates that declare faults and are kept, the oldest first, with their records."""
    for event in certified.certificates[: certified.standing][-MAX_RECORDS:]:
        if any(event.certificate.faults_root):
            yield event, read_record(client.blobs, event.certificate, client.deployment.domain)


def _challenge(
    client: Client, task: OnchainTask, event: CertificateAccepted, record: SegmentRecord, matter: Matter
) -> Challenge:
    """Raises Refused when the certificate cannot be challenged any more."""
    appeals = client.contracts.appeals
    closes_at, joins = _closing(client, task, event)
    now = client.contracts.client.pending_time()
    if now >= closes_at:
        kept = f"could be challenged until {moment(closes_at)}" if closes_at else "is not kept any more"
        closed = "was final at once" if task.challenge_window_s == 0 else kept
        raise Refused(
            f"Certificate {event.index} of task {task.task_id} {closed}: the time for that is over.",
            "WindowClosed",
        )
    return Challenge(
        task_id=task.task_id,
        event=event,
        record=record,
        matter=matter,
        bond=appeals.bond_of(_cases_before(client, task.task_id, joins)),
        closes_at=closes_at,
        window_s=task.challenge_window_s,
        term_s=appeals.court_term_s(),
        joins=joins,
    )


def _cases_before(client: Client, task_id: TaskId, joins: int | None) -> int:
    """How many cases there are already: the more, the higher the bond of the next one."""
    return 0 if joins is None else client.contracts.appeals.dispute(task_id, joins).cases


def _closing(client: Client, task: OnchainTask, event: CertificateAccepted) -> tuple[int, int | None]:
    """(first second that is too late, number of the dispute that is joined)."""
    appeals = client.contracts.appeals
    if task.status is TaskStatus.DISPUTED:
        running = appeals.dispute(task.task_id, appeals.disputes_of(task.task_id))
        if event.index >= task.disputed_from:
            return running.join_ends, running.number
        return min(running.join_ends, _matures_at(client, task, event)), running.number
    return _matures_at(client, task, event), None


def _matures_at(client: Client, task: OnchainTask, event: CertificateAccepted) -> int:
    """When the certificate's window closes; 0 when its record is not kept any more."""
    try:
        return client.contracts.market.matures_at(task.task_id, event.record)
    except Refused as error:
        if error.reason != "RecordUnknown":
            raise
        return 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Brought:
    """A case that is on the chain."""

    challenge: Challenge
    dispute: int
    case: int
    join_ends: int
    verdict_ends: int
    receipt: Receipt

    def to_json(self) -> dict[str, Any]:
        return {
            **self.challenge.to_json(),
            "dispute": self.dispute,
            "case": self.case,
            "join_ends": self.join_ends,
            "verdict_ends": self.verdict_ends,
            "tx_hash": "0x" + self.receipt.tx_hash.hex(),
            "gas_used": self.receipt.gas_used,
        }

    def text(self) -> list[str]:
        return [
            f"Case {self.case} of dispute {self.dispute}: {self.challenge.what} is challenged "
            f"(transaction 0x{self.receipt.tx_hash.hex()}).",
            f"Others can join until {moment(self.join_ends)}; the court decides until "
            f"{moment(self.verdict_ends)}. Follow it with `pot disputes {self.challenge.task_id}`.",
        ]


def bring(client: Client, challenge: Challenge) -> Brought:
    """Approve the bond and bring the case. Raises Refused, ServiceUnreachable."""
    contracts, matter = client.contracts, challenge.matter
    require_funds(contracts, client.address, challenge.bond, "The bond")
    if contracts.token.allowance(client.address, contracts.appeals.address) < challenge.bond:
        client.sender.send(contracts.token.approve(contracts.appeals.address, challenge.bond))
    proof = proof_of(challenge.record, matter, client.deployment.domain)
    about = (challenge.task_id, challenge.event.record, matter.leaf, proof)
    call = (
        contracts.appeals.challenge_contribution(*about, challenge.batch)
        if matter.kind is CaseKind.CONTRIBUTION
        else contracts.appeals.challenge_fault(*about)
    )
    receipt = client.sender.send(call)
    number = contracts.appeals.disputes_of(challenge.task_id)
    docket = read_docket(contracts, challenge.task_id, number)
    case = next(
        c.number for c in docket.cases if (c.leaf, c.index) == (matter.leaf_hash, challenge.event.index)
    )
    return Brought(
        challenge=challenge,
        dispute=number,
        case=case,
        join_ends=docket.dispute.join_ends,
        verdict_ends=docket.dispute.verdict_ends,
        receipt=receipt,
    )
