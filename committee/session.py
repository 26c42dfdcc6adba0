"""One task at one validator: the agreement on one side; checks, faults and the chain on the other.

Everything here runs on the event loop's thread and returns at once. What takes time (checks, transactions) is
handed to the ``Desk`` and comes back as a callback on the same thread.
"""

import logging
from collections.abc import Callable
from typing import Protocol

from committee.faults import FaultBook
from committee.state import Decided, Verify
from committee.submitter import signed_certificate, turn, unslashed
from committee.verify import Checker, Finding, Judgement
from protocol.certificate import RoundCertificate, SignedCertificate
from protocol.chain.history import TaskHistory
from protocol.contribution import SignedContribution
from protocol.errors import PeerMisbehaved
from protocol.evidence import Fault, FaultReport
from protocol.ids import Address, TaskId
from protocol.typed_data import Domain

log = logging.getLogger(__name__)

RETRY_TICKS = 10
"""How long an undecidable check, an unsent certificate or an unheard report waits before the next try."""
STAGGER_TICKS = 4
"""How long each member lets the one before it go first in submitting."""
MAX_SUBMITS = 40
"""Tries to post one certificate or slash; the stagger and RETRY_TICKS space them."""


class Agreement(Protocol):
    """The side of ``committee.host.Host`` that a session answers to."""

    def verdict(self, task: int, seq: int, digest: bytes, ok: bool) -> None: ...
    def finalized(self, task: int, seq: int) -> None: ...


class Desk(Protocol):
    """Where a session sends what takes time or leaves the process."""

    def check(self, job: Callable[[], Judgement], done: Callable[[Judgement], None]) -> bool: ...
    def certify(self, signed: SignedCertificate) -> None: ...
    def slash(self, history: TaskHistory, fault: Fault) -> None: ...
    def sign_report(self, contribution: SignedContribution) -> FaultReport: ...
    def spread(self, report: FaultReport) -> None: ...


