"""One task at one validator: the agreement on one side; checks, faults and the chain on the other.

Everything here runs on the event loop's thread and returns at once. What takes time (checks, transactions) is
handed to the ``Desk`` and comes back as a callback on the same thread.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from committee.aggregation import Endorsed
from committee.attesting import Attesting, Pen
from committee.due import RETRY_TICKS, Due
from committee.faults import FaultBook
from committee.state import Decided, Verify
from committee.submitter import Outcome, turn, unslashed
from committee.verify import Checker, Finding, Judgement
from protocol.batches import in_words
from protocol.certificate import RoundCertificate
from protocol.chain.history import TaskHistory
from protocol.contribution import SignedContribution
from protocol.errors import PeerMisbehaved
from protocol.evidence import Fault, FaultReport
from protocol.ids import Address, TaskId
from protocol.typed_data import Domain

log = logging.getLogger(__name__)

STAGGER_TICKS = 2
"""How long each member lets the one before it go first in submitting."""
KEPT_DECISIONS = 64
"""Posted certificates that are kept, should a reorganisation of the chain undo them."""
DEADLINE_GRACE_S = 60
"""How long after its deadline a task is still worked on: clocks differ, and the contract's is the one that
counts."""

Key = tuple[int, bytes]
"""A proposed value: its sequence number and digest."""


class Agreement(Protocol):
    """The side of ``committee.host.Host`` that a session answers to."""

    def verdict(self, task: int, seq: int, digest: bytes, ok: bool) -> None: ...
    def finalized(self, task: int, seq: int) -> None: ...


class Desk(Pen, Protocol):
    """Where a session sends what takes time or leaves the process. ``now_s`` is Unix time as the chain and
    this machine see it, whichever is later."""

    def now_s(self) -> int: ...
    def check(self, job: Callable[[], Judgement], done: Callable[[Judgement], None]) -> bool: ...
    def certify(self, endorsed: Endorsed, done: Callable[[Outcome], None]) -> None: ...
    def slash(self, history: TaskHistory, fault: Fault, done: Callable[[Outcome], None]) -> None: ...
    def sign_report(self, contribution: SignedContribution, batch: int) -> FaultReport: ...
    def spread(self, report: FaultReport) -> None: ...


@dataclass(slots=True)
class _Proposal:
    """A value that the agreement asked about. ``contains`` is set while it counts as true, ``judged`` once
    there is a verdict for the certified state that ``history`` shows."""

    wanted: Verify
    due: Due
    judged: bool = False
    contains: frozenset[Fault] = field(default=frozenset())


class TaskSession:
    """Glue for one task; see the module. ``history`` moves on with the chain."""

    def __init__(
        self, *, history: TaskHistory, agreement: Agreement, checker: Checker, desk: Desk, me: Address
    ) -> None:
        self.history = history
        self.book = FaultBook()
        self._attesting = Attesting(desk)
        self._agreement = agreement
        self._checker = checker
        self._desk = desk
        self._me = me
        self._index = history.ledger.members.index(me)
        self._now = 0
        self._branch = 0
        self._proposals: dict[Key, _Proposal] = {}
        self._decided: dict[int, tuple[Endorsed, Due]] = {}
        self._slashing: dict[Fault, Due] = {}
        self._pointless: set[Fault] = set()  # certified faults that cannot be slashed any more
        self._spread = Due(at=0)

    @property
    def domain(self) -> Domain:
        return self.history.domain

    @property
    def settled(self) -> bool:
        """The task has ended and no slash is owed: this session has no more work."""
        return is_past(self.history, self._desk.now_s()) and not self._slashing

    @property
    def over(self) -> bool:
        """Nothing is left to agree on: every round is certified, or the task has ended."""
        return self.history.ledger.finished or is_past(self.history, self._desk.now_s())

    # ---------------------------------------------------------------- inputs

    def start(self) -> None:
        """The replica runs; what the chain already holds is final."""
        self._agreement.finalized(self._task, self.history.certificates)
        self._plan_slashes()

    def moved(self, history: TaskHistory) -> None:
        """The chain has moved on, or taken something back."""
        before, self.history = self.history, history
        if history.overturned is None and not continues(before, history):
            self._chain_turned()
        for segment in history.segments:
            self._attesting.fixed(segment.event.certificate)
        seq = history.certificates
        for key in [key for key in self._proposals if key[0] <= seq]:
            del self._proposals[key]
        for old in [number for number in self._decided if number <= seq - KEPT_DECISIONS]:
            del self._decided[old]
        self._agreement.finalized(self._task, seq)
        self._plan_slashes()
        self._check_due()

    def tick(self) -> None:
        """Time goes on: everything that waits for another try."""
        self._now += 1
        if not self.over:
            self._check_due()
        else:
            self._desk.open_evidence(self._task)
        self._submit_due()
        if self._now >= self._spread.at:
            self._spread.postpone(self._now)
            self._attesting.repeat()
            for report in self.book.own(self._me, self.history.ledger):
                self._desk.spread(report)

    def hear(self, report: FaultReport) -> None:
        """A peer's fault report. Raises PeerMisbehaved."""
        ledger, contribution, batch = self.history.ledger, report.contribution, report.batch
        if self.book.hear(report, ledger, self.domain, self._now):
            done = self._examined(report)
            if not self._desk.check(lambda: self._checker.examine(ledger, contribution, batch), done):
                self.book.undecided(report.fault, self._now)

    def verify(self, wanted: Verify) -> None:
        """The agreement asks whether a proposed value is true."""
        if wanted.seq > self.history.certificates:
            key = (wanted.seq, wanted.digest)
            self._proposals[key] = _Proposal(wanted=wanted, due=Due(at=self._now))
            self._check_due()

    def decided(self, decided: Decided) -> None:
        """The agreement hands out a certificate with its quorum."""
        wait = turn(self._index, len(self.history.ledger.members), decided.seq) * STAGGER_TICKS
        endorsed = Endorsed.of(decided)
        self._decided[decided.seq] = (endorsed, Due(at=self._now + wait))
        self._attesting.fixed(endorsed.signed.certificate)
        self._submit_due()

    # ---------------------------------------------------------------- checks

    @property
    def _task(self) -> TaskId:
        return self.history.created.task_id

    def _chain_turned(self) -> None:
        """Another branch of the chain counts: what was judged on the old one is judged again, and what was
        undone is posted again."""
        log.warning("task %s: the chain was reorganised", self._task)
        self._branch += 1
        for proposal in self._proposals.values():
            proposal.judged = False
            proposal.due = Due(at=self._now)
        for seq, (signed, _) in list(self._decided.items()):
            wait = turn(self._index, len(self.history.ledger.members), seq) * STAGGER_TICKS
            self._decided[seq] = (signed, Due(at=self._now + wait))

    def _check_due(self) -> None:
        """Check what follows directly on the certified state; anything above has to wait for the chain, and
        everything for the task's start."""
        if self._desk.now_s() < self.history.created.params.starts_at:
            return
        turn_of = self.history.certificates + 1
        for key, proposal in list(self._proposals.items()):
            due = proposal.due
            if key[0] == turn_of and not proposal.judged and not due.busy and due.at <= self._now:
                self._start_check(key, proposal)

    def _start_check(self, key: Key, proposal: _Proposal) -> None:
        ledger, known, branch = self.history.ledger, frozenset(self.book.confirmed), self._branch
        try:
            certificate = RoundCertificate.decode(proposal.wanted.value)
        except PeerMisbehaved as error:
            self._judged(key, branch, Judgement(finding=Finding.INVALID, reason=str(error)))
            return
        proposal.due.busy = self._desk.check(
            lambda: self._checker.judge(ledger, certificate, known),
            lambda judgement: self._judged(key, branch, judgement),
        )
        if not proposal.due.busy:
            proposal.due.postpone(self._now)

    def _judged(self, key: Key, branch: int, judgement: Judgement) -> None:
        proposal = self._proposals.get(key)
        if proposal is None or branch != self._branch:
            return  # the chain was quicker, or turned meanwhile
        if judgement.finding is Finding.UNKNOWN:
            log.info("task %s: abstaining on proposal %s: %s", self._task, key[0], judgement.reason)
            proposal.due.postpone(self._now)
            return
        proposal.judged, proposal.due.busy = True, False
        for contribution, batch in judgement.found:
            self._found(contribution, batch)
        ok = judgement.finding is Finding.VALID and not judgement.contained & self.book.confirmed
        proposal.contains = judgement.contained if ok else frozenset()
        if ok and judgement.evidence is not None:
            self._attesting.judged(judgement.evidence)
        if not ok:
            log.warning("task %s: proposal %s is false: %s", self._task, key[0], judgement.reason)
        self._agreement.verdict(self._task, key[0], key[1], ok)

    # ---------------------------------------------------------------- faults

    def _examined(self, report: FaultReport) -> Callable[[Judgement], None]:
        def done(judgement: Judgement) -> None:
            match judgement.finding:
                case Finding.INVALID:
                    for contribution, batch in judgement.found:
                        self._found(contribution, batch)
                case Finding.UNKNOWN:
                    self.book.undecided(report.fault, self._now)
                case Finding.VALID:
                    log.warning("task %s: a reported shard is honest: %s", self._task, report.fault)

        return done

    def _found(self, contribution: SignedContribution, batch: int) -> None:
        """A shard failed here: say so, and take back what was said about proposals that contain it."""
        fault = Fault.of(contribution)
        if fault in self.book.confirmed:
            return
        where = (*fault.leaf()[:3], in_words(batch))
        log.warning("task %s: round %s shard %s of %s fails: %s", self._task, *where)
        report = self._desk.sign_report(contribution, batch)
        self.book.confirm(report, self._me)
        self._desk.spread(report)
        self._spread = Due(at=self._now + RETRY_TICKS)
        for key, proposal in list(self._proposals.items()):
            if fault in proposal.contains:
                proposal.contains = frozenset()
                self._agreement.verdict(self._task, key[0], key[1], False)

    # ---------------------------------------------------------------- the chain

    def _plan_slashes(self) -> None:
        open_faults = set(unslashed(self.history)) - self._pointless
        self._slashing = {fault: due for fault, due in self._slashing.items() if fault in open_faults}
        wait = turn(self._index, len(self.history.ledger.members), self.history.certificates) * STAGGER_TICKS
        for fault in open_faults - set(self._slashing):
            self._slashing[fault] = Due(at=self._now + wait)

    def _submit_due(self) -> None:
        self._certify_due()
        for fault, due in list(self._slashing.items()):
            if due.at <= self._now and not due.busy:
                due.busy = True
                self._desk.slash(self.history, fault, self._slashed(fault, due))

    def _certify_due(self) -> None:
        """Post the certificate that follows on the chain's last one, until the chain shows it."""
        endorsed, due = self._decided.get(self.history.certificates + 1, (None, None))
        if endorsed is None or due is None or due.busy or due.at > self._now or self.over:
            return
        if self._desk.now_s() >= self.history.created.params.starts_at:
            due.busy = True
            self._desk.certify(endorsed, lambda outcome: due.postpone(self._now))

    def _slashed(self, fault: Fault, due: Due) -> Callable[[Outcome], None]:
        def done(outcome: Outcome) -> None:
            due.postpone(self._now)
            if outcome is Outcome.POINTLESS:
                self._pointless.add(fault)
                self._slashing.pop(fault, None)

        return done


def is_past(history: TaskHistory, now_s: int) -> bool:
    """The task was closed, cancelled or overturned, or its deadline has passed: nothing can be certified any
    more. A dispute stops payouts and not the work."""
    if history.ended is not None or history.overturned is not None:
        return True
    return now_s > history.deadline + DEADLINE_GRACE_S


def continues(old: TaskHistory, new: TaskHistory) -> bool:
    """Whether ``new`` is ``old`` and what came after it. Who signed counts too: it decides who is paid."""
    if not old.segments or new.created.params != old.created.params:
        return new.certificates >= old.certificates and new.created.params == old.created.params
    place = old.certificates - 1 - new.forgotten
    if not 0 <= place < len(new.segments):
        return False
    last, same = old.segments[-1].event, new.segments[place].event
    return (last.certificate, last.signers) == (same.certificate, same.signers)
