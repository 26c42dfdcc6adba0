"""What contests tell by their events, and all that is known of one contest at one block."""

from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

from protocol.blobs import BlobStore
from protocol.chain.contest import (
    ContestParams,
    ContestStatus,
    LearningContest,
    OnchainContest,
    OnchainEntry,
)
from protocol.chain.contracts import Contracts
from protocol.chain.event_base import EventRef
from protocol.contest import ScoreCertificate, SignedScores
from protocol.contest_spec import ContestSpec
from protocol.errors import VerificationFailed
from protocol.ids import Address, EpochNo, Sha256
from protocol.spec import MAX_SPEC_BYTES

COMMITTEE = 0
COURT = 1
"""Instances of the agreement about one contest."""
MAX_EMBEDDED_CALLS: Final = 256
"""Places in one transaction's calldata that are tried as a certificate call."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Released:
    """The key to a contest's test set, and the hash of the block in which it became known."""

    key: bytes
    block_hash: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class ContestView:
    """A contest as the contracts show it in block ``block``, Unix second ``time_s``. ``instance`` is the
    panel that has to speak, ``panel`` its members (empty until they are drawn or assigned)."""

    state: OnchainContest
    params: ContestParams
    entries: tuple[OnchainEntry, ...]
    released: Released | None
    instance: int
    panel: tuple[Address, ...]
    draw_block: int | None
    court_term_s: int
    block: int
    time_s: int

    @property
    def contest_id(self) -> int:
        return self.state.contest_id

    @property
    def all_revealed(self) -> bool:
        return self.state.revealed == (1 << self.state.entries) - 1

    @property
    def over(self) -> bool:
        return self.state.status in (ContestStatus.CLOSED, ContestStatus.NONE)

    @property
    def certify_until(self) -> int:
        """Last second at which a certificate of ``instance`` is accepted."""
        if self.state.status is ContestStatus.CHALLENGED:
            return self.state.ends_at
        return self.state.ends_at + self.params.score_s

    def can_certify(self, now_s: int) -> bool:
        """Whether scores would be accepted at ``now_s``."""
        match self.state.status:
            case ContestStatus.CHALLENGED:
                return now_s <= self.state.ends_at
            case ContestStatus.RELEASED:
                open_ = self.all_revealed or now_s > self.state.ends_at
                return open_ and self.state.revealed != 0 and now_s <= self.certify_until
            case _:
                return False

    def is_late(self, now_s: int) -> bool:
        """Half of the panel's time is over: what cannot be had by then counts as withheld."""
        term = self.params.score_s if self.instance == COMMITTEE else self.court_term_s
        return now_s > self.certify_until - term // 2

    def can_close(self, now_s: int) -> bool:
        """Whether the contest would end at ``now_s``."""
        state, params = self.state, self.params
        match state.status:
            case ContestStatus.OPEN:
                last = params.commit_deadline + (params.release_s if state.entries else 0)
                return now_s > last
            case ContestStatus.RELEASED:
                return now_s > (self.certify_until if state.revealed else state.ends_at)
            case ContestStatus.SCORED:
                return now_s >= state.ends_at
            case ContestStatus.CHALLENGED:
                return now_s > state.ends_at
            case _:
                return False

    @property
    def due_draw(self) -> bool:
        """Whether a panel waits for its draw, and that is possible in the next block."""
        return self.draw_block is not None and self.block >= self.draw_block


def read_contest(contracts: Contracts, contest_id: int, released: Released | None) -> ContestView:
    """All of one contest at one block. Raises Refused, ServiceUnreachable."""
    contest, latest = contracts.contest, contracts.client.block()
    block = latest.number
    state = contest.contest(contest_id, block)
    instance = COURT if state.status is ContestStatus.CHALLENGED else COMMITTEE
    panel, draw_block = _panel(contest, state, instance, block)
    return ContestView(
        state=state,
        params=contest.params(contest_id, block),
        entries=contest.entries(state, block),
        released=released,
        instance=instance,
        panel=panel,
        draw_block=draw_block,
        court_term_s=contest.court_term_s(block),
        block=block,
        time_s=latest.timestamp,
    )


def read_contest_spec(blobs: BlobStore, view: ContestView) -> ContestSpec:
    """The spec of a contest, which agrees with the chain. Raises InvalidInput, BlobMissing, BlobCorrupt,
    BlobTooLarge, ServiceUnreachable."""
    spec = ContestSpec.parse(blobs.get(view.params.spec_hash, MAX_SPEC_BYTES))
    view.params.agrees_with(spec)
    return spec