class TaskSession:
    """Glue for one task; see the module. ``history`` moves on with the chain."""

    def __init__(
        self, *, history: TaskHistory, agreement: Agreement, checker: Checker, desk: Desk, me: Address
    ) -> None:
        self.history = history
        self.book = FaultBook()
        self._agreement = agreement
        self._checker = checker
        self._desk = desk
        self._me = me
        self._index = history.ledger.members.index(me)
        self._now = 0
        self._waiting: dict[tuple[int, bytes], tuple[Verify, int]] = {}  # value -> when to check it next
        self._checking: set[tuple[int, bytes]] = set()
        self._accepted: dict[tuple[int, bytes], frozenset[Fault]] = {}  # found true -> what it contains
        self._decided: dict[int, tuple[SignedCertificate, int, int]] = {}  # seq -> certificate, when, tries
        self._slashing: dict[Fault, tuple[int, int]] = {}  # fault -> when, tries
        self._spread_at = 0

    @property
    def domain(self) -> Domain:
        return self.history.domain

    @property
    def settled(self) -> bool:
        """The task was closed or cancelled and no slash is owed: this session has no more work."""
        return self.history.ended is not None and not self._slashing

    @property
    def over(self) -> bool:
        """Nothing is left to agree on: every round is certified, or the task was closed or cancelled."""
        return self.history.ended is not None or self.history.ledger.finished

    # ---------------------------------------------------------------- inputs

    def start(self) -> None:
        """The replica runs; what the chain already holds is final."""
        self._agreement.finalized(self._task, len(self.history.segments))
        self._plan_slashes()

    def moved(self, history: TaskHistory) -> None:
        """The chain has moved on."""
        self.history = history
        seq = len(history.segments)
        for old in [key for key in self._waiting if key[0] <= seq]:
            del self._waiting[old]
        for old in [key for key in self._accepted if key[0] <= seq]:
            del self._accepted[old]
        for done in [number for number in self._decided if number <= seq]:
            del self._decided[done]
        self._agreement.finalized(self._task, seq)
        self._plan_slashes()
        self._check_waiting()

    def tick(self) -> None:
        """Time goes on: everything that waits for another try."""
        self._now += 1
        if not self.over:
            self._check_waiting()
        self._submit_due()
        if self._now >= self._spread_at:
            self._spread_at = self._now + RETRY_TICKS
            for report in self.book.own(self._me, self.history.ledger):
                self._desk.spread(report)

    def hear(self, report: FaultReport) -> None:
        """A peer's fault report. Raises PeerMisbehaved."""
        if self.book.hear(report, self.history.ledger, self.domain):
            ledger, contribution = self.history.ledger, report.contribution
            done = self._examined(report)
            if not self._desk.check(lambda: self._checker.confirm(ledger, contribution), done):
                self.book.examined.discard(report.fault)

    def verify(self, wanted: Verify) -> None:
        """The agreement asks whether a proposed value is true."""
        if wanted.seq > len(self.history.segments):
            self._waiting[(wanted.seq, wanted.digest)] = (wanted, self._now)
            self._check_waiting()

    def decided(self, decided: Decided) -> None:
        """The agreement hands out a certificate with its quorum."""
        if decided.seq > len(self.history.segments):
            wait = turn(self._index, len(self.history.ledger.members), decided.seq) * STAGGER_TICKS
            self._decided[decided.seq] = (signed_certificate(decided), self._now + wait, 0)
            self._submit_due()

    # ---------------------------------------------------------------- checks

    @property
    def _task(self) -> TaskId:
        return self.history.created.task_id

    def _check_waiting(self) -> None:
        """Check what follows directly on the certified state; anything above has to wait for the chain."""
        turn_of = len(self.history.segments) + 1
        for key, (wanted, due) in list(self._waiting.items()):
            if key[0] == turn_of and due <= self._now and key not in self._checking:
                self._start_check(key, wanted)

    def _start_check(self, key: tuple[int, bytes], wanted: Verify) -> None:
        ledger, known = self.history.ledger, frozenset(self.book.confirmed)
        try:
            certificate = RoundCertificate.decode(wanted.value)
        except PeerMisbehaved as error:
            self._judged(key, wanted, Judgement(finding=Finding.INVALID, reason=str(error)))
            return
        started = self._desk.check(
            lambda: self._checker.judge(ledger, certificate, known),
            lambda judgement: self._judged(key, wanted, judgement),
        )
        if started:
            self._checking.add(key)
        else:
            self._waiting[key] = (wanted, self._now + RETRY_TICKS)

    def _judged(self, key: tuple[int, bytes], wanted: Verify, judgement: Judgement) -> None:
        self._checking.discard(key)
        if key not in self._waiting:
            return  # the chain was quicker
        if judgement.finding is Finding.UNKNOWN:
            log.info("task %s: abstaining on proposal %s: %s", self._task, wanted.seq, judgement.reason)
            self._waiting[key] = (wanted, self._now + RETRY_TICKS)
            return
        del self._waiting[key]
        for contribution in judgement.faults:
            self._found(contribution)
        ok = judgement.finding is Finding.VALID and not judgement.contained & self.book.confirmed
        if ok:
            self._accepted[key] = judgement.contained
        else:
            log.warning("task %s: proposal %s is false: %s", self._task, wanted.seq, judgement.reason)
        self._agreement.verdict(self._task, key[0], key[1], ok)

    # ---------------------------------------------------------------- faults

    def _examined(self, report: FaultReport) -> Callable[[Judgement], None]:
        def done(judgement: Judgement) -> None:
            match judgement.finding:
                case Finding.INVALID:
                    self._found(report.contribution)
                case Finding.UNKNOWN:
                    self.book.examined.discard(report.fault)  # the next report tries again
                case Finding.VALID:
                    log.warning("task %s: a reported shard is honest: %s", self._task, report.fault)

        return done

    def _found(self, contribution: SignedContribution) -> None:
        """A shard failed here: say so, and take back what was said about proposals that contain it."""
        fault = Fault.of(contribution)
        if fault in self.book.confirmed:
            return
        log.warning("task %s: round %s shard %s of %s fails", self._task, *fault.leaf()[:3])
        report = self._desk.sign_report(contribution)
        self.book.confirm(report, self._me)
        self._desk.spread(report)
        for key in [key for key, contained in self._accepted.items() if fault in contained]:
            del self._accepted[key]
            self._agreement.verdict(self._task, key[0], key[1], False)

    # ---------------------------------------------------------------- the chain

    def _plan_slashes(self) -> None:
        open_faults = set(unslashed(self.history))
        self._slashing = {fault: plan for fault, plan in self._slashing.items() if fault in open_faults}
        wait = turn(self._index, len(self.history.ledger.members), len(self.history.segments)) * STAGGER_TICKS
        for fault in open_faults - set(self._slashing):
            self._slashing[fault] = (self._now + wait, 0)

    def _submit_due(self) -> None:
        for seq, (signed, due, tries) in list(self._decided.items()):
            if due <= self._now and seq == len(self.history.segments) + 1 and tries < MAX_SUBMITS:
                self._decided[seq] = (signed, self._now + (tries + 1) * RETRY_TICKS, tries + 1)
                self._desk.certify(signed)
        for fault, (due, tries) in list(self._slashing.items()):
            if due <= self._now and tries < MAX_SUBMITS:
                self._slashing[fault] = (self._now + (tries + 1) * RETRY_TICKS, tries + 1)
                self._desk.slash(self.history, fault)
