"""One dispute at one validator: judge its cases, agree with the court on a verdict, see it through.

Everything here runs on the event loop's thread and returns at once. The court is a PBFT instance of its own
whose only value is the verdict (ADR 0016): what this module adds is which verdict is true here, and when.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from committee.due import Due
from committee.state import Decided, Verify
from committee.submitter import Outcome, turn
from committee.verify import Finding, Judgement
from protocol.chain.appeals import CaseKind, OnchainCase
from protocol.chain.docket import Docket, Step, steps
from protocol.errors import PeerMisbehaved
from protocol.ids import Address, TaskId
from protocol.pbft_messages import value_digest
from protocol.signing import to_compact
from protocol.verdict import SignedVerdict, Verdict

log = logging.getLogger(__name__)

SEQ = 1
"""A court decides once."""
STAGGER_TICKS = 5
"""How long each member lets the one before it go first in sending."""
MAX_QUESTIONS = 64
"""Values of the agreement that wait for our own findings; the oldest ones are dropped first."""
_TASK_BITS = 48
_DISPUTE_BITS = 15
"""The two highest numbers of these name the panels of contests (``committee.contest_seat``)."""


def instance_of(task: TaskId, dispute: int) -> int:
    """The number of a court's agreement, apart from every task's own. Raises ValueError for numbers that no
    chain reaches."""
    if not 0 < task < 1 << _TASK_BITS or not 0 < dispute < (1 << _DISPUTE_BITS) - 2:
        raise ValueError(f"dispute {dispute} of task {task} has no place among the agreements")
    return dispute << _TASK_BITS | task


def is_court(instance: int) -> bool:
    """Whether an agreement is a court's."""
    return 0 < instance >> _TASK_BITS < (1 << _DISPUTE_BITS) - 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Decide:
    """Post the court's verdict."""

    signed: SignedVerdict


class Agreement(Protocol):
    """The side of ``committee.host.Host`` that a court answers to."""

    def request(self, task: int, seq: int, value: bytes) -> None: ...
    def verdict(self, task: int, seq: int, digest: bytes, ok: bool) -> None: ...


class CourtDesk(Protocol):
    """Where a court sends what takes time or leaves the process. ``now_s`` is Unix time as the chain and this
    machine see it, whichever is later."""

    def now_s(self) -> int: ...
    def judge(self, docket: Docket, case: OnchainCase, done: Callable[[Judgement], None]) -> bool: ...
    def act(self, docket: Docket, act: Step | Decide, done: Callable[[Outcome], None]) -> None: ...


@dataclass(slots=True)
class _Matter:
    """A case here: ``right`` once it is known whether what it says is true."""

    due: Due
    right: bool | None = None


def is_right(kind: CaseKind, finding: Finding) -> bool | None:
    """Whether a case is right, given what re-execution found of the work: None is not known."""
    if finding is Finding.UNKNOWN:
        return None
    return (finding is Finding.INVALID) == (kind is CaseKind.CONTRIBUTION)


def is_true(own: tuple[bool | None, ...], upheld: int, *, late: bool) -> bool | None:
    """Whether a member that found ``own`` signs the bitmap ``upheld``; None is not yet.

    It never signs against what it found. What it could not find out keeps it from signing, except that, when
    it is ``late`` and it found another case right, such a case counts as not shown: else whoever withholds
    one blob could shield every other lie of a task by one more case.
    """
    if upheld >> len(own):
        return False
    if any(right is not None and right != bool(upheld >> i & 1) for i, right in enumerate(own)):
        return False
    unknown = [i for i, right in enumerate(own) if right is None]
    if not unknown:
        return True
    shown = late and any(own) and not any(upheld >> i & 1 for i in unknown)
    return True if shown else None