def _panel(
    contest: LearningContest, state: OnchainContest, instance: int, block: int
) -> tuple[tuple[Address, ...], int | None]:
    if state.status not in (ContestStatus.RELEASED, ContestStatus.CHALLENGED):
        return (), None
    panels = contest.panels()
    size, draw_block, drawn = panels.panel(state.contest_id, instance, block)
    if drawn:
        return panels.members(state.contest_id, instance, block), None
    return (), draw_block if size else None


def release_of(contracts: Contracts, contest_id: int) -> Released | None:
    """The key of a contest, searched in all blocks; None while it is not released. Raises
    ServiceUnreachable."""
    for where, args in contest_events(contracts, "TestSetReleased", contest_id):
        return Released(key=bytes(args["key"]), block_hash=where.block_hash)
    return None


def contest_events(contracts: Contracts, name: str, contest_id: int) -> list[tuple[EventRef, dict[str, Any]]]:
    """The events of one kind about one contest, in chain order. Raises ServiceUnreachable, Refused."""
    topic, decode = contracts.contest.event(name)
    deployment = contracts.deployment
    latest = contracts.client.block().number
    found = []
    for log in contracts.client.logs([deployment.contest], deployment.block, latest):
        if bytes(log["topics"][0]) != topic:
            continue
        args = decode(log)
        if args.get("contestId") == contest_id:
            where = EventRef(
                block_number=int(log["blockNumber"]),
                block_hash=bytes(log["blockHash"]),
                tx_hash=bytes(log["transactionHash"]),
                log_index=int(log["logIndex"]),
            )
            found.append((where, args))
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class AcceptedScores:
    """A certificate as the contract accepted it: it compared the signatures with the panel, and its event
    tells everything but them. Bit i of ``signers`` is member i."""

    where: EventRef
    certificate: ScoreCertificate
    signers: int


def accepted_certificates(contracts: Contracts, contest_id: int) -> list[AcceptedScores]:
    """The certificates of a contest that were accepted, from events alone. Raises Refused,
    ServiceUnreachable."""
    return [
        AcceptedScores(
            where=where,
            certificate=certificate_from(args["certificate"], args["scores"]),
            signers=int(args["signers"]),
        )
        for where, args in contest_events(contracts, "ScoresAccepted", contest_id)
    ]


def signatures_behind(contracts: Contracts, accepted: AcceptedScores) -> SignedScores:
    """A certificate with its signatures, from the calldata of the transaction behind its event.

    Anybody may post a certificate, also through a contract: then the call stands somewhere inside the
    calldata, or, when the contract builds it, only in a trace of the transaction. Raises VerificationFailed
    when there is no `certify` call with that certificate, Refused when the endpoint gives no traces,
    ServiceUnreachable.
    """
    client, tx_hash = contracts.client, accepted.where.tx_hash
    signed = _scores_in(contracts, accepted, client.transaction_input(tx_hash))
    if signed is not None:
        return signed
    for data in client.calls_to(contracts.contest.address, tx_hash):
        signed = _scores_in(contracts, accepted, data)
        if signed is not None:
            return signed
    raise VerificationFailed(
        f"transaction 0x{tx_hash.hex()}",
        f"it holds no `certify` call with the scores of contest {accepted.certificate.contest_id}",
    )


def _scores_in(contracts: Contracts, accepted: AcceptedScores, data: bytes) -> SignedScores | None:
    """The event's certificate with signatures, from wherever in ``data`` it is passed to `certify`."""
    selector, place = contracts.contest.selector("certify"), -1
    for _ in range(MAX_EMBEDDED_CALLS):
        place = data.find(selector, place + 1)
        if place < 0:
            break
        with suppress(ValueError):
            values = contracts.contest.arguments("certify", data[place:])
            certificate = certificate_from(values["certificate"], values["scores"])
            if (certificate, int(values["signers"])) == (accepted.certificate, accepted.signers):
                return SignedScores(
                    certificate=certificate,
                    signers=accepted.signers,
                    signatures=bytes(values["signatures"]),
                )
    return None


def certificate_from(raw: dict[str, Any], scores: list[int]) -> ScoreCertificate:
    """The certificate of a decoded struct."""
    return ScoreCertificate(
        contest_id=int(raw["contestId"]),
        instance=int(raw["instance"]),
        epoch=EpochNo(raw["epoch"]),
        spec_hash=Sha256(bytes(raw["specHash"])),
        test_set=Sha256(bytes(raw["testSet"])),
        revealed=int(raw["revealed"]),
        frauds=int(raw["frauds"]),
        bad_test_set=bool(raw["badTestSet"]),
        scores=tuple(int(score) for score in scores),
        transactions=bytes(raw["transactions"]),
        record=Sha256(bytes(raw["record"])),
    )
