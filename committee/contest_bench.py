"""All contests of one validator, beside its tasks and courts.

The event loop owns all state here; what takes time goes to the node's threads and comes back as a callback.
"""

import logging
from collections.abc import Callable
from dataclasses import replace
from typing import Final, Protocol, assert_never

from committee.bench import Desk
from committee.contest_judge import ContestJudge, Findings
from committee.contest_seat import Act, Certify, Close, ContestSeat, Draw, contest_instance
from committee.errors import ValueUnusable
from committee.host import Host
from committee.payload_pool import PayloadPool
from committee.seating import Seating
from committee.state import Decided, EndorsementDigest, Verify
from committee.submitter import Outcome
from committee.verify import Finding, Judgement
from protocol.blobs import BlobStore
from protocol.chain.contest_log import ContestView
from protocol.chain.contract import Call
from protocol.chain.contracts import Contracts
from protocol.chain.sender import Sender
from protocol.contest import ScoreCertificate
from protocol.errors import PeerMisbehaved, PotError, Refused
from protocol.ids import Address, Sha256
from protocol.learning_payload import MAX_LIST_BYTES, list_root, may_carry, payload_list
from protocol.signing import Signer
from protocol.typed_data import Domain

log = logging.getLogger(__name__)

MAX_SEATS: Final = 32
"""Agreements about contests at one time; further ones wait."""
ALREADY_DONE: Final = frozenset({"ContestIs", "NothingToDraw"})
EARLY: Final = frozenset({"DrawTooEarly", "TooEarly", "PanelNotDrawn"})
POINTLESS: Final = frozenset({"TooLate", "CertificateMismatch", "ScoreInvalid"})


def score_digest(domain: Domain, contest_id: int, instance: int) -> EndorsementDigest:
    """What a member signs for the contract: the EIP-712 digest of scores of this contest and panel."""

    def digest(seq: int, value: bytes) -> bytes:
        try:
            certificate = ScoreCertificate.decode(value)
        except PeerMisbehaved as error:
            raise ValueUnusable(str(error)) from error
        if (certificate.contest_id, certificate.instance) != (contest_id, instance):
            raise ValueUnusable(f"it is about contest {certificate.contest_id}")
        return certificate.digest(domain)

    return digest


class ContestSubmitter:
    """Sends what is due about contests, from the validator's own account; used by one thread. Everything
    here may be sent by anybody and by several at once."""

    def __init__(self, contracts: Contracts, sender: Sender) -> None:
        self._contracts = contracts
        self._sender = sender

    def act(self, view: ContestView, act: Act) -> Outcome:
        """Do one step; the chain shows what came of it."""
        what = f"contest {view.contest_id}: {type(act).__name__.lower()}"
        try:
            receipt = self._sender.send(self._call(view, act))
        except Refused as error:
            if error.reason in ALREADY_DONE:
                return Outcome.DONE
            if error.reason in EARLY:
                return Outcome.EARLY
            log.warning("%s: %s", what, error)
            return Outcome.POINTLESS if error.reason in POINTLESS else Outcome.REFUSED
        except PotError as error:
            log.warning("%s, tried again later: %s", what, error)
            return Outcome.UNREACHABLE
        log.info("%s: transaction 0x%s, %s gas", what, receipt.tx_hash.hex(), receipt.gas_used)
        return Outcome.DONE

    def _call(self, view: ContestView, act: Act) -> Call:
        contest = self._contracts.contest
        match act:
            case Draw(instance=instance):
                return contest.panels().draw(view.contest_id, instance)
            case Certify(signed=signed):
                return contest.certify(signed)
            case Close():
                return contest.close(view.contest_id)
            case _:
                assert_never(act)


class CountingDesk(Desk, Protocol):
    """What the node does for its contests."""

    def count(self, job: Callable[[], Judgement], done: Callable[[Judgement], None]) -> bool: ...