class Court:
    """Glue for one dispute; see the module. ``docket`` moves on with the chain."""

    def __init__(self, docket: Docket, agreement: Agreement, desk: CourtDesk, me: Address) -> None:
        self.docket = docket
        self._agreement = agreement
        self._desk = desk
        self._me = me
        self._now = 0
        self._matters: dict[int, _Matter] = {}
        self._questions: dict[bytes, Verify] = {}
        self._asked = Due(at=0)
        self._decided: SignedVerdict | None = None
        self._acts: dict[Step | Decide, Due] = {}
        self._pointless: set[Step | Decide] = set()
        self.moved(docket)

    @property
    def instance(self) -> int:
        return instance_of(self.docket.task_id, self.docket.number)

    @property
    def sits(self) -> bool:
        """Whether this validator is a member of the court; no case joins once there is one."""
        return self._me in self.docket.court

    # ---------------------------------------------------------------- inputs

    def moved(self, docket: Docket) -> None:
        """The chain has moved on."""
        self.docket = docket
        if self.sits and docket.open:
            for case in docket.cases:
                self._matters.setdefault(case.number, _Matter(due=Due(at=self._now)))

    def tick(self) -> None:
        """Time goes on: everything that waits for another try."""
        self._now += 1
        if self.sits and self.docket.open:
            self._judge_due()
            self._answer()
            self._propose()
        self._act_due()

    def verify(self, wanted: Verify) -> None:
        """The agreement asks whether a proposed verdict is true."""
        while len(self._questions) >= MAX_QUESTIONS:
            del self._questions[next(iter(self._questions))]
        self._questions[wanted.digest] = wanted
        self._answer()

    def decided(self, decided: Decided) -> None:
        """The agreement hands out a verdict with its quorum."""
        self._decided = SignedVerdict(
            verdict=Verdict.decode(decided.value),
            signers=sum(1 << index for index in decided.signers),
            signatures=b"".join(to_compact(signature) for signature in decided.endorsements),
        )

    # ---------------------------------------------------------------- what is true

    def _judge_due(self) -> None:
        for case in self.docket.cases:
            matter = self._matters[case.number]
            if matter.right is None and not matter.due.busy and matter.due.at <= self._now:
                matter.due.busy = self._desk.judge(self.docket, case, self._judged(case, matter))
                if not matter.due.busy:
                    matter.due.postpone(self._now)

    def _judged(self, case: OnchainCase, matter: _Matter) -> Callable[[Judgement], None]:
        name = f"task {self.docket.task_id}: case {case.number} of dispute {self.docket.number}"

        def done(judgement: Judgement) -> None:
            matter.right = is_right(case.kind, judgement.finding)
            if matter.right is None:
                log.info("%s: abstaining: %s", name, judgement.reason)
                matter.due.postpone(self._now)
                return
            log.info("%s is %s: %s", name, "right" if matter.right else "wrong", judgement.reason or "exact")
            self._answer()

        return done

    @property
    def _late(self) -> bool:
        """Half of the court's term is over."""
        dispute = self.docket.dispute
        return self._desk.now_s() >= dispute.join_ends + (dispute.verdict_ends - dispute.join_ends) // 2

    def _own(self) -> tuple[bool | None, ...]:
        return tuple(self._matters[case.number].right for case in self.docket.cases)

    def _answer(self) -> None:
        """Tell the agreement which verdicts are true, as far as that is known."""
        if not (self.sits and self.docket.open):
            return
        for digest, wanted in list(self._questions.items()):
            ok = self._is_ours(wanted.value) if wanted.seq == SEQ else False
            if ok is not None:
                del self._questions[digest]
                self._agreement.verdict(self.instance, wanted.seq, digest, ok)

    def _is_ours(self, value: bytes) -> bool | None:
        try:
            verdict = Verdict.decode(value)
        except PeerMisbehaved:
            return False
        if verdict != self.docket.dispute.verdict(verdict.upheld):
            return False
        return is_true(self._own(), verdict.upheld, late=self._late)

    def _propose(self) -> None:
        """Ask the agreement for the verdict that is true here, again and again: its places may be full."""
        if self._decided is not None or self._asked.at > self._now:
            return
        upheld = sum(1 << i for i, right in enumerate(self._own()) if right)
        if is_true(self._own(), upheld, late=self._late):
            value = self.docket.dispute.verdict(upheld).encode()
            self._asked.postpone(self._now)
            self._agreement.request(self.instance, SEQ, value)
            self._agreement.verdict(self.instance, SEQ, value_digest(value), True)

    # ---------------------------------------------------------------- what follows

    def _steps(self) -> list[Step | Decide]:
        now_s = self._desk.now_s()
        found: list[Step | Decide] = list(steps(self.docket, self.docket.block, now_s))
        if self.docket.open and self._decided is not None and now_s < self.docket.dispute.verdict_ends:
            found.append(Decide(signed=self._decided))
        return [step for step in found if step not in self._pointless]

    def _act_due(self) -> None:
        """Send what is due, each validator in its turn, until the chain shows it."""
        before = self._before_me()
        if before is None:
            return
        wanted = self._steps()
        self._acts = {act: due for act, due in self._acts.items() if act in wanted or due.busy}
        for act in wanted:
            due = self._acts.setdefault(act, Due(at=self._now + before * STAGGER_TICKS))
            if not due.busy and due.at <= self._now:
                due.busy = True
                self._desk.act(self.docket, act, self._acted(act, due))

    def _before_me(self) -> int | None:
        """How many go first: the court in turns, then, should it be silent, the rest of its snapshot; None
        for a stranger."""
        court, others = self.docket.court, self.docket.candidates
        if self._me in court:
            return turn(court.index(self._me), len(court), self.docket.number)
        waiting = [member for member in others if member not in court]
        if self._me not in waiting:
            return None
        return len(court) + turn(waiting.index(self._me), len(waiting), self.docket.number)

    def _acted(self, act: Step | Decide, due: Due) -> Callable[[Outcome], None]:
        def done(outcome: Outcome) -> None:
            due.postpone(self._now)
            if outcome is Outcome.POINTLESS:
                self._pointless.add(act)

        return done