class ContestBench:
    """The contests that this validator scores or looks after."""

    def __init__(
        self,
        *,
        host: Host,
        desk: CountingDesk,
        judge: ContestJudge,
        blobs: BlobStore,
        pool: PayloadPool,
        submitter: ContestSubmitter,
        signer: Signer,
        domain: Domain,
        view_timeout_ticks: int,
    ) -> None:
        self._host = host
        self._desk = desk
        self._judge = judge
        self._blobs = blobs
        self._pool = pool
        self._submitter = submitter
        self._signer = signer
        self._domain = domain
        self._seating = Seating(
            host=host,
            signer=signer,
            domain=domain,
            view_timeout_ticks=view_timeout_ticks,
            most=MAX_SEATS,
        )
        self._seats: dict[int, ContestSeat] = {}

    @property
    def members(self) -> frozenset[Address]:
        """Everybody that this validator has to talk to about scores."""
        return frozenset(member for seat in self._seats.values() if seat.sits for member in seat.view.panel)

    def seen(self, view: ContestView) -> None:
        """A contest was posted or moved on."""
        seat = self._seats.get(view.contest_id)
        if seat is None:
            if view.over:
                return
            seat = self._seats[view.contest_id] = ContestSeat(view, self._host, self, self._signer.address)
        else:
            seat.moved(view)
        for instance in (0, 1):
            agreement = contest_instance(view.contest_id, instance)
            if agreement != seat.instance or not seat.sits:
                self._seating.leave(agreement)
        if seat.sits and view.released is not None:
            self._sit(seat)
        if view.over:
            del self._seats[view.contest_id]

    def tick(self) -> None:
        """Time goes on."""
        for seat in list(self._seats.values()):
            seat.tick()

    def verify(self, instance: int, wanted: Verify) -> None:
        """The agreement asks about scores."""
        for seat in self._seats.values():
            if seat.instance == instance:
                seat.verify(wanted)

    def decided(self, instance: int, decided: Decided) -> None:
        """The agreement hands out scores with their quorum."""
        for seat in self._seats.values():
            if seat.instance == instance:
                seat.decided(decided)

    def _sit(self, seat: ContestSeat) -> None:
        view = seat.view
        digest = score_digest(self._domain, view.contest_id, view.instance)
        self._seating.take(seat.instance, view.panel, digest, f"contest {view.contest_id}")

    # ---------------------------------------------------------------- committee.contest_seat.SeatDesk

    def now_s(self) -> int:
        """Unix time: the chain's or this machine's, whichever is later."""
        return self._desk.now_s()

    def judge(self, view: ContestView, done: Callable[[Findings | None], None]) -> bool:
        """Count on the counting thread; the record of what was found, and the list of the payloads that wait
        here, are stored for everybody."""
        found: list[Findings] = []
        now_s, waiting = self.now_s(), self._pool.listed()

        def job() -> Judgement:
            try:
                findings = self._judge.judge(view, now_s)
                self._blobs.put(findings.record.blob)
                listed = payload_list(waiting)
                if listed:
                    self._blobs.put(listed)
            except PotError as error:
                return Judgement(finding=Finding.UNKNOWN, reason=str(error))
            certificate = replace(findings.certificate, transactions=list_root(listed))
            found.append(replace(findings, certificate=certificate))
            return Judgement(finding=Finding.VALID)

        def judged(judgement: Judgement) -> None:
            if judgement.finding is Finding.UNKNOWN:
                log.info("contest %s: abstaining: %s", view.contest_id, judgement.reason)
            done(found[0] if found else None)

        return self._desk.count(job, judged)

    def vouch(self, root: bytes, done: Callable[[bool | None], None]) -> bool:
        """Look at another member's list on the checking thread. One that is accepted is stored once more, so
        that it is there as long as any member that signed for it wants it to be."""
        found: list[bool | None] = []
        numbers = self._pool.numbers

        def job() -> Judgement:
            if numbers is None:
                return Judgement(finding=Finding.UNKNOWN, reason="the learning chain has not been read")
            try:
                listed = self._blobs.get(Sha256(root), MAX_LIST_BYTES)
                true = may_carry(numbers, listed, self._domain)
                if true:
                    self._blobs.put(listed)
            except PotError as error:
                return Judgement(finding=Finding.UNKNOWN, reason=str(error))
            found.append(true)
            return Judgement(finding=Finding.UNKNOWN if true is None else Finding.VALID)

        def checked(judgement: Judgement) -> None:
            if judgement.finding is Finding.UNKNOWN:
                log.info("payloads %s: abstaining: %s", root.hex(), judgement.reason)
            done(found[0] if found else None)

        return self._desk.check(job, checked)

    def act(self, view: ContestView, act: Act, done: Callable[[Outcome], None]) -> None:
        """Send a step to the chain."""
        self._desk.send(lambda: self._submitter.act(view, act), done)
